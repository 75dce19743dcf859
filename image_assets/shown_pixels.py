"""A picture as a viewer shows it: upright, in 8 bits, on a background where it is transparent.

Belongs here: what fingerprinting and rendering must do alike, or the pictures that are judged are not those that are
shown. Pure.
Does not belong here: colour profiles (rendering), measures.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from PIL import ExifTags, Image
from PIL.Image import Transpose

BACKGROUND = (255, 255, 255)
_STRIP_ROWS = 256

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

LYING = (5, 6, 7, 8)
"""The EXIF orientations whose undoing swaps width and height."""


def exif_orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; broken EXIF does not spoil a picture and counts as upright.

    That of a TIFF is always 1: Pillow itself turns it when it decodes it.
    """
    if image.format == "TIFF":
        return 1
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001
        # A PNG is decoded to reach its EXIF. If the picture itself is broken, its decode fails again and says so.
        return 1
    return value if value in UPRIGHT else 1


def turned_upright(image: Image.Image, orientation: int) -> Image.Image:
    """The image with an EXIF orientation undone."""
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey, rounded; Pillow's own conversion clips everything above 255 to white."""
    values = np.asarray(image)
    grey = np.empty(values.shape, dtype=np.uint8)
    # Strip by strip: the whole of a large picture in 64 bits would take eight times the room of its result.
    for top in range(0, len(values), _STRIP_ROWS):
        strip = values[top : top + _STRIP_ROWS].astype(np.int64).clip(0, 65_535)
        grey[top : top + _STRIP_ROWS] = (strip * 255 + 32_767) // 65_535
    return Image.fromarray(grey)


def laid_on_background(
    opaque: Image.Image, alpha: Image.Image, background: tuple[int, int, int] = BACKGROUND
) -> Image.Image:
    """An image without its transparency, over the background (RGB; of an "L" image its luma); the mode is kept."""
    flat = Image.new("RGB", (1, 1), background).convert(opaque.mode).resize(opaque.size)
    flat.paste(opaque, mask=alpha)
    return flat
