"""The compiled loops of the aligned rule: candidates, the best warp, and how well two pictures agree under it.

A warp is six numbers: x = w[0] + w[1] x' + w[2] y', y = w[3] + w[4] x' + w[5] y', in pixels of the 40 x 40
thumbnails, from the first picture (x', y') to the second. Everything is computed in a fixed order and without fused
or reordered arithmetic, so it comes out the same in any thread and on any machine of one kind.

Numba's cache notices changes of the file of the outermost loop only: whatever these loops call is here, but for the
count of bits. Does not belong here: what is called the same picture (`similarity`), numpy around the loops
(`alignment`).

Imports Numba (0.5 s), so import this module only where pictures are compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_assets.compiling import compiled
from image_assets.fingerprints.luma import LUMA_SIDE
from image_assets.image_groups.hamming import bits

Luma = NDArray[np.uint8]
Floats = NDArray[np.float32]
Places = NDArray[np.float64]
Shown = NDArray[np.bool_]
Warp = NDArray[np.float64]
Frame = NDArray[np.float64]  # left, top, right, bottom of what lies inside the borders, in pixels

# Candidates.
_CANDIDATE_BITS = np.uint64(12)  # of 64 that a window's hash may differ in
_UNMOVED_BITS = np.uint64(24)  # the same for two whole pictures, which are nearly always worth a look
_CANDIDATE_AGREEMENT = 0.3  # correlation of the details before the alignment
_CANDIDATE_NODES = 20  # a side
_REFINED = 2  # candidates at most
_APART = 1.5  # pixels between candidates that lead to different places
_SURE = 0.85  # score at which nothing else is tried

# The warp.
_NODES = 16  # a side, at which the pictures are compared
_STEPS = 6
_SETTLED = 0.06  # pixels
_SKEW = 0.08  # of the scale
_LONGEST = 2.0  # pixels of a step
_LEAST_GAIN = 0.02
_DETAIL_FLOOR, _GREY_FLOOR = 0.02, 0.5  # added to what a node may be off without losing weight
_SCALES = (0.4, 2.5)  # of a side; a cut or a border of half the picture
_SHEAR = 0.15  # 5 degrees of rotation, and the stretch to a square

# Pictures without details.
_EQUAL_BLOCK = 5  # pixels
_UNLIKE = 4.0  # grey values that a block differs by, where the score is 0; that of a copy at JPEG 30 by up to 1.6

# Agreement.
_EDGE = 1.0  # pixels beside the shared part, into which its surroundings have run
_SMALLEST = 12.0  # pixels of a side of the shared part
_PLACES = 32  # a side, at which both pictures are read
_BLOCK = 4  # places; a side of what is forgiven or not
_BLOCKS = _PLACES // _BLOCK
_REACH = 3  # places around one, whose mean is taken off
_SPREAD_REACH = 4  # places around one, whose mean detail it is measured by
_NOISE = 1.5  # grey values; details below are noise
_TURNING = 1.0  # grey values a place, in the direction in which a block that says anything changes less
_FORGIVEN = 5  # one block of so many
_FITS = 2
_FEW_BLOCKS = 8.0
_PLAIN_SHARE = 0.45
_PLAIN_WEIGHT = 4.0


def _read_between(image: Floats, x: float, y: float) -> float:
    x, y = min(max(x - 0.5, 0.0), LUMA_SIDE - 1.001), min(max(y - 0.5, 0.0), LUMA_SIDE - 1.001)
    i, j = int(y), int(x)
    across, down = x - j, y - i
    above = image[i, j] + across * (image[i, j + 1] - image[i, j])
    below = image[i + 1, j] + across * (image[i + 1, j + 1] - image[i + 1, j])
    value: float = above + down * (below - above)
    return value


bilinear = compiled(_read_between)
"""The value of (40, 40) at x and y in pixels, between the middles of its pixels; beyond the edge, the edge's."""


