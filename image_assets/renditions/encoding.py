"""Encoding: finished pixels as a file, within the bytes its recipe allows.

Does not belong here: which metadata a file keeps (attribution), pixels.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageFile

from image_assets.renditions.attribution import Attribution, exif, xmp
from image_assets.renditions.recipes import Recipe

# With more effort than this libwebp holds what it is about to write, three times as much memory in all.
_FRUGAL_EFFORT = 2
_LARGE_WEBP_PIXELS = 4_000_000

_ROOM = threading.Lock()


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


def webp_effort(recipe: Recipe, pixels: int) -> int:
    """The effort to encode a WebP of so many pixels with: for large ones no more than memory allows."""
    return min(recipe.effort, _FRUGAL_EFFORT) if pixels > _LARGE_WEBP_PIXELS else recipe.effort


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
    options = {"quality": quality, **_options(recipe, image.width * image.height), **metadata}
    try:
        return _saved(image, recipe.format, options)
    except OSError:
        if not (recipe.progressive or recipe.optimize):
            raise
    with _more_room(4 * image.width * image.height):
        return _saved(image, recipe.format, options)


def _saved(image: Image.Image, format: str, options: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format.upper(), **options)
    return buffer.getvalue()


@contextmanager
def _more_room(size: int) -> Iterator[None]:
    """Let Pillow hand out buffers of so many bytes.

    Pillow encodes a progressive or optimized JPEG into one buffer of a byte a pixel, and fails when that is too small,
    as for grain. The size holds for all threads; a larger buffer changes nothing for the others.
    """
    with _ROOM:
        before, ImageFile.MAXBLOCK = ImageFile.MAXBLOCK, size
        try:
            yield
        finally:
            ImageFile.MAXBLOCK = before


def _options(recipe: Recipe, pixels: int) -> dict[str, Any]:
    match recipe.format:
        case "jpeg":
            return {
                "subsampling": recipe.subsampling,
                "progressive": recipe.progressive,
                "optimize": recipe.optimize,
            }
        case "webp":
            return {"method": webp_effort(recipe, pixels)}
        case "avif":
            # More threads and tiles would cut the picture otherwise, and the pool alone decides on parallelism.
            one_thread = {"codec": "aom", "max_threads": 1, "autotiling": False}
            return {"speed": recipe.speed, "subsampling": recipe.subsampling, **one_thread}
    raise ValueError(f"no such format: {recipe.format}")
