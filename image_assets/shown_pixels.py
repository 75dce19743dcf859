"""A picture as a viewer shows it: upright, in 8 bits, on a background where it is transparent.

Belongs here: what fingerprinting and rendering must see alike, or pictures are judged that nobody sees. Pure.
Does not belong here: colour profiles (rendering), measures.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from PIL import ExifTags, Image
from PIL.Image import Transpose

BACKGROUND = (255, 255, 255)

UPRIGHT: Mapping[int, Transpose] = MappingProxyType(
    {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
)
"""What undoes each EXIF orientation; 1 is upright."""


def exif_orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; broken EXIF does not spoil a picture and counts as upright."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001
        # A PNG is decoded to reach its EXIF: what is wrong with the picture itself shows again, and is told, there.
        return 1
    return value if value in UPRIGHT else 1


def turned_upright(image: Image.Image, orientation: int) -> Image.Image:
    """The image with an EXIF orientation undone."""
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey, rounded; Pillow's own conversion clips everything above 255 to white."""
    values = np.asarray(image).astype(np.int64).clip(0, 65_535)
    return Image.fromarray(((values * 255 + 32_767) // 65_535).astype(np.uint8))


def laid_on_background(opaque: Image.Image, alpha: Image.Image) -> Image.Image:
    """An image without its transparency, over the background; the mode is that of `opaque` ("L" or "RGB")."""
    flat = Image.new(opaque.mode, opaque.size, BACKGROUND if opaque.mode == "RGB" else BACKGROUND[0])
    flat.paste(opaque, mask=alpha)
    return flat