def _both_show(warp: Warp, frame_a: Frame, frame_b: Frame) -> tuple[float, float, float, float]:
    left, top, right, bottom = frame_a[0], frame_a[1], frame_a[2], frame_a[3]
    for _ in range(2):  # the second time, where the shear moves the middle of the shared part
        x = warp[0] + warp[2] * (top + bottom) / 2
        y = warp[3] + warp[4] * (left + right) / 2
        left, right = max(frame_a[0], (frame_b[0] - x) / warp[1]), min(frame_a[2], (frame_b[2] - x) / warp[1])
        top, bottom = max(frame_a[1], (frame_b[1] - y) / warp[5]), min(frame_a[3], (frame_b[3] - y) / warp[5])
    # What lies beside the shared part in one of the pictures has run into its edge.
    beside_x, beside_y = _EDGE * max(1.0, 1 / warp[1]), _EDGE * max(1.0, 1 / warp[5])
    return left + beside_x, top + beside_y, right - beside_x, bottom - beside_y


shared_part = compiled(_both_show)
"""Left, top, right, bottom of the part of the first picture, inside its borders, that the second shows too."""


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


def _has_border(frame: Frame) -> bool:
    return bool(frame[0] > 0 or frame[1] > 0 or frame[2] < LUMA_SIDE or frame[3] < LUMA_SIDE)


_framed = compiled(_has_border)


def _between_frames(frame: Frame, other: Frame, warp: Warp) -> None:
    """The warp that lays what is inside the borders of one picture on that of another."""
    for axis in range(2):
        scale = (other[axis + 2] - other[axis]) / (frame[axis + 2] - frame[axis])
        warp[3 * axis] = other[axis] - scale * frame[axis]
        warp[3 * axis + 1] = scale if axis == 0 else 0.0
        warp[3 * axis + 2] = scale if axis == 1 else 0.0


_lay_frame = compiled(_between_frames)


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


def _detail_correlation(a: Floats, b: Floats, frame_a: Frame, frame_b: Frame, warp: Warp) -> float:
    """Correlation of the details of what both show, before the alignment."""
    left, top, right, bottom = shared_part(warp, frame_a, frame_b)
    if right - left < _SMALLEST or bottom - top < _SMALLEST:
        return -1.0
    aa, bb, ab = 0.0, 0.0, 0.0
    for row in range(_CANDIDATE_NODES):
        y = top + (row + 0.5) * (bottom - top) / _CANDIDATE_NODES
        for column in range(_CANDIDATE_NODES):
            x = left + (column + 0.5) * (right - left) / _CANDIDATE_NODES
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


def _refine_warp(a: Floats, b: Floats, frame_a: Frame, frame_b: Frame, warp: Warp, floor: float) -> bool:
    """Move `warp` to where a = gain * b(warp) + offset fits best; false when it leaves what an edit can do."""
    half = LUMA_SIDE / 2
    matrix, step, slope = np.empty((8, 8)), np.empty(8), np.empty(8)
    gain, offset, tolerance = 1.0, 0.0, 0.0
    for turn in range(_STEPS):
        left, top, right, bottom = shared_part(warp, frame_a, frame_b)
        middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
        matrix[:] = 0.0
        step[:] = 0.0
        errors, nodes = 0.0, 0
        for row in range(_NODES):
            y = top + (row + 0.5) * (bottom - top) / _NODES
            for column in range(_NODES):
                x = left + (column + 0.5) * (right - left) / _NODES
                u, v = warp[0] + warp[1] * x + warp[2] * y, warp[3] + warp[4] * x + warp[5] * y
                if u < frame_b[0] or v < frame_b[1] or u > frame_b[2] or v > frame_b[3]:
                    continue
                u, v = min(max(u - 0.5, 0.0), LUMA_SIDE - 1.001), min(max(v - 0.5, 0.0), LUMA_SIDE - 1.001)
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
            matrix[p, p] = matrix[p, p] * 1.001 + 1e-5 * nodes
        matrix[7, 7] += 1e-9
        if not _solve(matrix, step):
            return False
        gain, offset = step[6], step[7]
        if gain <= _LEAST_GAIN:
            return False
        tolerance = 2.0 * errors / nodes + floor if turn > 0 else 0.0
        longest = 0.0
        for p in range(6):
            longest = max(longest, abs(step[p] / gain))
        shorten = (_LONGEST / longest if longest > _LONGEST else 1.0) / gain
        for axis in range(2):
            shift = step[3 * axis] * shorten
            du, dv = step[3 * axis + 1] * shorten / half, step[3 * axis + 2] * shorten / half
            warp[3 * axis] += shift - du * middle_x - dv * middle_y
            warp[3 * axis + 1] += du
            warp[3 * axis + 2] += dv
        if not (_SCALES[0] < warp[1] < _SCALES[1] and _SCALES[0] < warp[5] < _SCALES[1]):
            return False
        if abs(warp[2]) > _SHEAR or abs(warp[4]) > _SHEAR:
            return False
        if longest < _SETTLED:
            break
    # A rotation shears the two axes against each other; what shears one alone is no edit of a picture.
    return bool(abs(warp[2] + warp[4]) <= _SKEW * np.sqrt(warp[1] * warp[5]))


