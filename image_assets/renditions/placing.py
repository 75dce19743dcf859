"""Placing: which part of an image a rendition shows, and in which size.

Belongs here: the talk's rule for a box, cropping to fill a box, and what makes a part interesting.
Does not belong here: scaling.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_assets.renditions.recipes import Recipe

Size = tuple[int, int]

# Above this a step between neighbouring pixels counts no more: leaves and gravel are no more interesting than a bed.
_STRONGEST_EDGE = 40


def placed(width: int, height: int, recipe: Recipe) -> tuple[Size, Size]:
    """(size of the part shown, size of the rendition), both in pixels, for an upright image of this size.

    Without a crop the whole image is shown; with one, the largest part that has the shape of the recipe's box. When
    that part is smaller than the box and must not be enlarged, the rendition has its size: the box's shape all the
    same.
    """
    box = recipe.width, recipe.height
    if recipe.crop is None:
        size = scaled_size(width, height, *box) if recipe.enlarge else fitted_size(width, height, *box)
        return (width, height), size
    if width * box[1] > height * box[0]:
        part = max(1, height * box[0] // box[1]), height
    else:
        part = width, max(1, width * box[1] // box[0])
    enough = part[0] >= box[0] and part[1] >= box[1]
    return part, box if enough or recipe.enlarge else part


def fitted_size(width: int, height: int, box_width: int, box_height: int) -> Size:
    """The size that fits the box with the same shape, by the talk's integer rule; never enlarged, at least 1 px."""
    if width <= box_width and height <= box_height:
        return width, height
    return scaled_size(width, height, box_width, box_height)


def scaled_size(width: int, height: int, box_width: int, box_height: int) -> Size:
    """The talk's integer rule: compare box_width · height with box_height · width, and scale to the tighter side."""
    if box_width * height < box_height * width:
        return box_width, max(1, height * box_width // width)
    return max(1, width * box_height // height), box_height


def part_shown(image: Image.Image, size: Size, part: Size, crop: str | None) -> tuple[int, int]:
    """(left, top) of the part that is shown, in pixels of an image of `size`; `image` is the same in any smaller size.

    "interesting" slides the part along the side where there is room, to where the sum of detail (steps of luma between
    neighbours) and colourfulness is largest; of equal places it takes the one nearest to the middle.
    """
    room = size[0] - part[0], size[1] - part[1]
    if crop != "interesting" or not any(room):
        return room[0] // 2, room[1] // 2
    along = 0 if room[0] else 1
    interest = _interest(image).sum(axis=0 if along == 0 else 1)
    # The interest of every pixel of the whole image along that side, and of all before it.
    spread = interest[np.arange(size[along]) * len(interest) // size[along]]
    before = np.concatenate([[0], np.cumsum(spread)])
    inside = before[part[along] :] - before[: room[along] + 1]
    best = np.flatnonzero(inside == inside.max())
    offset = int(best[np.abs(2 * best - room[along]).argmin()])
    return (offset, room[1] // 2) if along == 0 else (room[0] // 2, offset)


def _interest(image: Image.Image) -> NDArray[np.int64]:
    """(height, width): whole numbers, so that every machine finds the same part."""
    hsv: NDArray[Any] = np.asarray(image.convert("HSV"))
    luma = np.asarray(image.convert("L")).astype(np.int64)
    steps = np.zeros_like(luma)
    steps[:, 1:] += np.abs(np.diff(luma, axis=1))
    steps[1:, :] += np.abs(np.diff(luma, axis=0))
    colourful = hsv[..., 1].astype(np.int64) * hsv[..., 2] // (255 * 16)
    interest: NDArray[np.int64] = np.minimum(steps, _STRONGEST_EDGE) + colourful
    return interest
