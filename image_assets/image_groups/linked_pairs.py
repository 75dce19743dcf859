"""Linked pairs as one picture: each pair laid side by side as the rule aligned it, so that a person can judge it.

Pure: Pillow images in, one image out. Does not belong here: which pairs are linked, and finding where one lies in the
other.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from PIL import Image, ImageDraw, ImageFont, ImageOps

from image_assets.image_groups.similarity import Window

WHOLE: Window = (0.0, 0.0, 1.0, 1.0)

_PAPER, _INK, _SOFT, _LINE, _FRAME = "#f6f5f2", "#1f2328", "#6a6f76", "#dcd8d0", "#e0542f"
_MARGIN, _GAP, _TEXT = 24, 12, 22
_CUT = (360, 270)  # pixels: both cuts of a pair are shown in this box, in one size
_OVERVIEW = (200, 150)  # the box of a whole image, its cut framed


@dataclass(frozen=True, eq=False)
class Side:
    """One image of a pair, upright and RGB; what the other shows of it too, as fractions; its names."""

    image: Image.Image
    shared: Window
    names: Sequence[str]
    mirrored: bool = False  # the cut is shown turned left to right


@dataclass(frozen=True, eq=False)
class LinkedPair:
    """Two images and what is said of their link, above them."""

    first: Side
    second: Side
    title: str


def draw_pairs(heading: str, pairs: Sequence[LinkedPair]) -> Image.Image:
    """A row for each pair: the first image with its cut framed, both cuts in one size, the second image likewise."""
    width = 2 * _MARGIN + 2 * _CUT[0] + 2 * _OVERVIEW[0] + 3 * _GAP
    sizes = [ImageOps.contain(_cut(pair.second), _CUT).size for pair in pairs]
    heights = [_TEXT + max(size[1] + 3 * _TEXT, _OVERVIEW[1]) + _GAP for size in sizes]
    sheet = Image.new("RGB", (width, 2 * _MARGIN + _TEXT + sum(heights)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN - 8), heading, fill=_INK, font=_font(17))
    tops = accumulate(heights, initial=_MARGIN + _TEXT)
    for pair, size, top in zip(pairs, sizes, tops, strict=False):
        draw.line((_MARGIN, top, width - _MARGIN, top), fill=_LINE)
        draw.text((_MARGIN, top + 3), pair.title, fill=_INK, font=_font(14))
        _draw_pair(sheet, draw, pair, size, top + _TEXT + 4)
    return sheet


def _draw_pair(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, pair: LinkedPair, size: tuple[int, int], top: int
) -> None:
    left = _MARGIN + _OVERVIEW[0] + _GAP
    for side, overview_left, cut_left in (
        (pair.first, _MARGIN, left),
        (pair.second, left + 2 * _CUT[0] + 2 * _GAP, left + _CUT[0] + _GAP),
    ):
        sheet.paste(_overview(side), (overview_left, top))
        shown = _cut(side).resize(size, Image.Resampling.LANCZOS)
        sheet.paste(ImageOps.mirror(shown) if side.mirrored else shown, (cut_left, top))
        for line, name in enumerate(side.names):
            draw.text((cut_left, top + size[1] + 3 + line * _TEXT), _shortened(name), fill=_SOFT, font=_font(13))


def _cut(side: Side) -> Image.Image:
    """The part of the image that the other one shows too; at least a pixel."""
    return side.image.crop(_box(side.shared, side.image.size))


def _overview(side: Side) -> Image.Image:
    """The whole image, small, the cut framed where it is not all of it to the eye."""
    small = ImageOps.contain(side.image, _OVERVIEW)
    left, top, right, bottom = _box(side.shared, small.size)
    if right - left < small.width - 1 or bottom - top < small.height - 1:
        ImageDraw.Draw(small).rectangle((left, top, right - 1, bottom - 1), outline=_FRAME, width=2)
    return small


def _box(part: Window, size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top = min(int(part[0] * size[0]), size[0] - 1), min(int(part[1] * size[1]), size[1] - 1)
    return left, top, max(left + 1, round(part[2] * size[0])), max(top + 1, round(part[3] * size[1]))


def _shortened(name: str) -> str:
    """As much of a name as fits under its cut: its end, where URLs differ."""
    while name and _font(13).getlength(name) > _CUT[0]:
        name = "…" + name[max(2, len(name) // 20) :].lstrip("…")
    return name


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font of this machine that has the letters of most names; Pillow's own has little more than ASCII."""
    for name in ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf"):
        with suppress(OSError):
            return ImageFont.truetype(name, size)
    return ImageFont.load_default(size=size)