_refine = compiled(_refine_warp)


def _neighbourhood_means(values: Places, shown: Shown, reach_y: int, reach_x: int, symmetric: bool) -> Places:
    """The means of the shown values up to `reach` places away, from sums over all above and left of a place.

    symmetric: as many places on either side, so fewer near an edge: the mean of an even ramp is the value itself.
    """
    sums = np.zeros((_PLACES + 1, _PLACES + 1))
    counts = np.zeros((_PLACES + 1, _PLACES + 1))
    for y in range(_PLACES):
        row, seen = 0.0, 0.0
        for x in range(_PLACES):
            if shown[y, x]:
                row += values[y, x]
                seen += 1.0
            sums[y + 1, x + 1] = sums[y, x + 1] + row
            counts[y + 1, x + 1] = counts[y, x + 1] + seen
    means = np.zeros((_PLACES, _PLACES))
    for y in range(_PLACES):
        up = min(reach_y, y, _PLACES - 1 - y) if symmetric else reach_y
        top, bottom = max(0, y - up), min(_PLACES, y + up + 1)
        for x in range(_PLACES):
            aside = min(reach_x, x, _PLACES - 1 - x) if symmetric else reach_x
            left, right = max(0, x - aside), min(_PLACES, x + aside + 1)
            count = counts[bottom, right] - counts[top, right] - counts[bottom, left] + counts[top, left]
            if count > 0:
                means[y, x] = (sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]) / count
    return means


_means = compiled(_neighbourhood_means)


def _even_details(values: Places, shown: Shown) -> Places:
    """What neither rows nor columns nor ramps explain, by its mean size in the neighbourhood."""
    details = values - _means(values, shown, 0, _REACH, True) - _means(values, shown, _REACH, 0, True)
    details += _means(values, shown, _REACH, _REACH, True)
    evened: Places = details / (_means(np.abs(details), shown, _SPREAD_REACH, _SPREAD_REACH, False) + _NOISE)
    return evened


_details = compiled(_even_details)


def _correlation_of(a: Places, b: Places, kept: Shown) -> float:
    """Of values that have no mean."""
    aa, bb, ab = 0.0, 0.0, 0.0
    for y in range(_PLACES):
        for x in range(_PLACES):
            if kept[y, x]:
                aa += a[y, x] * a[y, x]
                bb += b[y, x] * b[y, x]
                ab += a[y, x] * b[y, x]
    correlation: float = ab / np.sqrt(aa * bb) if aa > 0 and bb > 0 else 0.0
    return correlation


_correlate = compiled(_correlation_of)


def _standardised(values: Places, kept: Shown) -> Places:
    """Less the mean and by the standard deviation of the kept places."""
    count, total, squares = 0, 0.0, 0.0
    for y in range(_PLACES):
        for x in range(_PLACES):
            if kept[y, x]:
                count += 1
                total += values[y, x]
                squares += values[y, x] * values[y, x]
    mean = total / max(1, count)
    standardised: Places = (values - mean) / np.sqrt(max(squares / max(1, count) - mean * mean, 1e-6))
    return standardised


_standard = compiled(_standardised)


def _plain_share(luma: Luma, left: float, top: float, right: float, bottom: float) -> float:
    """The share of a part's pixels in the five neighbouring grey values that most of them have."""
    counts = np.zeros(260, dtype=np.int64)
    pixels = 0
    for y in range(max(0, int(top + 0.5)), min(LUMA_SIDE, int(bottom + 0.5))):
        for x in range(max(0, int(left + 0.5)), min(LUMA_SIDE, int(right + 0.5))):
            counts[luma[y, x] + 2] += 1
            pixels += 1
    most, window = 0, counts[0] + counts[1] + counts[2] + counts[3]
    for grey in range(4, 260):
        window += counts[grey]
        most = max(most, window)
        window -= counts[grey - 4]
    share: float = most / max(1, pixels)
    return share


