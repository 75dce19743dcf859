"""How well two thumbnails agree where one is laid on the other: the score of the aligned rule.

Both pictures are read at the same 32 x 32 places of what they share. The fifth of the 4 x 4 blocks that fits worst is
left out, for a watermark, a banner or a badge covers a part of a copy. Of the rest, the brightness is correlated, and
so are the details: the brightness less its mean in the neighbourhood. Any two photographs of bright ceilings and dark
floors agree in brightness; hardly any two agree in their details. The score is the mean of the two correlations.

Imports Numba (0.5 s), so import this module only where pictures are compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from image_assets.compiling import compiled
from image_assets.fingerprints.luma import LUMA_SIDE

Floats = NDArray[np.float32]

_PLACES = 32
_BLOCK = 4
_BLOCKS = _PLACES // _BLOCK
_KEPT_BLOCKS = _BLOCKS * _BLOCKS - _BLOCKS * _BLOCKS // 5
_REACH = 2  # places around one that count as its neighbourhood
_FITS = 2


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


def _both_show(warp: NDArray[np.float64]) -> tuple[float, float, float, float]:
    left, top, right, bottom = 0.0, 0.0, 1.0 * LUMA_SIDE, 1.0 * LUMA_SIDE
    for _ in range(2):  # the second time, where the shear moves the middle of the shared part
        x = warp[0] + warp[2] * (top + bottom) / 2
        y = warp[3] + warp[4] * (left + right) / 2
        left, right = max(0.0, -x / warp[1]), min(1.0 * LUMA_SIDE, (LUMA_SIDE - x) / warp[1])
        top, bottom = max(0.0, -y / warp[5]), min(1.0 * LUMA_SIDE, (LUMA_SIDE - y) / warp[5])
    return left, top, right, bottom


shared_part = compiled(_both_show)
"""Left, top, right, bottom of the part of the first picture that the second shows too, given the warp."""


def _moments(
    a: NDArray[np.float64], b: NDArray[np.float64], kept: NDArray[np.bool_]
) -> tuple[float, float, float, float, float]:
    """Correlation, means and standard deviations of the kept places."""
    count, sum_a, sum_b = 0, 0.0, 0.0
    for y in range(_PLACES):
        for x in range(_PLACES):
            if kept[y, x]:
                count += 1
                sum_a += a[y, x]
                sum_b += b[y, x]
    if count == 0:
        return 0.0, 0.0, 0.0, 1.0, 1.0
    mean_a, mean_b = sum_a / count, sum_b / count
    aa, bb, ab = 0.0, 0.0, 0.0
    for y in range(_PLACES):
        for x in range(_PLACES):
            if kept[y, x]:
                da, db = a[y, x] - mean_a, b[y, x] - mean_b
                aa += da * da
                bb += db * db
                ab += da * db
    # A picture without any structure agrees with nothing.
    correlation = ab / np.sqrt(aa * bb) if aa > 0 and bb > 0 else 0.0
    return correlation, mean_a, mean_b, np.sqrt(max(aa / count, 1e-9)), np.sqrt(max(bb / count, 1e-9))


_correlate = compiled(_moments)


def _less_neighbourhood(values: NDArray[np.float64], shown: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The values less the mean of the shown ones around each."""
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
    details = np.zeros((_PLACES, _PLACES))
    for y in range(_PLACES):
        top, bottom = max(0, y - _REACH), min(_PLACES, y + _REACH + 1)
        for x in range(_PLACES):
            if shown[y, x]:
                left, right = max(0, x - _REACH), min(_PLACES, x + _REACH + 1)
                total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
                count = counts[bottom, right] - counts[top, right] - counts[bottom, left] + counts[top, left]
                details[y, x] = values[y, x] - total / count
    return details


_details = compiled(_less_neighbourhood)


def _score(a: Floats, b: Floats, warp: NDArray[np.float64]) -> float:
    left, top, right, bottom = shared_part(warp)
    if right - left < 12 or bottom - top < 12:
        return 0.0
    mine, theirs = np.zeros((_PLACES, _PLACES)), np.zeros((_PLACES, _PLACES))
    shown = np.ones((_PLACES, _PLACES), dtype=np.bool_)
    for row in range(_PLACES):
        y = top + (row + 0.5) * (bottom - top) / _PLACES
        for column in range(_PLACES):
            x = left + (column + 0.5) * (right - left) / _PLACES
            u, v = warp[0] + warp[1] * x + warp[2] * y, warp[3] + warp[4] * x + warp[5] * y
            if u < -0.3 or v < -0.3 or u > LUMA_SIDE + 0.3 or v > LUMA_SIDE + 0.3:
                shown[row, column] = False
            mine[row, column] = bilinear(a, x, y)
            theirs[row, column] = bilinear(b, u, v)
    kept = shown.copy()
    correlation, mean_a, mean_b, spread_a, spread_b = _correlate(mine, theirs, kept)
    misfits = np.empty(_BLOCKS * _BLOCKS)
    for _ in range(_FITS):
        for block in range(_BLOCKS * _BLOCKS):
            y0, x0 = block // _BLOCKS * _BLOCK, block % _BLOCKS * _BLOCK
            squares, count = 0.0, 0
            for y in range(y0, y0 + _BLOCK):
                for x in range(x0, x0 + _BLOCK):
                    if shown[y, x]:
                        error = (mine[y, x] - mean_a) / spread_a - (theirs[y, x] - mean_b) / spread_b
                        squares += error * error
                        count += 1
            misfits[block] = squares / count if count > 0 else 0.0
        largest = np.sort(misfits)[_KEPT_BLOCKS - 1]
        for block in range(_BLOCKS * _BLOCKS):
            y0, x0 = block // _BLOCKS * _BLOCK, block % _BLOCKS * _BLOCK
            for y in range(y0, y0 + _BLOCK):
                for x in range(x0, x0 + _BLOCK):
                    kept[y, x] = shown[y, x] and misfits[block] <= largest
        correlation, mean_a, mean_b, spread_a, spread_b = _correlate(mine, theirs, kept)
    in_detail = _correlate(_details(mine, shown), _details(theirs, shown), kept)[0]
    score: float = max(0.0, (correlation + in_detail) / 2)
    return score


agreement = compiled(_score)
"""The score, 0 to 1, of two pictures, (40, 40) float32, and the warp that lays the first on the second."""
