"""Where one picture lies on another: what a warp is, reading a picture between its pixels, the part both show.

A warp is six numbers: x = w[0] + w[1] x' + w[2] y', y = w[3] + w[4] x' + w[5] y', in pixels of the 40 x 40
thumbnails, from the first picture (x', y') to the second. Does not belong here: finding one (`candidates`,
`refinement`), and how well two pictures agree under it (`agreement`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from image_assets.compiling import compiled
from image_assets.fingerprints.luma import LUMA_SIDE

Luma = NDArray[np.uint8]
Floats = NDArray[np.float32]
Warp = NDArray[np.float64]
Frame = NDArray[np.float64]
"""Left, top, right, bottom of what lies inside the borders of a picture, in pixels."""

_EDGE = 1.0  # pixels beside the shared part, into which its surroundings have run
SMALLEST = 12.0  # pixels of a side of the shared part


@compiled
def bilinear(image: Floats, x: float, y: float) -> float:
    """The value of a (40, 40) image at x and y (pixels), interpolated; beyond its edge, the edge's."""
    x, y = min(max(x - 0.5, 0.0), LUMA_SIDE - 1.001), min(max(y - 0.5, 0.0), LUMA_SIDE - 1.001)
    i, j = int(y), int(x)
    across, down = x - j, y - i
    above = image[i, j] + across * (image[i, j + 1] - image[i, j])
    below = image[i + 1, j] + across * (image[i + 1, j + 1] - image[i + 1, j])
    value: float = above + down * (below - above)
    return value


@compiled
def lattice(image: Floats, xs: NDArray[np.float64], ys: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Write into (rows, columns) what `bilinear` gives where columns at xs and rows at ys cross, in half the time."""
    columns, across = np.empty(xs.shape[0], dtype=np.int64), np.empty(xs.shape[0])
    for column in range(xs.shape[0]):
        x = min(max(xs[column] - 0.5, 0.0), LUMA_SIDE - 1.001)
        columns[column] = int(x)
        across[column] = x - int(x)
    for row in range(ys.shape[0]):
        y = min(max(ys[row] - 0.5, 0.0), LUMA_SIDE - 1.001)
        down, upper, lower = y - int(y), image[int(y)], image[int(y) + 1]
        for column in range(xs.shape[0]):
            j = columns[column]
            above = upper[j] + across[column] * (upper[j + 1] - upper[j])
            below = lower[j] + across[column] * (lower[j + 1] - lower[j])
            values[row, column] = above + down * (below - above)


@compiled
def shared_part(warp: Warp, frame_a: Frame, frame_b: Frame) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the part of the first picture, inside its borders, that the second shows too."""
    left, top, right, bottom = frame_a[0], frame_a[1], frame_a[2], frame_a[3]
    for _ in range(2):  # the second time, where the shear moves the middle of the shared part
        x = warp[0] + warp[2] * (top + bottom) / 2
        y = warp[3] + warp[4] * (left + right) / 2
        left, right = max(frame_a[0], (frame_b[0] - x) / warp[1]), min(frame_a[2], (frame_b[2] - x) / warp[1])
        top, bottom = max(frame_a[1], (frame_b[1] - y) / warp[5]), min(frame_a[3], (frame_b[3] - y) / warp[5])
    # What lies beside the shared part in one of the pictures has run into its edge.
    beside_x, beside_y = _EDGE * max(1.0, 1 / warp[1]), _EDGE * max(1.0, 1 / warp[5])
    return left + beside_x, top + beside_y, right - beside_x, bottom - beside_y


@compiled
def lay_window(spans: NDArray[np.int32], window: int, other: int, warp: Warp) -> None:
    """Write into (6,) the warp that lays one window on another, given the spans of all."""
    count = spans.shape[0]
    for axis in range(2):
        mine, theirs = (window // count, other // count) if axis == 0 else (window % count, other % count)
        scale = (spans[theirs, 1] - spans[theirs, 0]) / (spans[mine, 1] - spans[mine, 0])
        warp[3 * axis] = spans[theirs, 0] - scale * spans[mine, 0]
        warp[3 * axis + 1] = scale if axis == 0 else 0.0
        warp[3 * axis + 2] = scale if axis == 1 else 0.0


@compiled
def lay_frame(frame: Frame, other: Frame, warp: Warp) -> None:
    """Write into (6,) the warp that lays what is inside the borders of one picture on that of another."""
    for axis in range(2):
        scale = (other[axis + 2] - other[axis]) / (frame[axis + 2] - frame[axis])
        warp[3 * axis] = other[axis] - scale * frame[axis]
        warp[3 * axis + 1] = scale if axis == 0 else 0.0
        warp[3 * axis + 2] = scale if axis == 1 else 0.0


@compiled
def invert(warp: Warp) -> None:
    """Turn a warp, in place, into that from the second picture to the first."""
    a, b, c, d = warp[1], warp[2], warp[4], warp[5]
    x, y, area = warp[0], warp[3], warp[1] * warp[5] - warp[2] * warp[4]
    warp[1], warp[2], warp[4], warp[5] = d / area, -b / area, -c / area, a / area
    warp[0] = -(warp[1] * x + warp[2] * y)
    warp[3] = -(warp[4] * x + warp[5] * y)
