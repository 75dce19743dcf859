"""Pictures to render, and their files."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from image_assets.renditions import Rendition


@cache
def scene(width: int = 800, height: int = 600, seed: int = 0) -> Image.Image:
    """A smooth coloured scene with sharp edges and a little noise; red marks its upper left corner."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [128 + 70 * np.sin(x / (40 + 25 * c) + seed) + 40 * np.cos(y / (60 - 12 * c)) for c in range(3)]
    noisy = np.stack(waves, axis=-1) + random.normal(0, 4, (height, width, 3))
    image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.rectangle((width // 2, height // 2, width * 3 // 4, height * 3 // 4), fill=(20, 60, 160))
    draw.rectangle((0, 0, width // 4, height // 4), fill=(220, 30, 30))
    return image


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def opened(rendition: Rendition) -> Image.Image:
    image = Image.open(io.BytesIO(rendition.data))
    image.load()
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean absolute difference of two images of one size, in levels of 255."""
    assert one.size == other.size
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())
