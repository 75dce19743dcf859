"""Pictures without details: the same only when their brightness agrees everywhere, as it stands."""

from __future__ import annotations

from image_assets.compiling import compiled
from image_assets.fingerprints.luma import LUMA_SIDE
from image_assets.image_groups.aligned_loops.warps import Luma

_EQUAL_BLOCK = 5  # pixels
_UNLIKE = 4.0  # grey values that a block differs by, where the score is 0; that of a copy at JPEG 30 by up to 1.6


@compiled
def nearly_equal(a: Luma, b: Luma) -> float:
    """The score, 0 to 1, of two thumbnails as they are, by the mean difference of the most different block."""
    largest = 0.0
    for block in range((LUMA_SIDE // _EQUAL_BLOCK) ** 2):
        top = block // (LUMA_SIDE // _EQUAL_BLOCK) * _EQUAL_BLOCK
        left = block % (LUMA_SIDE // _EQUAL_BLOCK) * _EQUAL_BLOCK
        total = 0.0
        for y in range(top, top + _EQUAL_BLOCK):
            for x in range(left, left + _EQUAL_BLOCK):
                total += abs(float(a[y, x]) - float(b[y, x]))
        largest = max(largest, total / _EQUAL_BLOCK**2)
        if largest > _UNLIKE:
            return 0.0
    return 1.0 - largest / _UNLIKE
