"""The luma thumbnail: 40 x 40 grey values that let two pictures be compared by eye and by correlation.

Belongs here: making the thumbnail and how it is stored. What it proves about two pictures is in `image_groups`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LUMA_SIDE = 40


def luma_thumbnail(luma: Image.Image) -> NDArray[np.uint8]:
    """A picture of mode "L", upright, squeezed to 40 x 40 whatever its proportions; (40, 40) uint8, rows first."""
    # Averaging whole pixels first (reducing_gap) is 12 times faster and hardly changes the thumbnail.
    small = luma.resize((LUMA_SIDE, LUMA_SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.array(small, dtype=np.uint8)


def pack_luma(thumbnail: NDArray[np.uint8]) -> bytes:
    """(40, 40) uint8 as the ledger keeps it: 1,600 bytes, row by row. Raises ValueError for another shape or dtype."""
    if thumbnail.shape != (LUMA_SIDE, LUMA_SIDE) or thumbnail.dtype != np.uint8:
        raise ValueError(f"luma is {thumbnail.dtype} {thumbnail.shape}, must be uint8 ({LUMA_SIDE}, {LUMA_SIDE})")
    return thumbnail.tobytes()


def unpack_luma(packed: bytes | memoryview) -> NDArray[np.uint8]:
    """The inverse of `pack_luma`; (40, 40) uint8. Raises ValueError unless there are 1,600 bytes."""
    if len(packed) != LUMA_SIDE * LUMA_SIDE:
        raise ValueError(f"luma takes {len(packed)} bytes, must be {LUMA_SIDE * LUMA_SIDE}")
    return np.frombuffer(packed, dtype=np.uint8).reshape(LUMA_SIDE, LUMA_SIDE).copy()
