"""Colour: pixels of any mode as 8-bit sRGB by the profile the file carries, without transparency.

Does not belong here: reading files (decoding), contrast.
"""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from image_assets.shown_pixels import eight_bit, laid_on_background

Colour = tuple[int, int, int]

# Rows that are converted together: beside the picture before and after, only strips of it stand in memory. A multiple
# of every scale a picture is reduced by.
_STRIP_ROWS = 256

_RAMP = Image.frombytes("L", (256, 1), bytes(range(256)))


def in_srgb(image: Image.Image, profile: bytes | None, reduce_by: int, background: Colour) -> Image.Image:
    """A loaded image in mode "RGB", `reduce_by` (1, 2, 4 or 8) times smaller: each pixel is the mean of a square.

    profile: the ICC profile of the file. Without one, or when it is broken or for other pixels, RGB and grey count as
    sRGB, and CMYK is converted by plain arithmetic, as browsers do it.
    """
    if image.mode == "RGB" and reduce_by == 1 and not image.has_transparency_data and not _differs(profile, "RGB"):
        return image
    width, height = image.size
    flat = Image.new("RGB", (-(-width // reduce_by), -(-height // reduce_by)))
    for top in range(0, height, _STRIP_ROWS):
        strip = _converted(image.crop((0, top, width, min(top + _STRIP_ROWS, height))), profile, background)
        flat.paste(strip if reduce_by == 1 else strip.reduce(reduce_by), (0, top // reduce_by))
    return flat


def _converted(image: Image.Image, profile: bytes | None, background: Colour) -> Image.Image:
    alpha = None
    if image.mode.startswith("I"):
        image = eight_bit(image)
    elif image.has_transparency_data:
        image = image if image.mode == "LA" else image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("L" if image.mode == "LA" else "RGB")
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode in ("1", "F") else "RGB")

    transform = _transform_to_srgb(profile, image.mode) if profile else None
    # A CMS transform leaves its input alone and gives a new RGB image.
    rgb = image.convert("RGB") if transform is None else transform.apply(image)
    return rgb if alpha is None else laid_on_background(rgb, alpha, background)


def _differs(profile: bytes | None, mode: str) -> bool:
    return profile is not None and _transform_to_srgb(profile, mode) is not None


@lru_cache(maxsize=32)
def _transform_to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from an embedded profile to sRGB; None when there is nothing to do or the profile is unusable.

    Relative colorimetric with black point compensation, as browsers and Photoshop do.
    """
    try:
        transform = ImageCms.buildTransform(
            ImageCms.getOpenProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        # Broken, or of another colour space than the pixels: better plain colours than no picture.
        return None
    if mode == "CMYK":
        return transform
    # Most profiles are sRGB under one of many names: seen from what they do to a lattice of colours.
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    colours = Image.fromarray(lattice) if mode == "RGB" else _RAMP
    before, after = (np.asarray(each, dtype=np.int16) for each in (colours.convert("RGB"), transform.apply(colours)))
    return None if np.abs(before - after).max() <= 1 else transform