_plain = compiled(_plain_share)


def _mark_corners(values: Places, shown: Shown, corners: Shown) -> None:
    """Mark the blocks in which the brightness changes in two directions: the smaller eigenvalue of their gradients."""
    for block in range(_BLOCKS * _BLOCKS):
        top, left = block // _BLOCKS * _BLOCK, block % _BLOCKS * _BLOCK
        across, down, both, places = 0.0, 0.0, 0.0, 0
        for y in range(max(1, top), min(_PLACES - 1, top + _BLOCK)):
            for x in range(max(1, left), min(_PLACES - 1, left + _BLOCK)):
                if shown[y, x]:
                    dx, dy = (values[y, x + 1] - values[y, x - 1]) / 2, (values[y + 1, x] - values[y - 1, x]) / 2
                    across += dx * dx
                    down += dy * dy
                    both += dx * dy
                    places += 1
        weaker = (across + down) / 2 - np.sqrt((across - down) ** 2 / 4 + both * both)
        if weaker > _TURNING**2 * places:
            corners[top : top + _BLOCK, left : left + _BLOCK] = True


_corners = compiled(_mark_corners)


def _without_worst(a: Places, b: Places, shown: Shown, forgiven: int) -> Shown:
    """`shown` without the blocks whose brightness differs most once means and spreads of the rest are the same."""
    kept = shown.copy()
    misfits = np.empty(_BLOCKS * _BLOCKS)
    for _ in range(_FITS):
        errors = (_standard(a, kept) - _standard(b, kept)) ** 2 * shown
        for block in range(_BLOCKS * _BLOCKS):
            y, x = block // _BLOCKS * _BLOCK, block % _BLOCKS * _BLOCK
            misfits[block] = errors[y : y + _BLOCK, x : x + _BLOCK].sum()
        largest = np.sort(misfits)[_BLOCKS * _BLOCKS - 1 - forgiven]
        for block in range(_BLOCKS * _BLOCKS):
            y, x = block // _BLOCKS * _BLOCK, block % _BLOCKS * _BLOCK
            if misfits[block] <= largest:
                kept[y : y + _BLOCK, x : x + _BLOCK] = shown[y : y + _BLOCK, x : x + _BLOCK]
            else:
                kept[y : y + _BLOCK, x : x + _BLOCK] = False
    return kept


_without = compiled(_without_worst)


def _agreement(luma_a: Luma, luma_b: Luma, a: Floats, b: Floats, frame_a: Frame, frame_b: Frame, warp: Warp) -> float:
    """The score of two smoothed pictures, 0 to 1, under a warp."""
    left, top, right, bottom = shared_part(warp, frame_a, frame_b)
    if right - left < _SMALLEST or bottom - top < _SMALLEST:
        return 0.0
    mine, theirs = np.zeros((_PLACES, _PLACES)), np.zeros((_PLACES, _PLACES))
    shown = np.ones((_PLACES, _PLACES), dtype=np.bool_)
    for row in range(_PLACES):
        y = top + (row + 0.5) * (bottom - top) / _PLACES
        for column in range(_PLACES):
            x = left + (column + 0.5) * (right - left) / _PLACES
            u, v = warp[0] + warp[1] * x + warp[2] * y, warp[3] + warp[4] * x + warp[5] * y
            # The corners that a rotation turns out of the picture.
            inside = frame_b[0] - 0.3 <= u <= frame_b[2] + 0.3 and frame_b[1] - 0.3 <= v <= frame_b[3] + 0.3
            shown[row, column] = inside
            mine[row, column] = bilinear(a, x, y)
            theirs[row, column] = bilinear(b, u, v)
    details_a, details_b = _details(mine, shown), _details(theirs, shown)
    plain = min(
        _plain(luma_a, left, top, right, bottom),
        _plain(
            luma_b,
            warp[0] + warp[1] * left,
            warp[3] + warp[5] * top,
            warp[0] + warp[1] * right,
            warp[3] + warp[5] * bottom,
        ),
    )
    corners = np.zeros((_PLACES, _PLACES), dtype=np.bool_)
    _corners(mine, shown, corners)
    _corners(theirs, shown, corners)
    informative = corners.sum() // _BLOCK**2
    # On a plain ground (logos, plans) the few lines are all there is: none of them is forgiven.
    forgiven = informative // _FORGIVEN if plain < _PLAIN_SHARE else 0
    told = shown & corners
    kept = _without(mine, theirs, told, forgiven) if forgiven > 0 else told
    misfit = 1.0 - _correlate(details_a, details_b, kept)
    # Little that agrees proves little: such pictures must agree better.
    misfit *= 1.0 + _FEW_BLOCKS / max(1, informative)
    misfit *= 1.0 + _PLAIN_WEIGHT * max(0.0, plain - _PLAIN_SHARE)
    score: float = max(0.0, 1.0 - misfit)
    return score


