"""Scaling: one RGB picture in many sizes.

The resize is that of `cykooz-resizer` (Rust's fast_image_resize: Lanczos in whole numbers, equal on every processor),
in a sixth of the time of Pillow's. Does not belong here: which sizes and parts are wanted (placing).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from cykooz_resizer import CropBox, FilterType, ResizeAlg, ResizeOptions, Resizer
from PIL import Image

from image_assets.renditions.canvas import Canvas

Box = tuple[float, float, float, float]
Size = tuple[int, int]

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

# A rendition is scaled from the smallest halving that is this many times as large, by a fixed rule: it must not depend
# on which other sizes are made beside it. So much is needed for files no larger than libvips' at the same SSIM.
_MARGIN = 1.7

# What a resizer works in, rows as wide as the target, it keeps for ever: one that needs more is not kept.
_KEPT_BYTES = 32 << 20

_CANVAS = Canvas()


class _Kept(threading.local):
    """Every thread's own resizer, which keeps the memory it works in."""

    def __init__(self) -> None:
        self.resizer = Resizer()


_KEPT = _Kept()


@dataclass
class Halvings:
    """A picture and its halvings, each made when it is first needed. For one thread.

    extent: (width, height) of the picture in pixels of its image, whose last column or row may reach beyond it.
    """

    extent: tuple[float, float]
    images: list[Image.Image]
    resizer: Resizer = field(default_factory=lambda: _KEPT.resizer)


def scaled(halvings: Halvings, part: Box, target: Size) -> Image.Image:
    """A part of the picture (left, top, width, height as shares of 1) in the target's size (pixels).

    The result may stand on the canvas: it is valid until the next one is asked for, and must not be changed.
    """
    images, steps = halvings.images, 0
    while True:
        width, height = images[steps].size
        half = (width + 1) // 2, (height + 1) // 2
        small = half[0] * part[2] < _MARGIN * target[0] or half[1] * part[3] < _MARGIN * target[1]
        # A halving that is just what is asked for is made; one pixel has none.
        if (small and (half, WHOLE) != (target, part)) or half == (width, height):
            break
        if steps + 1 == len(images):
            images.append(_resized(halvings, steps, WHOLE, half, halving=True))
        steps += 1
    return _resized(halvings, steps, part, target)


def _resized(halvings: Halvings, steps: int, part: Box, target: Size, *, halving: bool = False) -> Image.Image:
    image = halvings.images[steps]
    if image.size == target and part == WHOLE:
        return image
    width, height = halvings.extent if steps == 0 else image.size
    # Shares of an image's sides are not exact; a box beyond its edge would be refused.
    left, top = min(part[0] * width, image.width - 1), min(part[1] * height, image.height - 1)
    box = CropBox(left, top, min(part[2] * width, image.width - left), min(part[3] * height, image.height - top))
    options = ResizeOptions(ResizeAlg.convolution(FilterType.lanczos3))
    options.crop_box = box
    result = Image.new("RGB", target) if halving else _CANVAS.picture(target)[0]
    kept = 4 * target[0] * box.height <= _KEPT_BYTES
    (halvings.resizer if kept else Resizer()).resize_pil(image, result, options)
    return result
