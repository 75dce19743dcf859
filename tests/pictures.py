"""Pictures drawn by code, seeded: different seeds are different pictures, edits of one are the same picture."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont


@cache
def drawn(seed: int, width: int = 640, height: int = 480) -> Image.Image:
    """A scene of soft light and many shapes, unlike that of any other seed."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = random.integers(0, width), random.integers(0, height)
        w, h = random.integers(20, width // 3), random.integers(20, height // 3)
        colour = tuple(int(c) for c in random.integers(0, 256, 3))
        shape = draw.ellipse if random.random() < 0.4 else draw.rectangle
        shape((x - w // 2, y - h // 2, x + w // 2, y + h // 2), fill=colour)
    return image.filter(ImageFilter.GaussianBlur(1))


@cache
def no_image_available(width: int = 640, height: int = 480) -> Image.Image:
    """What servers answer where they have no picture: a symbol and words on grey."""
    image = Image.new("RGB", (width, height), (224, 224, 224))
    draw = ImageDraw.Draw(image)
    draw.rectangle((240, 120, 400, 250), outline=(150, 150, 150), width=8)
    draw.polygon([(250, 240), (300, 170), (340, 220), (365, 195), (390, 240)], fill=(150, 150, 150))
    draw.text((200, 290), "No image available", fill=(120, 120, 120), font=ImageFont.load_default(size=28))
    return image


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def scaled(image: Image.Image, factor: float) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


def centre_crop(image: Image.Image, share: float) -> Image.Image:
    """Cut `share` of width and height away, half from each side."""
    dx, dy = round(image.width * share / 2), round(image.height * share / 2)
    return image.crop((dx, dy, image.width - dx, image.height - dy))
