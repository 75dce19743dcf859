"""The edits of `same_picture.py`, each at one setting. Off-centre crops keep the lower right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from PIL import Image, ImageEnhance, ImageOps

from image_assets.dedup_quality.drawn_edits import MIRRORED
from image_assets.dedup_quality.edits import (
    BLACK,
    WHITE,
    bordered,
    cut,
    gamma_corrected,
    grey,
    letterboxed,
    recompressed,
    resized,
    rotated,
    watermarked,
    white_balanced,
    with_badge,
    with_banner,
    with_logo,
)

TABLE_EDITS: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG 30": partial(recompressed, quality=30),
    "half size": partial(resized, across=0.5, down=0.5),
    "quarter size": partial(resized, across=0.25, down=0.25),
    "stretch": partial(resized, across=1.2, down=1.0),
    "brightness × 1.3": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "contrast × 1.3": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "gamma 1.3": partial(gamma_corrected, gamma=1.3),
    "white balance": partial(white_balanced, red=1.15, blue=0.87),
    "grey": grey,
    **{
        f"centred crop {share} %": partial(
            cut, left=share / 200, top=share / 200, right=share / 200, bottom=share / 200
        )
        for share in (5, 10, 20, 30, 40)
    },
    **{f"off-centre crop {share} %": partial(cut, left=share / 100, top=share / 100) for share in (10, 20, 30)},
    "cut 15 % off the bottom": partial(cut, bottom=0.15),
    "cut 15 % off the left": partial(cut, left=0.15),
    **{
        f"{name} border {share} %": partial(bordered, share=share / 100, colour=colour)
        for name, colour in (("white", WHITE), ("black", BLACK))
        for share in (5, 20)
    },
    "letterbox 16:9 or 4:3": lambda image: letterboxed(
        image, 16 / 9 if image.width / image.height < 1.6 else 4 / 3, BLACK
    ),
    "watermark text": partial(watermarked, text="hotels.example", centre=(0.5, 0.88), height=0.08, opacity=150),
    "logo": partial(with_logo, corner=0, share=0.18, text="Bellavista", colour=(20, 60, 120)),
    "corner badge": partial(with_badge, corner=1, share=0.22, text="-20%", colour=(210, 30, 40)),
    "banner over the bottom 10 %": partial(with_banner, share=0.1, text="book now", colour=(20, 60, 120)),
    "rotate 2°": partial(rotated, degrees=2.0),
    MIRRORED: ImageOps.mirror,
}
