"""What a recipe takes of memory for one rendition, beside the decoded picture: known before, so it can be refused.

Belongs here: the figures that were measured, on noise, which is the worst (docs/renditions.md). Pure.
Does not belong here: what decoding takes (decoder_memory), and what is done about it (recipes_file, rendering, making).
"""

from __future__ import annotations

from image_assets.renditions.encoding import webp_effort
from image_assets.renditions.placing import Size
from image_assets.renditions.recipes import Recipe

# Bytes a pixel of the rendition: each picture of it that stands in memory, and what sharpening holds beside these.
_PICTURE_BYTES = 4.0
_SHARPENING_BYTES = 8.0

# The resizer first makes every row as wide as the rendition, of no more rows than this many times its height.
_MOST_ROWS = 4

_SAMPLES = {"4:2:0": 1.5, "4:2:2": 2.0, "4:4:4": 3.0}  # a pixel: its luma, and its share of chroma


def making_bytes(recipe: Recipe, shown: Size, target: Size) -> int:
    """Bytes that scaling a picture of size `shown` to `target` (pixels), finishing and encoding it take at most."""
    width, height = target
    scaled = shown != target
    resizing = _PICTURE_BYTES * width * min(shown[1], _MOST_ROWS * height) if scaled else 0
    # What is not scaled is copied for the contrast.
    pictures = scaled + (recipe.contrast != 1.0) * (1 if scaled else 2) + (recipe.sharpen > 0)
    finishing = max(_encoder_bytes(recipe, width * height), _SHARPENING_BYTES * (recipe.sharpen > 0))
    return int(width * height * (_PICTURE_BYTES * pictures + finishing) + resizing)


def _encoder_bytes(recipe: Recipe, pixels: int) -> float:
    """Bytes a pixel that the encoder holds, the file among them."""
    if recipe.format == "avif":
        samples = _SAMPLES[recipe.subsampling]
        return 12 + 10 * samples if recipe.speed >= 6 else 29 + 11 * samples
    if recipe.format == "webp":
        return 11 if webp_effort(recipe, pixels) < 3 else 29
    # Whoever sends the coefficients more than once, or counts them first, holds all of them.
    return 3 + (2 * _SAMPLES[recipe.subsampling] if recipe.progressive or recipe.optimize else 0)
