"""Pillow's Lanczos resize of RGB pictures, bit for bit, in less than half its time.

Pillow weighs one pixel of one channel after the other. Here whole rows are weighed, which the processor does eight
values at a time; for the pass across the columns the picture lies on its side, once for all the sizes made of it.
Imports Numba (0.5 s): import this module only where pictures are scaled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Resampling, Transpose

from image_assets.compiling import compiled
from image_assets.lanczos import PRECISION_BITS, lanczos_weights

Pixels = NDArray[np.uint8]
Weights = NDArray[np.int32]

_HALF = 1 << (PRECISION_BITS - 1)
# Columns that are written together: pixel by pixel, each would touch all rows of the target.
_STRIP = 16


@dataclass(frozen=True)
class Source:
    """An RGB picture to make several sizes of."""

    image: Image.Image

    @cached_property
    def columns(self) -> Pixels:
        """(width, height, 3): the picture column by column."""
        return np.asarray(self.image.transpose(Transpose.TRANSPOSE))


def resize(source: Source, extent: tuple[float, float], target: tuple[int, int]) -> Image.Image:
    """What `image.resize(target, LANCZOS, box=(0, 0, *extent))` gives, bit for bit. Safe to call from many threads."""
    (width, height), (target_width, target_height) = source.image.size, target
    # Pillow takes a picture that loses much more height than width by its columns first; such pictures are rare.
    if extent == target or height - target_height > 2 * (int(extent[0]) - target_width):
        return source.image.resize(target, Resampling.LANCZOS, box=(0.0, 0.0, *extent))
    narrow = np.empty((height, target_width, 3), dtype=np.uint8)
    _weigh_columns(source.columns, *_weights(width, extent[0], target_width), narrow)
    scaled = np.empty((target_height, target_width, 3), dtype=np.uint8)
    _weigh_rows(narrow, *_weights(height, extent[1], target_height), scaled)
    return Image.fromarray(scaled)


# Partners deliver few sizes, so most pictures find their weights here: 25 kB each at 1,024 pixels.
@lru_cache(maxsize=256)
def _weights(pixels: int, extent: float, target_pixels: int) -> tuple[NDArray[np.int64], Weights]:
    """(target_pixels,) first source pixels and (target_pixels, taps) weights."""
    first, weights = lanczos_weights(pixels, target_pixels, extent)
    by_target = np.ascontiguousarray(weights.T.astype(np.int32))
    for array in (first, by_target):
        array.flags.writeable = False
    return first, by_target


def _weigh(rows: Pixels, first: int, weights: Weights, sums: NDArray[np.int32], row: Pixels) -> None:
    """The weighted sum of some rows as bytes; `sums` is room to work in."""
    sums[:] = _HALF
    taps = weights.shape[0]
    while weights[taps - 1] == 0:
        taps -= 1
    paired = taps - taps % 4
    # Four rows at a time, so that the sums are read and written less often.
    for tap in range(0, paired, 4):
        a, b, c, d = weights[tap], weights[tap + 1], weights[tap + 2], weights[tap + 3]
        at = first + tap
        row_a, row_b, row_c, row_d = rows[at], rows[at + 1], rows[at + 2], rows[at + 3]
        for i in range(sums.shape[0]):
            sums[i] += a * np.int32(row_a[i]) + b * np.int32(row_b[i]) + c * np.int32(row_c[i]) + d * np.int32(row_d[i])
    for tap in range(paired, taps):
        a, row_a = weights[tap], rows[first + tap]
        for i in range(sums.shape[0]):
            sums[i] += a * np.int32(row_a[i])
    for i in range(sums.shape[0]):
        row[i] = min(max(sums[i] >> PRECISION_BITS, 0), 255)


_weigh_into = compiled(_weigh)


def _each_row(source: Pixels, first: NDArray[np.int64], weights: Weights, target: Pixels) -> None:
    values = source.shape[1] * 3
    rows = source.reshape(source.shape[0], values)
    targets = target.reshape(target.shape[0], values)
    sums = np.empty(values, dtype=np.int32)
    for y in range(target.shape[0]):
        _weigh_into(rows, first[y], weights[y], sums, targets[y])


_weigh_rows = compiled(_each_row)


def _each_column(columns: Pixels, first: NDArray[np.int64], weights: Weights, target: Pixels) -> None:
    height, width = target.shape[:2]
    rows = columns.reshape(columns.shape[0], height * 3)
    sums = np.empty(height * 3, dtype=np.int32)
    strip = np.empty((_STRIP, height * 3), dtype=np.uint8)
    for start in range(0, width, _STRIP):
        count = min(_STRIP, width - start)
        for x in range(count):
            _weigh_into(rows, first[start + x], weights[start + x], sums, strip[x])
        for y in range(height):
            for x in range(count):
                for channel in range(3):
                    target[y, start + x, channel] = strip[x, 3 * y + channel]


_weigh_columns = compiled(_each_column)
