"""Encoding: finished pixels as a file, within the bytes its recipe allows.

Does not belong here: which metadata a file keeps (attribution), pixels.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

from image_assets.renditions.attribution import Attribution, exif, xmp
from image_assets.renditions.recipes import Recipe


@dataclass(frozen=True)
class Rendition:
    """One encoded picture: its bytes, its size in pixels, and its format (one of EXTENSIONS).

    quality: the quality it was encoded with, below the recipe's where `max_bytes` asked for it. too_large: it is above
    the recipe's `max_bytes` even in the lowest quality allowed.
    """

    data: bytes
    width: int
    height: int
    format: str
    quality: int
    too_large: bool = False


def encoded(image: Image.Image, recipe: Recipe, attribution: Attribution) -> Rendition:
    """An RGB image in the recipe's format and quality, or the highest quality below it that keeps `max_bytes`.

    The quality is found by halving the range, so an image is encoded at most eight times.
    """
    data = _encoded(image, recipe, recipe.quality, attribution)
    quality, limit = recipe.quality, recipe.max_bytes
    if limit is not None and len(data) > limit:
        # Invariant: `low` is the best that is known to fit or the floor, `high` is known to be too large.
        low, high = recipe.min_quality, recipe.quality
        quality = low
        if low < high:
            data = _encoded(image, recipe, low, attribution)
        while len(data) <= limit and high - low > 1:
            middle = (low + high) // 2
            attempt = _encoded(image, recipe, middle, attribution)
            if len(attempt) <= limit:
                low, quality, data = middle, middle, attempt
            else:
                high = middle
    too_large = limit is not None and len(data) > limit
    return Rendition(data, image.width, image.height, recipe.format, quality, too_large)


def _encoded(image: Image.Image, recipe: Recipe, quality: int, attribution: Attribution) -> bytes:
    # JPEG declares sRGB in EXIF. Without a profile a WebP is sRGB (RFC 9649, section 2.7.1.5); AVIF says so by code
    # points in its header (nclx 1/13), which Pillow writes.
    metadata = {"exif": exif(attribution, declare_srgb=recipe.format == "jpeg"), "xmp": xmp(attribution)}
    buffer = io.BytesIO()
    image.save(buffer, recipe.format.upper(), quality=quality, **_options(recipe), **metadata)
    return buffer.getvalue()


def _options(recipe: Recipe) -> dict[str, Any]:
    match recipe.format:
        case "jpeg":
            return {
                "subsampling": recipe.subsampling,
                "progressive": recipe.progressive,
                "optimize": recipe.optimize,
            }
        case "webp":
            return {"method": recipe.effort}
        case "avif":
            # More threads and tiles would cut the picture otherwise, and the pool alone decides on parallelism.
            one_thread = {"codec": "aom", "max_threads": 1, "autotiling": False}
            return {"speed": recipe.speed, "subsampling": recipe.subsampling, **one_thread}
    raise ValueError(f"no such format: {recipe.format}")
