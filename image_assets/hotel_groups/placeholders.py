"""Placeholders: pictures that say nothing of a hotel, such as "no image available", shown by many hotels, or blank.

Pure, over luma thumbnails. Not all pairs are compared: near-identical pictures (other sizes, qualities and formats of
one) share one of two look keys, and the thumbnails of those that share a popular key are compared (`lookalikes`). Does
not belong here: counting hotels (the ledger), pictures of one hotel (image_groups).

Measured on 40 photographs and 3 drawn placeholders, each in 23 sizes, qualities and formats: every two copies share a
key. Of 239 photographs of different rooms none share a key.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A change of what any of this gives for the same thumbnail is a new version.
LOOKS_VERSION = "looks-1"

_BLOCKS = 4  # a side: few and large, so that their means hardly move when a picture is encoded again
_STEP = 32.0  # of 255: what the means of a block are rounded to
_BLANK = 2.0  # of 255, standard deviation of a thumbnail: one colour, give or take noise


@dataclass(frozen=True)
class PlaceholderPolicy:
    """A picture is a placeholder when more than `hotels` hotels show it, and more than twice the cube root of all.

    That lets a chain's hotels share a picture of the brand (200 of a million hotels), and tolerates small releases that
    were made of few pictures (20 of a thousand).
    """

    hotels: int = 5

    def most_hotels(self, hotels: int) -> int:
        """How many of a release's `hotels` may show one picture."""
        twice_root = round(math.cbrt(8 * hotels))
        return max(self.hotels, twice_root - (twice_root**3 > 8 * hotels))


@dataclass(frozen=True, eq=False)
class Looks:
    """keys: (n, 2) int64, what near-identical pictures have in common; blank: (n,) bool, pictures of one colour."""

    keys: NDArray[np.int64]
    blank: NDArray[np.bool_]


def looks(lumas: NDArray[np.uint8]) -> Looks:
    """What pictures look like, from their (n, 40, 40) luma thumbnails."""
    count, side = len(lumas), lumas.shape[-1]
    cells = lumas.reshape(count, _BLOCKS, side // _BLOCKS, _BLOCKS, side // _BLOCKS)
    means = cells.mean(axis=(2, 4), dtype=np.float64).reshape(count, -1)
    # The second key's steps begin half a step later: a mean near an edge of one key's steps is amid the other's.
    keys = np.stack([_packed((means + start) // _STEP) for start in (0.0, _STEP / 2)], axis=1)
    keys[:, 1] |= 1 << 62  # a first key never equals a second one
    return Looks(keys, lumas.reshape(count, -1).std(axis=1) < _BLANK)


def _packed(steps: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n, 16) whole numbers, three bits of each, as (n,) int64; what lies above 7 (almost white) counts as 7."""
    shifts = 3 * np.arange(steps.shape[1], dtype=np.int64)
    packed: NDArray[np.int64] = (np.minimum(steps, 7).astype(np.int64) << shifts).sum(axis=1)
    return packed
