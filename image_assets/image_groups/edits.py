"""What partners do to a picture before they offer it: seeded edits, by name.

`EDITS` are the kinds of the corpus: what a name leaves open (which corner, which words, how strong) is drawn from a
seed. `TABLE_EDITS` are the same hands at the one setting that benchmarks compare rules by. All are pure functions of an
RGB picture and are deterministic. Does not belong here: which pairs of pictures a corpus holds, and the demo's edits.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]
Colour = tuple[int, int, int]

MIRRORED = "mirrored"  # the same picture only where the policy says so

_BLACK: Colour = (0, 0, 0)
_WHITE: Colour = (255, 255, 255)
_NAMES = ("Aurora", "Bellavista", "Casa Mar", "Grand Hotel", "Lindenhof", "Sol y Mar", "Villa Rosa", "hotels.example")


def edited(image: Image.Image, kind: str, seed: int) -> Image.Image:
    """The picture after the edit `kind` of EDITS, in RGB; the same seed always gives the same picture.

    Raises KeyError for a kind that is not there.
    """
    # The kind takes part, so that two kinds with one seed do not draw the same corner.
    random = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    return EDITS[kind](image.convert("RGB"), random)


def as_jpeg(image: Image.Image, quality: int = 88) -> bytes:
    """The picture as a partner's server sends it."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    """The picture as it comes out of a JPEG file of this quality."""
    with Image.open(io.BytesIO(as_jpeg(image, quality))) as file:
        return file.convert("RGB")


def resized(image: Image.Image, across: float, down: float) -> Image.Image:
    """Width and height times a factor each, 8 pixels at least."""
    size = max(8, round(image.width * across)), max(8, round(image.height * down))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def cut(
    image: Image.Image, left: float = 0.0, top: float = 0.0, right: float = 0.0, bottom: float = 0.0
) -> Image.Image:
    """Shares of the width and the height cut off at each side."""
    return image.crop(
        (
            round(image.width * left),
            round(image.height * top),
            image.width - round(image.width * right),
            image.height - round(image.height * bottom),
        )
    )


def gamma_corrected(image: Image.Image, gamma: float) -> Image.Image:
    """Every channel to the power of `gamma`; below 1 is brighter."""
    table = [round(255 * (value / 255) ** gamma) for value in range(256)]
    return image.point(table * 3)


def white_balanced(image: Image.Image, red: float, blue: float) -> Image.Image:
    """The red and the blue channel times a factor each."""
    factors = (red, 1.0, blue)
    return image.point([min(255, round(value * factor)) for factor in factors for value in range(256)])


def grey(image: Image.Image) -> Image.Image:
    """The picture without colours."""
    return image.convert("L").convert("RGB")


def bordered(image: Image.Image, share: float, colour: Colour) -> Image.Image:
    """A frame that adds `share` of the width at the left and at the right, and of the height above and below."""
    return _padded(image, round(image.width * share), round(image.height * share), colour)


def letterboxed(image: Image.Image, ratio: float, colour: Colour) -> Image.Image:
    """Bars on two sides that bring the picture to `ratio` (width over height)."""
    return _padded(
        image,
        max(0, round((image.height * ratio - image.width) / 2)),
        max(0, round((image.width / ratio - image.height) / 2)),
        colour,
    )


def rotated(image: Image.Image, degrees: float) -> Image.Image:
    """Turned anticlockwise in its frame; the corners that fall open are black."""
    return image.rotate(degrees, Image.Resampling.BICUBIC)


