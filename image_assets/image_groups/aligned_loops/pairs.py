"""Pairs of pictures: the best of their candidates, in an order that depends on the two thumbnails alone.

Does not belong here: numpy around the loops (`alignment`), and what is called the same picture (`similarity`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_assets.compiling import compiled
from image_assets.fingerprints.luma import LUMA_SIDE
from image_assets.image_groups.aligned_loops.agreement import agreement
from image_assets.image_groups.aligned_loops.candidates import list_candidates, rough_agreement
from image_assets.image_groups.aligned_loops.equality import nearly_equal
from image_assets.image_groups.aligned_loops.refinement import refine
from image_assets.image_groups.aligned_loops.warps import Luma, Warp, invert, lay_window

_LEAST_ROUGH_AGREEMENT = 0.3  # of a candidate, to be refined
_REFINED = 2  # candidates at most
_APART = 1.5  # pixels between candidates that lead to different places
_SURE = 0.85  # score at which nothing else is tried
_DETAIL_FLOOR, _GREY_FLOOR = 0.02, 0.5  # added to what a node may be off without losing weight


@compiled
def _compare_pair(a: Any, b: Any, lists: Any, warp: Warp) -> float:
    """The score of two pictures (luma, smooth, details, hashes, frame), and in `warp` how `a` lies on `b`."""
    luma_a, smooth_a, details_a, hashes_a, frame_a = a
    luma_b, smooth_b, details_b, hashes_b, frame_b = b
    seeds = np.empty((2 * lists[1].shape[0] + 2, 6))
    found = list_candidates(hashes_a, hashes_b, frame_a, frame_b, lists, seeds)
    best: float = nearly_equal(luma_a, luma_b)
    if best > 0:
        lay_window(lists[0], 0, 0, warp)
    agreements = np.empty(found)
    for seed in range(found):
        agreements[seed] = rough_agreement(details_a, details_b, frame_a, frame_b, seeds[seed])
    tried = np.empty(6)
    for _ in range(min(found, _REFINED)):
        seed = int(np.argmax(agreements))
        if agreements[seed] < _LEAST_ROUGH_AGREEMENT:
            break
        for other in range(found):
            distance = 0.0
            for k in range(6):
                distance = max(distance, abs(seeds[other, k] - seeds[seed, k]) * (1.0 if k % 3 == 0 else LUMA_SIDE / 2))
            if distance < _APART:
                agreements[other] = -2.0
        tried[:] = seeds[seed]
        # Near the edge of a part that is shown smaller, details differ with the scale; the brightness does not.
        if refine(details_a, details_b, frame_a, frame_b, tried, _DETAIL_FLOOR):
            score = agreement(luma_a, luma_b, smooth_a, smooth_b, frame_a, frame_b, tried)
            if score > best:
                best = score
                warp[:] = tried
            if score <= _SURE and refine(smooth_a, smooth_b, frame_a, frame_b, tried, _GREY_FLOOR):
                score = agreement(luma_a, luma_b, smooth_a, smooth_b, frame_a, frame_b, tried)
                if score > best:
                    best = score
                    warp[:] = tried
        if best > _SURE:
            break
    return best


@compiled
def _order(a: Luma, b: Luma) -> int:
    """-1, 0 or 1 as `a` comes before, equals or comes after `b`, pixel by pixel."""
    for y in range(a.shape[0]):
        for x in range(a.shape[1]):
            if a[y, x] != b[y, x]:
                return -1 if a[y, x] < b[y, x] else 1
    return 0


@compiled
def compare_listed(
    pictures: Any,
    turned: Any,
    mirrored_too: bool,
    pairs: NDArray[np.int64],
    lists: Any,
    scores: NDArray[np.float64],
    warps: NDArray[np.float64],
    mirrored: NDArray[np.bool_],
) -> None:
    """Fill `scores`, `warps` and `mirrored` of all pairs, as `alignment.Alignments` describes them."""
    luma, smooth, details, hashes, frames = pictures
    turned_luma, turned_smooth, turned_details, turned_hashes, turned_frames = turned
    warp = np.empty(6)
    for pair in range(pairs.shape[0]):
        a, b = pairs[pair, 0], pairs[pair, 1]
        order = _order(luma[a], luma[b])
        if order == 0:
            scores[pair] = 1.0
            warps[pair, 1], warps[pair, 5] = 1.0, 1.0
            continue
        if order > 0:
            a, b = b, a
        first = (luma[a], smooth[a], details[a], hashes[a], frames[a])
        second = (luma[b], smooth[b], details[b], hashes[b], frames[b])
        scores[pair] = _compare_pair(first, second, lists, warps[pair])
        if mirrored_too and scores[pair] <= _SURE:
            first = (turned_luma[a], turned_smooth[a], turned_details[a], turned_hashes[a], turned_frames[a])
            score = _compare_pair(first, second, lists, warp)
            if score > scores[pair]:
                scores[pair] = score
                mirrored[pair] = True
                # From the picture as it is, not from its mirror image.
                warps[pair] = warp
                for axis in range(2):
                    warps[pair, 3 * axis] += warp[3 * axis + 1] * LUMA_SIDE
                    warps[pair, 3 * axis + 1] = -warp[3 * axis + 1]
        if order > 0 and scores[pair] > 0:
            invert(warps[pair])
