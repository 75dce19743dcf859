"""Candidates: warps from windows of one picture whose hash is near that of a large part of the other, and from borders.

Does not belong here: the hashes and the list of windows (`windows`), and what becomes of a candidate (`pairs`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_assets.compiling import compiled
from image_assets.fingerprints.luma import LUMA_SIDE
from image_assets.image_groups.aligned_loops.warps import (
    SMALLEST,
    Floats,
    Frame,
    Warp,
    lattice,
    lay_frame,
    lay_window,
    shared_part,
)
from image_assets.image_groups.hamming import Hashes, bits

_LIKE_BITS = np.uint64(12)  # of 64 that a window's hash may differ in
_UNMOVED_BITS = np.uint64(24)  # the same for two whole pictures, which are nearly always worth a look
_NODES = 20  # a side


@compiled
def _least_bits(word: np.uint64, others: Hashes) -> np.uint64:
    """The smallest Hamming distance of a hash to any of the others."""
    smallest = np.uint64(64)
    for other in range(others.shape[0]):
        smallest = min(smallest, bits(word ^ others[other]))
    return smallest


@compiled
def _has_border(frame: Frame) -> bool:
    return bool(frame[0] > 0 or frame[1] > 0 or frame[2] < LUMA_SIDE or frame[3] < LUMA_SIDE)


@compiled
def list_candidates(
    a: Hashes, b: Hashes, frame_a: Frame, frame_b: Frame, lists: Any, seeds: NDArray[np.float64]
) -> int:
    """Fill `seeds`, (14, 6), with warps from a to b; returns how many. lists: `SPANS` and `PROBES` of `windows`."""
    spans, probes = lists
    found = 0
    if bits(a[0] ^ b[0]) <= _UNMOVED_BITS:
        lay_window(spans, 0, 0, seeds[0])
        found = 1
    for probe in probes:
        for way in range(2):
            word, others = (a[probe], b) if way == 0 else (b[probe], a)
            distance = _least_bits(word, others)
            if distance > _LIKE_BITS:
                continue
            window = 0
            while bits(word ^ others[window]) != distance:
                window += 1
            if way == 0:
                lay_window(spans, probe, window, seeds[found])
            else:
                lay_window(spans, window, probe, seeds[found])
            found += 1
    if _has_border(frame_a) or _has_border(frame_b):
        lay_frame(frame_a, frame_b, seeds[found])
        found += 1
    return found


@compiled
def rough_agreement(a: Floats, b: Floats, frame_a: Frame, frame_b: Frame, warp: Warp) -> float:
    """Correlation of the details of what both pictures show, before the alignment; -1 where that is too small.

    The warp has no shear yet.
    """
    left, top, right, bottom = shared_part(warp, frame_a, frame_b)
    if right - left < SMALLEST or bottom - top < SMALLEST:
        return -1.0
    xs, ys = np.empty(_NODES), np.empty(_NODES)
    for node in range(_NODES):
        xs[node] = left + (node + 0.5) * (right - left) / _NODES
        ys[node] = top + (node + 0.5) * (bottom - top) / _NODES
    mine, theirs = np.empty((_NODES, _NODES)), np.empty((_NODES, _NODES))
    lattice(a, xs, ys, mine)
    lattice(b, warp[0] + warp[1] * xs, warp[3] + warp[5] * ys, theirs)
    aa, bb, ab = 0.0, 0.0, 0.0
    for row in range(_NODES):
        for column in range(_NODES):
            v, w = mine[row, column], theirs[row, column]
            aa += v * v
            bb += w * w
            ab += v * w
    return ab / np.sqrt(aa * bb) if aa * bb > 0 else 0.0