def watermarked(
    image: Image.Image, text: str, centre: tuple[float, float], height: float, opacity: int, degrees: float = 0.0
) -> Image.Image:
    """Half transparent words: `centre` as shares of the size, `height` a share of the picture's, `opacity` of 255."""
    font = ImageFont.load_default(size=max(10, image.height * height))
    overlay = Image.new("RGBA", image.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(overlay)
    x, y = image.width * centre[0], image.height * centre[1]
    pen.text((x + 1.5, y + 1.5), text, font=font, anchor="mm", fill=(0, 0, 0, opacity // 2))
    pen.text((x, y), text, font=font, anchor="mm", fill=(255, 255, 255, opacity))
    if degrees:
        overlay = overlay.rotate(degrees, Image.Resampling.BICUBIC, center=(x, y))
    return Image.alpha_composite(image.convert("RGBA"), overlay).convert("RGB")


def with_logo(image: Image.Image, corner: int, share: float, text: str, colour: Colour) -> Image.Image:
    """A solid plate with a name in a corner (0 to 3, clockwise from the upper left), `share` of the width wide."""
    width = round(image.width * share)
    height = max(12, round(width * 0.38))
    left, top = _corner(image, corner, width, height, margin=round(image.width * 0.025))
    marked = image.copy()
    pen = ImageDraw.Draw(marked)
    pen.rounded_rectangle((left, top, left + width, top + height), radius=height // 5, fill=colour)
    font = ImageFont.load_default(size=max(8, width * 0.15))
    pen.text((left + width / 2, top + height / 2), text, font=font, anchor="mm", fill=_readable_on(colour))
    return marked


def with_badge(image: Image.Image, corner: int, share: float, text: str, colour: Colour) -> Image.Image:
    """A solid disc with few characters in a corner (as in `with_logo`), `share` of the short side across."""
    size = round(min(image.size) * share)
    left, top = _corner(image, corner, size, size, margin=round(size * 0.08))
    marked = image.copy()
    pen = ImageDraw.Draw(marked)
    pen.ellipse((left, top, left + size, top + size), fill=colour)
    font = ImageFont.load_default(size=max(8, size * 0.3))
    pen.text((left + size / 2, top + size / 2), text, font=font, anchor="mm", fill=_readable_on(colour))
    return marked


def with_banner(image: Image.Image, share: float, text: str, colour: Colour) -> Image.Image:
    """A solid bar over the bottom `share` of the height, with words."""
    height = round(image.height * share)
    top = image.height - height
    marked = image.copy()
    pen = ImageDraw.Draw(marked)
    pen.rectangle((0, top, image.width, image.height), fill=colour)
    font = ImageFont.load_default(size=max(8, height * 0.5))
    pen.text((image.width / 2, top + height / 2), text, font=font, anchor="mm", fill=_readable_on(colour))
    return marked


def _padded(image: Image.Image, across: int, down: int, colour: Colour) -> Image.Image:
    return ImageOps.expand(image, border=(across, down), fill=colour)


def _corner(image: Image.Image, corner: int, width: int, height: int, margin: int) -> tuple[int, int]:
    left = margin if corner in (0, 3) else image.width - width - margin
    top = margin if corner in (0, 1) else image.height - height - margin
    return left, top


def _readable_on(colour: Colour) -> Colour:
    return _BLACK if sum(colour) > 3 * 140 else _WHITE


# What is drawn from the seed, kind by kind.


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
    return letterboxed(image, wider, _BLACK if random.random() < 0.7 else _WHITE)


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
        for name, colour in (("white", _WHITE), ("black", _BLACK))
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

# One setting each, the ones that rules were compared by before; the off-centre crops keep the lower right.
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
        for name, colour in (("white", _WHITE), ("black", _BLACK))
        for share in (5, 20)
    },
    "letterbox 16:9 or 4:3": lambda image: letterboxed(
        image, 16 / 9 if image.width / image.height < 1.6 else 4 / 3, _BLACK
    ),
    "watermark text": partial(watermarked, text="hotels.example", centre=(0.5, 0.88), height=0.08, opacity=150),
    "logo": partial(with_logo, corner=0, share=0.18, text="Bellavista", colour=(20, 60, 120)),
    "corner badge": partial(with_badge, corner=1, share=0.22, text="-20%", colour=(210, 30, 40)),
    "banner over the bottom 10 %": partial(with_banner, share=0.1, text="book now", colour=(20, 60, 120)),
    "rotate 2°": partial(rotated, degrees=2.0),
    MIRRORED: ImageOps.mirror,
}
