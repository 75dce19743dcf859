"""The kinds of edits in the corpus: what a kind leaves open (which corner, which words, how strong) comes from a seed.

Pure and deterministic. Does not belong here: the edits themselves (`edits`), which copies are made (`making`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from image_assets.dedup_quality.edits import (
    BLACK,
    WHITE,
    Colour,
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

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]

MIRRORED = "mirrored"  # the same picture only where the policy says so

_NAMES = ("Aurora", "Bellavista", "Casa Mar", "Grand Hotel", "Lindenhof", "Sol y Mar", "Villa Rosa", "hotels.example")


def edited(image: Image.Image, kind: str, seed: int) -> Image.Image:
    """The picture after the edit `kind` of EDITS, in RGB; the same seed always gives the same picture.

    Raises KeyError for a kind that is not there.
    """
    # The kind takes part, so that two kinds with one seed do not draw the same corner.
    random = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    return EDITS[kind](image.convert("RGB"), random)


def _either(random: np.random.Generator, low: tuple[float, float], high: tuple[float, float]) -> float:
    """A factor below 1 or above 1, never near it: an edit that does nothing proves nothing."""
    return float(random.uniform(*(low if random.random() < 0.5 else high)))


def _any_colour(random: np.random.Generator) -> Colour:
    red, green, blue = (int(value) for value in random.integers(0, 256, 3))
    return red, green, blue


def _any_name(random: np.random.Generator) -> str:
    return str(random.choice(_NAMES))


def _jpeg_30(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return recompressed(image, 30 + int(random.integers(-5, 6)))


def _scaled(image: Image.Image, random: np.random.Generator, factor: float) -> Image.Image:
    exact = factor * float(random.uniform(0.9, 1.1))
    return resized(image, exact, exact)


def _stretched(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return resized(image, _either(random, (0.75, 0.92), (1.08, 1.3)), 1.0)


def _brightness(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(_either(random, (0.7, 0.9), (1.1, 1.3)))


def _contrast(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(_either(random, (0.7, 0.9), (1.1, 1.35)))


def _gamma(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return gamma_corrected(image, _either(random, (0.7, 0.9), (1.1, 1.4)))


def _white_balance(image: Image.Image, random: np.random.Generator) -> Image.Image:
    warmth = _either(random, (0.8, 0.93), (1.07, 1.2))
    return white_balanced(image, warmth, 1 / warmth)


def _grey(image: Image.Image, random: np.random.Generator) -> Image.Image:
    del random  # nothing is left open
    return grey(image)


def _centred_crop(image: Image.Image, random: np.random.Generator, share: float) -> Image.Image:
    side = share * float(random.uniform(0.9, 1.1)) / 2
    return cut(image, side, side, side, side)


def _off_centre_crop(image: Image.Image, random: np.random.Generator, share: float) -> Image.Image:
    """`share` of width and height, most or all of it at one side of each."""
    across, down = (float(value) for value in random.uniform(0, 0.2, 2))
    x, y = (share * (part if random.random() < 0.5 else 1 - part) for part in (across, down))
    return cut(image, left=x, right=share - x, top=y, bottom=share - y)


def _cut_side(image: Image.Image, random: np.random.Generator, side: str) -> Image.Image:
    share = 0.15 * float(random.uniform(0.85, 1.15))
    return cut(image, **{side: share})


def _border(image: Image.Image, random: np.random.Generator, share: float, colour: Colour) -> Image.Image:
    return bordered(image, share * float(random.uniform(0.9, 1.1)), colour)


def _letterbox(image: Image.Image, random: np.random.Generator) -> Image.Image:
    wider = image.width / image.height * _either(random, (0.65, 0.85), (1.18, 1.5))
    return letterboxed(image, wider, BLACK if random.random() < 0.7 else WHITE)


def _watermark(image: Image.Image, random: np.random.Generator) -> Image.Image:
    centre = (float(random.uniform(0.3, 0.7)), float(random.choice([0.12, 0.5, 0.88])))
    degrees = float(random.choice([0.0, 0.0, 30.0]))
    return watermarked(
        image, _any_name(random), centre, float(random.uniform(0.05, 0.11)), int(random.integers(100, 190)), degrees
    )


def _logo(image: Image.Image, random: np.random.Generator) -> Image.Image:
    corner, share = int(random.integers(4)), float(random.uniform(0.14, 0.22))
    return with_logo(image, corner, share, _any_name(random), _any_colour(random))


def _badge(image: Image.Image, random: np.random.Generator) -> Image.Image:
    text = f"-{int(random.integers(2, 10)) * 5}%"
    return with_badge(image, int(random.integers(4)), float(random.uniform(0.18, 0.27)), text, _any_colour(random))


def _banner(image: Image.Image, random: np.random.Generator) -> Image.Image:
    return with_banner(image, 0.1, f"{_any_name(random)}: book now", _any_colour(random))


def _rotated(image: Image.Image, random: np.random.Generator) -> Image.Image:
    degrees = float(random.uniform(1.5, 2.0))
    return rotated(image, degrees if random.random() < 0.5 else -degrees)


def _mirrored(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Copied from a mirrored site at another size and quality."""
    return recompressed(ImageOps.mirror(_scaled(image, random, 0.8)), int(random.integers(55, 90)))


EDITS: Mapping[str, Edit] = {
    "JPEG 30": _jpeg_30,
    "half size": partial(_scaled, factor=0.5),
    "quarter size": partial(_scaled, factor=0.25),
    "stretch": _stretched,
    "brightness": _brightness,
    "contrast": _contrast,
    "gamma": _gamma,
    "white balance": _white_balance,
    "grey": _grey,
    **{f"centred crop {share} %": partial(_centred_crop, share=share / 100) for share in (5, 10, 20, 30, 40)},
    **{f"off-centre crop {share} %": partial(_off_centre_crop, share=share / 100) for share in (10, 20, 30)},
    **{f"cut 15 % off the {side}": partial(_cut_side, side=side) for side in ("bottom", "top", "left", "right")},
    **{
        f"{name} border {share} %": partial(_border, share=share / 100, colour=colour)
        for name, colour in (("white", WHITE), ("black", BLACK))
        for share in (5, 20)
    },
    "letterbox": _letterbox,
    "watermark": _watermark,
    "logo": _logo,
    "corner badge": _badge,
    "banner over the bottom 10 %": _banner,
    "rotate 2°": _rotated,
    MIRRORED: _mirrored,
}
