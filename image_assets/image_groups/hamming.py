"""The compiled pair loop of grouping. Imports Numba (0.5 s), so import this module only where groups are made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from image_assets.compiling import compiled

Hashes = NDArray[np.uint64]

# Numba turns a mix of uint64 and int into float64, so every constant is a uint64.
_ONE, _TWO, _FOUR, _TOP_BYTE = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_PAIRS = np.uint64(0x5555555555555555)
_NIBBLES = np.uint64(0x3333333333333333)
_BYTES = np.uint64(0x0F0F0F0F0F0F0F0F)
_EACH_BYTE = np.uint64(0x0101010101010101)


@compiled
def bits(word: np.uint64) -> np.uint64:
    """Bits set in a 64-bit word (Warren, Hacker's Delight, 5-1); LLVM makes vector instructions of it."""
    word = word - ((word >> _ONE) & _PAIRS)
    word = (word & _NIBBLES) + ((word >> _TWO) & _NIBBLES)
    word = (word + (word >> _FOUR)) & _BYTES
    return (word * _EACH_BYTE) >> _TOP_BYTE


@compiled
def lower_distances(hashes: Hashes, others: Hashes, pairs: NDArray[np.int64], distances: NDArray[np.uint8]) -> None:
    """Lower `distances`, in place, to the smallest distance of any of `hashes[i]` to any of `others[j]`.

    hashes, others: (n, k) uint64; pairs: (m, 2) i and j; distances: (m,) uint8. Runs on one thread, without the GIL.
    """
    for pair in range(pairs.shape[0]):
        a, b = hashes[pairs[pair, 0]], others[pairs[pair, 1]]
        smallest = np.uint64(distances[pair])
        for i in range(a.shape[0]):
            for j in range(b.shape[0]):
                smallest = min(smallest, bits(a[i] ^ b[j]))
        distances[pair] = smallest
