"""Agreement: the score of two pictures under a warp, from the correlation of the details that both show.

Does not belong here: what a detail is (`details`), and pictures without any (`equality`).
"""

from __future__ import annotations

import numpy as np

from image_assets.compiling import compiled
from image_assets.image_groups.aligned_loops.details import (
    BLOCK,
    BLOCKS,
    PLACES,
    Places,
    Shown,
    even_details,
    mark_corners,
    plain_share,
)
from image_assets.image_groups.aligned_loops.warps import SMALLEST, Floats, Frame, Luma, Warp, bilinear, shared_part

_FORGIVEN = 5  # one block of so many
_FITS = 2
_FEW_BLOCKS = 9.0
_PLAIN_SHARE = 0.45
_PLAIN_WEIGHT = 4.0
_BLUR = 0.4  # square pixels by which a thumbnail spreads what it shows
_LEAST_REACH = 0.3  # pixels; blurring by less changes hardly anything


@compiled
def _correlation(a: Places, b: Places, kept: Shown) -> float:
    """The correlation of the kept values, which are taken to have a mean of 0; 0 where either does not vary."""
    aa, bb, ab = 0.0, 0.0, 0.0
    for y in range(PLACES):
        for x in range(PLACES):
            if kept[y, x]:
                aa += a[y, x] * a[y, x]
                bb += b[y, x] * b[y, x]
                ab += a[y, x] * b[y, x]
    correlation: float = ab / np.sqrt(aa * bb) if aa > 0 and bb > 0 else 0.0
    return correlation


@compiled
def _standardised(values: Places, kept: Shown) -> Places:
    """The values less the mean of the kept places, divided by their standard deviation."""
    count, total, squares = 0, 0.0, 0.0
    for y in range(PLACES):
        for x in range(PLACES):
            if kept[y, x]:
                count += 1
                total += values[y, x]
                squares += values[y, x] * values[y, x]
    mean = total / max(1, count)
    standardised: Places = (values - mean) / np.sqrt(max(squares / max(1, count) - mean * mean, 1e-6))
    return standardised


@compiled
def _without_worst(a: Places, b: Places, shown: Shown, forgiven: int) -> Shown:
    """`shown` without the blocks whose brightness differs most once means and spreads of the rest are the same."""
    kept = shown.copy()
    misfits = np.empty(BLOCKS * BLOCKS)
    for _ in range(_FITS):
        errors = (_standardised(a, kept) - _standardised(b, kept)) ** 2 * shown
        for block in range(BLOCKS * BLOCKS):
            y, x = block // BLOCKS * BLOCK, block % BLOCKS * BLOCK
            misfits[block] = errors[y : y + BLOCK, x : x + BLOCK].sum()
        largest = np.sort(misfits)[BLOCKS * BLOCKS - 1 - forgiven]
        for block in range(BLOCKS * BLOCKS):
            y, x = block // BLOCKS * BLOCK, block % BLOCKS * BLOCK
            if misfits[block] <= largest:
                kept[y : y + BLOCK, x : x + BLOCK] = shown[y : y + BLOCK, x : x + BLOCK]
            else:
                kept[y : y + BLOCK, x : x + BLOCK] = False
    return kept


@compiled
def _reach(scale: float) -> float:
    """How far to either side a picture is read, in its pixels, to be as blurred as one that shows things so many times
    smaller."""
    reach: float = np.sqrt(_BLUR * max(0.0, scale * scale - 1.0))
    return reach


@compiled
def _blurred(image: Floats, x: float, y: float, value: float, across: float, down: float) -> float:
    """The mean of four places around one, whose own value is given."""
    if across < _LEAST_REACH and down < _LEAST_REACH:
        return value
    above = bilinear(image, x - across, y - down) + bilinear(image, x + across, y - down)
    below = bilinear(image, x - across, y + down) + bilinear(image, x + across, y + down)
    mean: float = (above + below) / 4
    return mean


@compiled
def agreement(luma_a: Luma, luma_b: Luma, a: Floats, b: Floats, frame_a: Frame, frame_b: Frame, warp: Warp) -> float:
    """The score, 0 to 1, of two pictures under a warp; each is given as it is, smoothed, and by its frame."""
    left, top, right, bottom = shared_part(warp, frame_a, frame_b)
    if right - left < SMALLEST or bottom - top < SMALLEST:
        return 0.0
    sharp_a, sharp_b = np.zeros((PLACES, PLACES)), np.zeros((PLACES, PLACES))
    mine, theirs = np.zeros((PLACES, PLACES)), np.zeros((PLACES, PLACES))
    # A part of a picture shows its details sharper than the whole does.
    across_a, down_a, across_b, down_b = _reach(1 / warp[1]), _reach(1 / warp[5]), _reach(warp[1]), _reach(warp[5])
    shown = np.ones((PLACES, PLACES), dtype=np.bool_)
    for row in range(PLACES):
        y = top + (row + 0.5) * (bottom - top) / PLACES
        for column in range(PLACES):
            x = left + (column + 0.5) * (right - left) / PLACES
            u, v = warp[0] + warp[1] * x + warp[2] * y, warp[3] + warp[4] * x + warp[5] * y
            # The corners that a rotation turns out of the picture.
            inside = frame_b[0] - 0.3 <= u <= frame_b[2] + 0.3 and frame_b[1] - 0.3 <= v <= frame_b[3] + 0.3
            shown[row, column] = inside
            sharp_a[row, column], sharp_b[row, column] = bilinear(a, x, y), bilinear(b, u, v)
            mine[row, column] = _blurred(a, x, y, sharp_a[row, column], across_a, down_a)
            theirs[row, column] = _blurred(b, u, v, sharp_b[row, column], across_b, down_b)
    details_a, details_b = even_details(mine, shown), even_details(theirs, shown)
    plain = min(
        plain_share(luma_a, left, top, right, bottom),
        plain_share(
            luma_b,
            warp[0] + warp[1] * left,
            warp[3] + warp[5] * top,
            warp[0] + warp[1] * right,
            warp[3] + warp[5] * bottom,
        ),
    )
    corners = np.zeros((PLACES, PLACES), dtype=np.bool_)
    mark_corners(sharp_a, shown, corners)
    mark_corners(sharp_b, shown, corners)
    informative = corners.sum() // BLOCK**2
    # On a plain ground (logos, plans) the few lines are all there is: none of them is forgiven.
    forgiven = informative // _FORGIVEN if plain < _PLAIN_SHARE else 0
    told = shown & corners
    kept = _without_worst(mine, theirs, told, forgiven) if forgiven > 0 else told
    misfit = 1.0 - _correlation(details_a, details_b, kept)
    # Little that agrees proves little, and so do details made of few pixels: such pictures must agree better.
    pixels = (right - left) * (bottom - top) * min(1.0, warp[1] * warp[5])
    misfit *= 1.0 + _FEW_BLOCKS / max(1.0, informative * min(1.0, pixels / PLACES**2))
    misfit *= 1.0 + _PLAIN_WEIGHT * max(0.0, plain - _PLAIN_SHARE)
    score: float = max(0.0, 1.0 - misfit)
    return score
