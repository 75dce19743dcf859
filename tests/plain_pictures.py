"""Pictures with little in them, drawn by code and seeded: different ones differ in few places, or hardly at all."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

_DOWN, _ACROSS = np.mgrid[0:480, 0:640] / np.array([480, 640])[:, None, None]


def night(seed: int) -> Image.Image:
    """Some lamps in the dark."""
    random = np.random.default_rng(seed)
    image = Image.new("L", (640, 480), 9)
    draw = ImageDraw.Draw(image)
    for _ in range(random.integers(4, 12)):
        x, y, radius = random.integers(0, 640), random.integers(150, 480), random.integers(4, 14)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=int(random.integers(80, 250)))
    return _grainy(np.asarray(image.filter(ImageFilter.GaussianBlur(4)), dtype=float), seed)


def pale_wall(seed: int) -> Image.Image:
    """A white wall that the light falls on from one side."""
    random = np.random.default_rng(seed)
    return _grainy(228 + random.uniform(6, 14) * _ACROSS + random.uniform(-4, 4) * _DOWN, seed)


def clear_sky(seed: int) -> Image.Image:
    """Nothing but blue, lighter towards the horizon."""
    random = np.random.default_rng(seed)
    return _grainy(random.uniform(140, 144) + random.uniform(50, 60) * _DOWN + random.uniform(-3, 3) * _ACROSS, seed)


def calm_sea(seed: int) -> Image.Image:
    """A clear sky over flat water."""
    random = np.random.default_rng(seed)
    horizon = 0.5 + random.uniform(-0.005, 0.005)
    sky, water = 150 + 40 * _DOWN, 90 + random.uniform(-2, 2) + 20 * _DOWN
    return _grainy(np.where(horizon > _DOWN, sky, water), seed)


def logo(name: str) -> Image.Image:
    """A ring over a name."""
    image = Image.new("RGB", (640, 480), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((270, 110, 370, 210), outline=(20, 60, 120), width=14)
    font = ImageFont.load_default(size=44)
    draw.text((320 - draw.textlength(name, font=font) / 2, 270), name, fill=(20, 60, 120), font=font)
    return image


def _grainy(grey: np.ndarray, seed: int) -> Image.Image:
    grain = np.random.default_rng((seed, 1)).normal(0, 1.5, grey.shape)
    return Image.fromarray((grey + grain).clip(0, 255).astype(np.uint8))
