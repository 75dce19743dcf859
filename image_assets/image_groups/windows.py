"""Candidates of the aligned rule: the hash of every window of a thumbnail, and the windows that look alike.

The windows cut 0 to 30 % off each of the four sides in steps of 5 %, 45 % of an axis at most. Each has a dhash made of
mean values, in whole numbers, so that it is the same on every machine. Does not belong here: whether two windows show
the same picture (`alignment`).

Imports Numba (0.5 s), so import this module only where pictures are compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from image_assets.compiling import compiled
from image_assets.fingerprints.luma import LUMA_SIDE

Luma = NDArray[np.uint8]
Boundaries = NDArray[np.int32]

_STEP = LUMA_SIDE // 20  # pixels of a cut of 5 %
_MOST = 6  # steps off one side
_MOST_OF_AXIS = 9  # steps off both sides of an axis

SPANS = np.array(
    [
        (first * _STEP, LUMA_SIDE - last * _STEP)
        for first in range(_MOST + 1)
        for last in range(_MOST + 1)
        if first + last <= _MOST_OF_AXIS
    ],
    dtype=np.int32,
)
"""(43, 2) first pixel and the one after the last, of columns or of rows; a window is 43 * columns + rows."""

WINDOWS = len(SPANS) ** 2


CELLS_ACROSS, CELLS_DOWN = 9, 8


def _boundaries(cells: int) -> NDArray[np.int32]:
    """(spans, cells + 1): where a span's cells begin and end, in whole parts of a pixel, `cells` of them a pixel."""
    starts, lengths = SPANS[:, :1] * cells, SPANS[:, 1:] - SPANS[:, :1]
    return (starts + lengths * np.arange(cells + 1)).astype(np.int32)


_COLUMNS = _boundaries(CELLS_ACROSS)
_ROWS = _boundaries(CELLS_DOWN)


def _span(first: int, last: int) -> int:
    return [tuple(span) for span in SPANS.tolist()].index((first * _STEP, LUMA_SIDE - last * _STEP))


PROBES = np.array(
    [
        _span(*columns) * len(SPANS) + _span(*rows)
        for columns, rows in (
            ((0, 0), (0, 0)),
            ((3, 0), (0, 0)),
            ((0, 3), (0, 0)),
            ((0, 0), (3, 0)),
            ((0, 0), (0, 3)),
            ((2, 2), (2, 2)),
        )
    ],
    dtype=np.int64,
)
"""The windows of one picture that are looked for in the other: the whole, 85 % from each side, the middle."""


@compiled
def _hash_windows(luma: Luma, columns: Boundaries, rows: Boundaries, hashes: NDArray[np.uint8]) -> None:
    side, spans = luma.shape[0], hashes.shape[0]
    strips = spans * CELLS_DOWN
    # Sums over all rows above y; one row more than needed, so that a boundary at the edge has a neighbour.
    down = np.zeros((side + 2, side), dtype=np.int32)
    for y in range(side + 1):
        for x in range(side):
            down[y + 1, x] = down[y, x] + (luma[y, x] if y < side else 0)
    # A strip is one row of cells of a span; sums over all columns left of x.
    across = np.zeros((side + 2, strips), dtype=np.int32)
    for span in range(spans):
        for cell in range(CELLS_DOWN):
            top, bottom = rows[span, cell] // CELLS_DOWN, rows[span, cell + 1] // CELLS_DOWN
            above, below = rows[span, cell] % CELLS_DOWN, rows[span, cell + 1] % CELLS_DOWN
            strip = span * CELLS_DOWN + cell
            for x in range(side):
                upto = down[bottom, x] * CELLS_DOWN + below * (down[bottom + 1, x] - down[bottom, x])
                since = down[top, x] * CELLS_DOWN + above * (down[top + 1, x] - down[top, x])
                across[x + 1, strip] = across[x, strip] + upto - since
    across[side + 1] = across[side]
    before = np.empty(strips, dtype=np.int32)
    for span in range(spans):
        hashes[span] = 0
        for cell in range(CELLS_ACROSS):
            left, right = columns[span, cell] // CELLS_ACROSS, columns[span, cell + 1] // CELLS_ACROSS
            start, end = columns[span, cell] % CELLS_ACROSS, columns[span, cell + 1] % CELLS_ACROSS
            for strip in range(strips):
                upto = across[right, strip] * CELLS_ACROSS + end * (across[right + 1, strip] - across[right, strip])
                since = across[left, strip] * CELLS_ACROSS + start * (across[left + 1, strip] - across[left, strip])
                brightness = upto - since
                if cell > 0:
                    hashes[span, strip] = (hashes[span, strip] << 1) | (brightness > before[strip])
                before[strip] = brightness


def window_hashes(luma: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The hashes of all windows of thumbnails; luma: (n, 40, 40) uint8; returns (n, 1849) uint64."""
    hashes = np.empty((len(luma), len(SPANS), len(SPANS) * 8), dtype=np.uint8)
    for image in range(len(luma)):
        _hash_windows(luma[image], _COLUMNS, _ROWS, hashes[image])
    return hashes.reshape(len(luma), WINDOWS * CELLS_DOWN).view(np.uint64)
