"""The compiled pair loop of grouping. Imports Numba (0.5 s), so import this module only where groups are made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from image_assets.compiling import compiled

Hashes = NDArray[np.uint64]
Roots = NDArray[np.int64]

# Numba turns a mix of uint64 and int into float64, so every constant is a uint64.
_ONE, _TWO, _FOUR, _TOP_BYTE = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_PAIRS = np.uint64(0x5555555555555555)
_NIBBLES = np.uint64(0x3333333333333333)
_BYTES = np.uint64(0x0F0F0F0F0F0F0F0F)
_EACH_BYTE = np.uint64(0x0101010101010101)


def _count_bits(word: np.uint64) -> np.uint64:
    """Bits set in a 64-bit word (Warren, Hacker's Delight, 5-1); LLVM makes vector instructions of it."""
    word = word - ((word >> _ONE) & _PAIRS)
    word = (word & _NIBBLES) + ((word >> _TWO) & _NIBBLES)
    word = (word + (word >> _FOUR)) & _BYTES
    return (word * _EACH_BYTE) >> _TOP_BYTE


_bits = compiled(_count_bits)


def _any_closer(a: Hashes, b: Hashes, threshold: np.uint64) -> bool:
    for i in range(a.shape[0]):
        # A whole row without a branch runs as vectors; leaving early is worth it only between rows.
        smallest = np.uint64(64)
        for j in range(b.shape[0]):
            smallest = min(smallest, _bits(a[i] ^ b[j]))
        if smallest < threshold:
            return True
    return False


_near = compiled(_any_closer)


def _find_root(roots: Roots, image: int) -> int:
    while roots[image] != image:
        roots[image] = roots[roots[image]]
        image = roots[image]
    return image


_root = compiled(_find_root)


def _join_pairs(hashes: Hashes, others: Hashes, threshold: np.uint64, roots: Roots) -> None:
    for i in range(hashes.shape[0]):
        for j in range(i + 1, hashes.shape[0]):
            root_i = _root(roots, i)
            root_j = _root(roots, j)
            if root_i != root_j and _near(hashes[i], others[j], threshold):
                roots[max(root_i, root_j)] = min(root_i, root_j)
    for i in range(roots.shape[0]):
        roots[i] = roots[roots[i]]  # a root comes before its tree, so one pass makes the trees flat


_join = compiled(_join_pairs)


def join_similar(hashes: Hashes, others: Hashes, threshold: int, roots: Roots) -> None:
    """Join in `roots`, in place, every i < j with a hash of `hashes[i]` closer than `threshold` to `others[j]`.

    hashes, others: (n, k) uint64; roots: (n,) int64, for each image the smallest index of the images it is
    joined with (`arange(n)` to start with). Pairs that are joined already are not compared. Runs on one thread,
    without the GIL.
    """
    _join(hashes, others, np.uint64(threshold), roots)
