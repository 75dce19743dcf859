"""Pillow's Lanczos resize of many windows of one picture at once, as one matrix product per axis.

Pillow scales an 8-bit picture in two passes, along the rows and along the columns. Each pass is a weighted sum with
weights quantised to 22 fractional bits, rounded and clipped to 8 bits (Pillow's `Resample.c`). Here the weights of all
windows stand side by side in one matrix, so each pass is one product. Every product and sum is a whole number below
2^53: float64 holds it exactly in any order of summation, and the outcome equals Pillow's bit for bit.

Since Pillow 13 a window that shrinks much more in height than in width gets its vertical pass first. The rounding
between the passes makes that another outcome, so both orders are here, each for the windows that need it.

Belongs here: the arithmetic of the resize. Which windows are looked at, and why, is in `hashing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from image_assets.fingerprints.blas import hold_blas_to_one_thread
from image_assets.fingerprints.lanczos import PRECISION_BITS, lanczos_weights

Span = tuple[int, int]

# Pixels of one strip of the first pass: 1 MB as float64 stays in the cache, and a 50-megapixel picture never stands in
# memory as float64.
_STRIP_PIXELS = 1 << 17


def resize_windows(
    luma: NDArray[np.uint8], columns: Sequence[Span], rows: Sequence[Span], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Every window of `luma`, cut out and resized to `size` (width, height), as Pillow's LANCZOS does it.

    luma: (height, width) uint8. columns and rows: first pixel and the pixel after the last; each span of columns is
    combined with each span of rows. Returns (len(columns), len(rows), size[1], size[0]) uint8.
    """
    hold_blas_to_one_thread()
    windows = _resize(luma, tuple(columns), tuple(rows), size)
    return np.ascontiguousarray(windows.transpose(2, 0, 1, 3))


def _resize(
    luma: NDArray[np.uint8], columns: tuple[Span, ...], rows: tuple[Span, ...], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """As `resize_windows`, in the order of the products: (row span, y, column span, x)."""
    height, width = luma.shape
    across, down = size
    vertical_first = _vertical_first(columns, rows, size)
    # The first pass of either order, only for the spans that some window needs in that order.
    wide = np.flatnonzero(~vertical_first.all(axis=1))
    tall = np.flatnonzero(vertical_first.any(axis=0))
    horizontal, vertical = _weights(width, columns, across), _weights(height, rows, down)
    to_width = horizontal[:, wide].reshape(width, -1).astype(np.float64)
    to_height = vertical[:, tall].reshape(height, -1).astype(np.float64)
    narrow = np.empty((height, to_width.shape[1]))
    low = np.zeros((to_height.shape[1], width))
    step = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, step):
        strip = luma[top : top + step].astype(np.float64)
        np.matmul(strip, to_width, out=narrow[top : top + step])
        if tall.size:
            low += to_height[top : top + step].T @ strip
    _round_to_bytes(narrow)
    _round_to_bytes(low)
    # The second pass of either order.
    after_narrow = vertical.reshape(height, -1).astype(np.float64).T @ narrow
    after_low = low @ horizontal.reshape(width, -1).astype(np.float64)
    _round_to_bytes(after_narrow)
    _round_to_bytes(after_low)
    windows = np.empty((len(rows), down, len(columns), across), dtype=np.uint8)
    windows[:, :, wide] = after_narrow.reshape(len(rows), down, wide.size, across)
    for row_span, lines in zip(tall, after_low.reshape(tall.size, down, len(columns), across), strict=True):
        chosen = vertical_first[:, row_span]
        windows[row_span, :, chosen] = lines[:, chosen].transpose(1, 0, 2)
    return windows


def _vertical_first(columns: Sequence[Span], rows: Sequence[Span], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Pillow's own rule, (len(columns), len(rows)): whether the height loses more than twice what the width loses."""
    lost_width = np.array([end - start for start, end in columns])[:, None] - size[0]
    lost_height = np.array([end - start for start, end in rows])[None, :] - size[1]
    return (lost_height > 0) & (lost_height > 2 * lost_width)


def _round_to_bytes(sums: NDArray[np.float64]) -> None:
    sums += 1 << (PRECISION_BITS - 1)
    sums *= 2.0**-PRECISION_BITS
    np.floor(sums, out=sums)
    np.clip(sums, 0, 255, out=sums)


# Partners deliver few sizes, so most pictures find their weights here: 0.2 MB an axis at 1,024 pixels for dhash.
@lru_cache(maxsize=32)
def _weights(length: int, spans: tuple[Span, ...], size: int) -> NDArray[np.float32]:
    """(length, len(spans), size) whole numbers; below 2^24, so float32 keeps them exactly in half the memory."""
    weights = np.zeros((length, len(spans), size), dtype=np.float32)
    for index, (start, end) in enumerate(spans):
        _fill_span(weights[start:end, index], size)
    weights.flags.writeable = False
    return weights


def _fill_span(weights: NDArray[np.float32], size: int) -> None:
    """Put the weights of one span into (length, size) zeros."""
    length = len(weights)
    first, whole = lanczos_weights(length, size)
    source = first + np.arange(len(whole))[:, None]
    inside = source < length
    weights[source[inside], np.broadcast_to(np.arange(size), source.shape)[inside]] = whole[inside]
