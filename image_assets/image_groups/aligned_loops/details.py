"""What a picture shows at 32 x 32 places that could tell it from others: details, corners, and how plain the ground is.

Does not belong here: comparing two pictures (`agreement`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from image_assets.compiling import compiled
from image_assets.fingerprints.luma import LUMA_SIDE
from image_assets.image_groups.aligned_loops.warps import Luma

Places = NDArray[np.float64]
"""(32, 32) values."""
Shown = NDArray[np.bool_]
"""(32, 32): whether a place is looked at."""

PLACES = 32  # a side, at which both pictures are read
BLOCK = 4  # places; a side of what is forgiven or not
BLOCKS = PLACES // BLOCK
_REACH = 3  # places around one, whose mean is taken off
_SPREAD_REACH = 4  # places around one, whose mean detail it is measured by
_NOISE = 1.5  # grey values; details below are noise
_TURNING = 1.0  # grey values a place, in the direction in which a block that says anything changes less


@compiled
def _neighbourhood_means(values: Places, shown: Shown, reach_y: int, reach_x: int, symmetric: bool) -> Places:
    """The means of the shown values up to `reach` places away, from sums over all above and left of a place.

    symmetric: as many places on either side, so fewer near an edge: the mean of an even ramp is the value itself.
    """
    sums = np.zeros((PLACES + 1, PLACES + 1))
    counts = np.zeros((PLACES + 1, PLACES + 1))
    for y in range(PLACES):
        row, seen = 0.0, 0.0
        for x in range(PLACES):
            if shown[y, x]:
                row += values[y, x]
                seen += 1.0
            sums[y + 1, x + 1] = sums[y, x + 1] + row
            counts[y + 1, x + 1] = counts[y, x + 1] + seen
    means = np.zeros((PLACES, PLACES))
    for y in range(PLACES):
        up = min(reach_y, y, PLACES - 1 - y) if symmetric else reach_y
        top, bottom = max(0, y - up), min(PLACES, y + up + 1)
        for x in range(PLACES):
            aside = min(reach_x, x, PLACES - 1 - x) if symmetric else reach_x
            left, right = max(0, x - aside), min(PLACES, x + aside + 1)
            count = counts[bottom, right] - counts[top, right] - counts[bottom, left] + counts[top, left]
            if count > 0:
                means[y, x] = (sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]) / count
    return means


@compiled
def even_details(values: Places, shown: Shown) -> Places:
    """What neither rows nor columns nor ramps explain, divided by its mean size in the neighbourhood."""
    details = (
        values
        - _neighbourhood_means(values, shown, 0, _REACH, True)
        - _neighbourhood_means(values, shown, _REACH, 0, True)
    )
    details += _neighbourhood_means(values, shown, _REACH, _REACH, True)
    evened: Places = details / (
        _neighbourhood_means(np.abs(details), shown, _SPREAD_REACH, _SPREAD_REACH, False) + _NOISE
    )
    return evened


@compiled
def plain_share(luma: Luma, left: float, top: float, right: float, bottom: float) -> float:
    """The share of a part's pixels that lie in the five neighbouring grey values which most of them have."""
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


@compiled
def mark_corners(values: Places, shown: Shown, corners: Shown) -> None:
    """Mark the blocks in which the brightness changes in two directions: by the smaller eigenvalue of its gradients."""
    for block in range(BLOCKS * BLOCKS):
        top, left = block // BLOCKS * BLOCK, block % BLOCKS * BLOCK
        across, down, both, places = 0.0, 0.0, 0.0, 0
        for y in range(max(1, top), min(PLACES - 1, top + BLOCK)):
            for x in range(max(1, left), min(PLACES - 1, left + BLOCK)):
                if shown[y, x]:
                    dx, dy = (values[y, x + 1] - values[y, x - 1]) / 2, (values[y + 1, x] - values[y - 1, x]) / 2
                    across += dx * dx
                    down += dy * dy
                    both += dx * dy
                    places += 1
        weaker = (across + down) / 2 - np.sqrt((across - down) ** 2 / 4 + both * both)
        if weaker > _TURNING**2 * places:
            corners[top : top + BLOCK, left : left + BLOCK] = True
