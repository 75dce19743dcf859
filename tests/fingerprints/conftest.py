"""Pictures drawn by code, for the tests of this room."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

Draw = Callable[..., Image.Image]
Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def draw() -> Draw:
    """`draw(width, height, seed)`: an RGB scene of gradients, shapes and some noise, the same each time."""

    def scene(width: int, height: int, seed: int = 0) -> Image.Image:
        rng = np.random.default_rng(seed)
        across, down = np.arange(width), np.arange(height)[:, None]
        ramps = [(across * a + down * b) // c % 256 for a, b, c in rng.integers(1, 9, (3, 3))]
        image = Image.fromarray(np.stack(ramps, axis=2).astype(np.uint8))
        pen = ImageDraw.Draw(image)
        for _ in range(12):
            left, right = np.sort(rng.integers(0, width, 2)).tolist()
            top, bottom = np.sort(rng.integers(0, height, 2)).tolist()
            shape = pen.ellipse if rng.integers(2) else pen.rectangle
            shape((left, top, right, bottom), fill=tuple(rng.integers(0, 256, 3).tolist()))
        noise = rng.integers(-8, 9, (height, width, 3))
        return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))

    return scene


@pytest.fixture(scope="session")
def encode() -> Encode:
    """`encode(image, format, **options)`: the bytes of the file; PNG unless told."""

    def to_bytes(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
        file = io.BytesIO()
        image.save(file, file_format, **options)
        return file.getvalue()

    return to_bytes