agreement = compiled(_agreement)


def _nearly_equal(a: Luma, b: Luma) -> float:
    """A score from the mean difference of the most different block, without gain, offset or warp."""
    largest = 0.0
    for block in range((LUMA_SIDE // _EQUAL_BLOCK) ** 2):
        top = block // (LUMA_SIDE // _EQUAL_BLOCK) * _EQUAL_BLOCK
        left = block % (LUMA_SIDE // _EQUAL_BLOCK) * _EQUAL_BLOCK
        total = 0.0
        for y in range(top, top + _EQUAL_BLOCK):
            for x in range(left, left + _EQUAL_BLOCK):
                total += abs(float(a[y, x]) - float(b[y, x]))
        largest = max(largest, total / _EQUAL_BLOCK**2)
        if largest > _UNLIKE:
            return 0.0
    return 1.0 - largest / _UNLIKE


_equal = compiled(_nearly_equal)


def _compare_pair(
    a: Any,
    b: Any,
    lists: Any,
    warp: Warp,
) -> float:
    """The score of two pictures (luma, smooth, details, hashes, frame), and in `warp` how `a` lies on `b`."""
    luma_a, smooth_a, details_a, hashes_a, frame_a = a
    luma_b, smooth_b, details_b, hashes_b, frame_b = b
    seeds = np.empty((2 * lists[1].shape[0] + 2, 6))
    found = _candidates(hashes_a, hashes_b, lists, seeds)
    if _framed(frame_a) or _framed(frame_b):
        _lay_frame(frame_a, frame_b, seeds[found])
        found += 1
    best: float = _equal(luma_a, luma_b)
    if best > 0:
        _lay_window(lists[0], 0, 0, warp)
    agreements = np.empty(found)
    for seed in range(found):
        agreements[seed] = _coarse(details_a, details_b, frame_a, frame_b, seeds[seed])
    tried = np.empty(6)
    for _ in range(min(found, _REFINED)):
        seed = int(np.argmax(agreements))
        if agreements[seed] < _CANDIDATE_AGREEMENT:
            break
        for other in range(found):
            distance = 0.0
            for k in range(6):
                distance = max(distance, abs(seeds[other, k] - seeds[seed, k]) * (1.0 if k % 3 == 0 else LUMA_SIDE / 2))
            if distance < _APART:
                agreements[other] = -2.0
        tried[:] = seeds[seed]
        # Near the edge of a part that is shown smaller, details differ with the scale; the brightness does not.
        if _refine(details_a, details_b, frame_a, frame_b, tried, _DETAIL_FLOOR):
            score = agreement(luma_a, luma_b, smooth_a, smooth_b, frame_a, frame_b, tried)
            if score > best:
                best = score
                warp[:] = tried
            if score <= _SURE and _refine(smooth_a, smooth_b, frame_a, frame_b, tried, _GREY_FLOOR):
                score = agreement(luma_a, luma_b, smooth_a, smooth_b, frame_a, frame_b, tried)
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
        scores[pair] = _pair(first, second, lists, warps[pair])
        if mirrored_too and scores[pair] <= _SURE:
            first = (turned_luma[a], turned_smooth[a], turned_details[a], turned_hashes[a], turned_frames[a])
            score = _pair(first, second, lists, warp)
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


compare_listed = compiled(_compare_all)
"""Fill scores, warps and mirrored of `alignment.align_pairs`."""
