"""The aligned rule: lay two thumbnails on each other where they agree best, and say how well they agree there.

Three steps for a pair. Candidates: windows of one picture whose hash is near the hash of a large part of the other
(`windows`), both ways round; those whose details agree at all are kept. Alignment: the best of them are refined to the
affine map, with gain and offset of the brightness, that leaves the smallest weighted squares (Lucas and Kanade, "An
iterative image registration technique", IJCAI 1981; weights after each step forgive what does not fit). Verification:
`agreement` compares what both show.

A pair is computed in an order that depends on its thumbnails alone, so both orders give the same score.

Imports Numba (0.5 s), so import this module only where pictures are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_assets.compiling import compiled
from image_assets.fingerprints.luma import LUMA_SIDE
from image_assets.image_groups.agreement import agreement, bilinear, shared_part
from image_assets.image_groups.hamming import bits
from image_assets.image_groups.similarity import Match, Policy, Window
from image_assets.image_groups.windows import PROBES, SPANS, window_hashes

Floats = NDArray[np.float32]
Warp = NDArray[np.float64]
"""Six numbers: x = w[0] + w[1] x' + w[2] y', y = w[3] + w[4] x' + w[5] y', in pixels of the thumbnails."""

_CANDIDATE_BITS = np.uint64(12)  # of 64 that two windows of one picture differ in at most
_UNMOVED_BITS = np.uint64(24)  # the same for two whole pictures, which are always worth a look
_CANDIDATE_AGREEMENT = 0.3  # correlation of the details before the alignment
_REFINED = 2  # candidates that are refined at most
_SURE = 0.9  # score at which no other candidate is tried
_NODES = 16  # a side, at which an alignment is measured
_STEPS = 6
_SETTLED = 0.06  # pixels


@dataclass(frozen=True, eq=False)
class Pictures:
    """What comparing needs of n thumbnails: (n, 40, 40) as they are, smoothed, and their details; (n, 1849) hashes."""

    luma: NDArray[np.uint8]
    smooth: Floats
    details: Floats
    hashes: NDArray[np.uint64]
    mirrored: Pictures | None

    def __len__(self) -> int:
        return len(self.luma)


def describe(luma: NDArray[np.uint8], mirrored: bool = False) -> Pictures:
    """Prepare thumbnails, (n, 40, 40) uint8, for `align_pairs`; 34 kB a picture, twice that for mirrored ones."""
    luma = np.ascontiguousarray(luma)
    smooth = _averaged(luma.astype(np.float32), 1)
    return Pictures(
        luma=luma,
        smooth=smooth,
        details=smooth - _averaged(_averaged(smooth, 3), 3),
        hashes=window_hashes(luma),
        mirrored=describe(luma[:, :, ::-1]) if mirrored else None,
    )


def _averaged(images: Floats, reach: int) -> Floats:
    """Weighted means of the neighbours up to `reach` pixels away, the weights falling evenly; edges are repeated."""
    weights = np.concatenate([np.arange(1, reach + 2), np.arange(reach, 0, -1)]).astype(np.float32) / (reach + 1) ** 2
    side = images.shape[1]
    padded = np.pad(images, ((0, 0), (reach, reach), (0, 0)), mode="edge")
    down = sum(weight * padded[:, shift : shift + side] for shift, weight in enumerate(weights))
    padded = np.pad(down, ((0, 0), (0, 0), (reach, reach)), mode="edge")
    across: Floats = sum(weight * padded[:, :, shift : shift + side] for shift, weight in enumerate(weights))
    return across


@dataclass(frozen=True, eq=False)
class Alignments:
    """For each of m pairs: score (m,), warp from the first to the second (m, 6), whether the first is mirrored (m,)."""

    scores: NDArray[np.float64]
    warps: NDArray[np.float64]
    mirrored: NDArray[np.bool_]

    def window(self, pair: int) -> Window:
        """The part of the second picture that the first shows, as fractions of the second."""
        warp = self.warps[pair]
        corners = np.array([(1.0, x, y) for x in (0.0, LUMA_SIDE) for y in (0.0, LUMA_SIDE)])
        x, y = corners @ warp[:3] / LUMA_SIDE, corners @ warp[3:] / LUMA_SIDE
        # The middles of the two corners of a side: a small rotation leaves the window as large as it is.
        left, right = sorted((float(x[:2].mean()), float(x[2:].mean())))
        top, bottom = float(y[::2].mean()), float(y[1::2].mean())
        return (max(0.0, left), max(0.0, top), min(1.0, right), min(1.0, bottom))

    def match(self, pair: int, policy: Policy) -> Match:
        """The verdict on a pair."""
        same = bool(self.scores[pair] > policy.threshold)
        return Match(
            same=same,
            score=float(self.scores[pair]),
            window=self.window(pair) if same else None,
            mirrored=same and bool(self.mirrored[pair]),
        )


def align_pairs(pictures: Pictures, pairs: NDArray[np.int64]) -> Alignments:
    """Compare pictures pair by pair on one thread; pairs: (m, 2) indices into `pictures`.

    Without a candidate the score is 0. Mirrored pictures are looked for when they were described.
    """
    pairs = np.ascontiguousarray(pairs, dtype=np.int64).reshape(-1, 2)
    scores, warps = np.zeros(len(pairs)), np.zeros((len(pairs), 6))
    mirrored = np.zeros(len(pairs), dtype=np.bool_)
    turned = pictures.mirrored or pictures
    _compare_listed(
        (pictures.luma, pictures.smooth, pictures.details, pictures.hashes),
        (turned.smooth, turned.details, turned.hashes),
        pictures.mirrored is not None,
        pairs,
        (SPANS, PROBES),
        scores,
        warps,
        mirrored,
    )
    return Alignments(scores, warps, mirrored)


def _between(spans: NDArray[np.int32], window: int, other: int, warp: Warp) -> None:
    """The warp that lays one window on another."""
    count = spans.shape[0]
    for axis in range(2):
        mine, theirs = (window // count, other // count) if axis == 0 else (window % count, other % count)
        scale = (spans[theirs, 1] - spans[theirs, 0]) / (spans[mine, 1] - spans[mine, 0])
        warp[3 * axis] = spans[theirs, 0] - scale * spans[mine, 0]
        warp[3 * axis + 1] = scale if axis == 0 else 0.0
        warp[3 * axis + 2] = scale if axis == 1 else 0.0


_lay_window = compiled(_between)


def _least_bits(word: np.uint64, others: NDArray[np.uint64]) -> np.uint64:
    smallest = np.uint64(64)
    for other in range(others.shape[0]):
        smallest = min(smallest, bits(word ^ others[other]))
    return smallest


_least = compiled(_least_bits)


def _list_candidates(a: NDArray[np.uint64], b: NDArray[np.uint64], lists: Any, seeds: NDArray[np.float64]) -> int:
    """Fill `seeds` with warps from a to b; returns how many."""
    spans, probes = lists
    found = 0
    if bits(a[0] ^ b[0]) <= _UNMOVED_BITS:
        _lay_window(spans, 0, 0, seeds[0])
        found = 1
    for probe in probes:
        for way in range(2):
            word, others = (a[probe], b) if way == 0 else (b[probe], a)
            distance = _least(word, others)
            if distance > _CANDIDATE_BITS:
                continue
            window = 0
            while bits(word ^ others[window]) != distance:
                window += 1
            if way == 0:
                _lay_window(spans, probe, window, seeds[found])
            else:
                _lay_window(spans, window, probe, seeds[found])
            found += 1
    return found


_candidates = compiled(_list_candidates)


def _detail_correlation(a: Floats, b: Floats, warp: Warp) -> float:
    """Correlation of the details of what both show, before the alignment."""
    left, top, right, bottom = shared_part(warp)
    if right - left < 12 or bottom - top < 12:
        return -1.0
    aa, bb, ab = 0.0, 0.0, 0.0
    for row in range(20):
        y = top + (row + 0.5) * (bottom - top) / 20
        for column in range(20):
            x = left + (column + 0.5) * (right - left) / 20
            v = bilinear(a, x, y)
            w = bilinear(b, warp[0] + warp[1] * x + warp[2] * y, warp[3] + warp[4] * x + warp[5] * y)
            aa += v * v
            bb += w * w
            ab += v * w
    return ab / np.sqrt(aa * bb) if aa * bb > 0 else 0.0


_coarse = compiled(_detail_correlation)


def _solve_in_place(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> bool:
    """Cholesky's method on the lower half of a symmetric matrix; false when it is not positive definite."""
    size = vector.shape[0]
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= matrix[i, k] * matrix[j, k]
            if i > j:
                matrix[i, j] = rest / matrix[j, j]
            elif rest > 1e-9:
                matrix[i, i] = np.sqrt(rest)
            else:
                return False
    for i in range(size):
        for k in range(i):
            vector[i] -= matrix[i, k] * vector[k]
        vector[i] /= matrix[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            vector[i] -= matrix[k, i] * vector[k]
        vector[i] /= matrix[i, i]
    return True


_solve = compiled(_solve_in_place)


def _refine_warp(a: Floats, b: Floats, warp: Warp) -> bool:
    """Move `warp` to where a = gain * b(warp) + offset fits best; false when it leaves what an edit can do."""
    left, top, right, bottom = shared_part(warp)
    middle_x, middle_y, half = (left + right) / 2, (top + bottom) / 2, LUMA_SIDE / 2
    matrix, step, slope = np.empty((8, 8)), np.empty(8), np.empty(8)
    gain, offset, tolerance = 1.0, 0.0, 0.0
    for turn in range(_STEPS):
        matrix[:] = 0.0
        step[:] = 0.0
        errors, nodes = 0.0, 0
        for row in range(_NODES):
            y = top + (row + 0.5) * (bottom - top) / _NODES
            for column in range(_NODES):
                x = left + (column + 0.5) * (right - left) / _NODES
                u = warp[0] + warp[1] * x + warp[2] * y - 0.5
                v = warp[3] + warp[4] * x + warp[5] * y - 0.5
                if u < -0.5 or v < -0.5 or u > LUMA_SIDE - 0.5 or v > LUMA_SIDE - 0.5:
                    continue
                u, v = min(max(u, 0.0), LUMA_SIDE - 1.001), min(max(v, 0.0), LUMA_SIDE - 1.001)
                i, j = int(v), int(u)
                down, across = v - i, u - j
                above = b[i, j] + across * (b[i, j + 1] - b[i, j])
                below = b[i + 1, j] + across * (b[i + 1, j + 1] - b[i + 1, j])
                value = above + down * (below - above)
                rise_x = (1 - down) * (b[i, j + 1] - b[i, j]) + down * (b[i + 1, j + 1] - b[i + 1, j])
                rise_y = below - above
                target = bilinear(a, x, y)
                weight = 1.0
                if turn > 0:
                    error = target - gain * value - offset
                    errors += abs(error)
                    if tolerance > 0:
                        share = error / tolerance
                        weight = 1.0 / (1.0 + share * share)
                        weight *= weight
                nodes += 1
                du, dv = (x - middle_x) / half, (y - middle_y) / half
                slope[0], slope[1], slope[2] = rise_x, rise_x * du, rise_x * dv
                slope[3], slope[4], slope[5] = rise_y, rise_y * du, rise_y * dv
                slope[6], slope[7] = value, 1.0
                for p in range(8):
                    weighted = weight * slope[p]
                    step[p] += weighted * target
                    for q in range(p + 1):
                        matrix[p, q] += weighted * slope[q]
        if nodes < _NODES * _NODES // 2:
            return False
        for p in range(6):  # Levenberg's damping: flat pictures shall not run away
            matrix[p, p] = matrix[p, p] * 1.001 + 1e-3 * nodes
        matrix[7, 7] += 1e-9
        if not _solve(matrix, step):
            return False
        gain, offset = step[6], step[7]
        if gain <= 0.02:
            return False
        tolerance = 2.0 * errors / nodes + 0.5 if turn > 0 else 0.0
        longest = 0.0
        for p in range(6):
            longest = max(longest, abs(step[p] / gain))
        shorten = (2.0 / longest if longest > 2.0 else 1.0) / gain
        for axis in range(2):
            shift = step[3 * axis] * shorten
            du, dv = step[3 * axis + 1] * shorten / half, step[3 * axis + 2] * shorten / half
            warp[3 * axis] += shift - du * middle_x - dv * middle_y
            warp[3 * axis + 1] += du
            warp[3 * axis + 2] += dv
        if not (0.35 < warp[1] < 2.9 and 0.35 < warp[5] < 2.9 and abs(warp[2]) < 0.15 and abs(warp[4]) < 0.15):
            return False
        if longest < _SETTLED:
            break
    return True


_refine = compiled(_refine_warp)


def _compare_pair(
    smooth_a: Floats,
    smooth_b: Floats,
    details_a: Floats,
    details_b: Floats,
    hashes_a: NDArray[np.uint64],
    hashes_b: NDArray[np.uint64],
    lists: Any,
    warp: Warp,
) -> float:
    """The score of a pair, and in `warp` how a lies on b."""
    seeds = np.empty((2 * lists[1].shape[0] + 1, 6))
    found = _candidates(hashes_a, hashes_b, lists, seeds)
    agreements = np.empty(found)
    for seed in range(found):
        agreements[seed] = _coarse(details_a, details_b, seeds[seed])
    best = 0.0
    tried = np.empty(6)
    for _ in range(min(found, _REFINED)):
        seed = int(np.argmax(agreements))
        if agreements[seed] < _CANDIDATE_AGREEMENT:
            break
        # Seeds that lie within a pixel and a half of this one lead to the same place.
        for other in range(found):
            distance = 0.0
            for k in range(6):
                distance = max(distance, abs(seeds[other, k] - seeds[seed, k]) * (1.0 if k % 3 == 0 else LUMA_SIDE / 2))
            if distance < 1.5:
                agreements[other] = -2.0
        tried[:] = seeds[seed]
        if _refine(smooth_a, smooth_b, tried):
            score = agreement(smooth_a, smooth_b, tried)
            if score > best:
                best = score
                warp[:] = tried
        if best > _SURE:
            break
    return best


_pair = compiled(_compare_pair)


def _first_in_order(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> int:
    """-1, 0 or 1 as `a` comes before, equals or comes after `b`, pixel by pixel."""
    for y in range(a.shape[0]):
        for x in range(a.shape[1]):
            if a[y, x] != b[y, x]:
                return -1 if a[y, x] < b[y, x] else 1
    return 0


_order = compiled(_first_in_order)


def _invert_warp(warp: Warp) -> None:
    a, b, c, d = warp[1], warp[2], warp[4], warp[5]
    x, y, area = warp[0], warp[3], warp[1] * warp[5] - warp[2] * warp[4]
    warp[1], warp[2], warp[4], warp[5] = d / area, -b / area, -c / area, a / area
    warp[0] = -(warp[1] * x + warp[2] * y)
    warp[3] = -(warp[4] * x + warp[5] * y)


_invert = compiled(_invert_warp)


def _compare_all(
    pictures: Any,
    turned: Any,
    mirrored_too: bool,
    pairs: NDArray[np.int64],
    lists: Any,
    scores: NDArray[np.float64],
    warps: NDArray[np.float64],
    mirrored: NDArray[np.bool_],
) -> None:
    luma, smooth, details, hashes = pictures
    turned_smooth, turned_details, turned_hashes = turned
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
        scores[pair] = _pair(smooth[a], smooth[b], details[a], details[b], hashes[a], hashes[b], lists, warps[pair])
        if mirrored_too and scores[pair] <= _SURE:
            score = _pair(
                turned_smooth[a], smooth[b], turned_details[a], details[b], turned_hashes[a], hashes[b], lists, warp
            )
            if score > scores[pair]:
                scores[pair] = score
                mirrored[pair] = True
                # From the picture as it is, not from its mirror image.
                warps[pair] = warp
                for axis in range(2):
                    warps[pair, 3 * axis] += warp[3 * axis + 1] * LUMA_SIDE
                    warps[pair, 3 * axis + 1] = -warp[3 * axis + 1]
        if order > 0 and scores[pair] > 0:
            _invert(warps[pair])


_compare_listed = compiled(_compare_all)
