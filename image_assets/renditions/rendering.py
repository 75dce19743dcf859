"""Rendering: one image's bytes in, its renditions out, all in memory.

Belongs here: the order of the work. Its steps have modules of their own: decoding, colour, placing, scaling, contrast,
encoding. Does not belong here: which recipes there are (recipes_file), where renditions are stored (the asset).

A rendition depends on the image and its own recipe alone, never on which others are made with it: a recipe added later
must give the bytes it would have given before. So what the recipes share is cut by fixed rules: a decode in one of four
scales, and its halvings.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from PIL import Image, ImageFilter, UnidentifiedImageError

from image_assets.renditions.colour import Colour
from image_assets.renditions.decoding import (
    SCALES,
    Decoded,
    Source,
    TooMuchMemory,
    decode,
    decoding_scale,
    read_header,
)
from image_assets.renditions.encoding import Rendition, encoded
from image_assets.renditions.placing import Size, fitted_size, part_shown, placed
from image_assets.renditions.recipe_memory import making_bytes
from image_assets.renditions.recipes import Recipe
from image_assets.renditions.scaling import WHOLE, Box, Halvings, scaled

_T = TypeVar("_T")

# An unsharp mask of this radius (pixels) brings back what scaling softens; smaller steps than the threshold are grain.
_SHARPEN_RADIUS = 0.8
_SHARPEN_THRESHOLD = 2

_INTEREST_SIDE = 160  # pixels of the small picture in which the interesting part is looked for


class RenderingFailed(Exception):
    """An image cannot be rendered: it is not an image, or it is damaged. `reason` says which, in one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def render(data: bytes, recipes: Sequence[Recipe]) -> dict[str, Rendition]:
    """Make the renditions of one image, by recipe name, in the order of the recipes.

    The image is turned upright by its EXIF orientation, converted to sRGB by its embedded profile, flattened on the
    recipe's background, scaled to fit the recipe's box or cropped to fill it, given the recipe's contrast and
    sharpness, and encoded; of its metadata only copyright, artist and credit are kept.
    Of an animation the first frame is taken. Equal input gives equal bytes. May be called from many threads.
    Raises RenderingFailed when the image cannot be read, or not in the memory that is allowed (decoder_memory).
    """
    renditions: dict[str, Rendition] = {}
    try:
        source = read_header(data)
        for (scale, background), together in _grouped(recipes, lambda recipe: _decode_for(source, recipe)[0]):
            renditions |= _rendered(source.size, decode(source, scale, background), together)
    except MemoryError:
        raise
    # Pillow's decoders raise whatever the damage trips: OSError, SyntaxError, ValueError, struct.error, KeyError ...
    except Exception as error:
        raise RenderingFailed(_reason(error)) from error
    return {recipe.name: renditions[recipe.name] for recipe in recipes}


def memory_to_render(data: bytes, recipes: Sequence[Recipe]) -> int:
    """Bytes that `render` takes at most beside the file and the renditions, by the file's header; 0 without one."""
    try:
        source = read_header(data)
        return max((_decode_for(source, recipe)[1] for recipe in recipes), default=0)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  rendering will tell what is wrong with the file
        return 0


def _decode_for(source: Source, recipe: Recipe) -> tuple[tuple[int, Colour], int]:
    """How many times smaller to decode the file for a recipe, the background; and the bytes that it all takes at most.

    Raises TooMuchMemory when every decode that has all pixels of the rendition takes more than is allowed.
    """
    part, target = placed(*source.size, recipe)

    def memory(scale: int) -> int:
        shown = -(-part[0] // scale), -(-part[1] // scale)
        decoding, left = source.memory[scale]
        return max(decoding, left + making_bytes(recipe, shown, target))

    best = decoding_scale(source.size, part, target)
    smallest = min(part[0] / target[0], part[1] / target[1])
    scales = [scale for scale in SCALES if scale == best or best < scale <= smallest]
    # The best decode leaves some room, for sharpness; a large rendition is rather softer than none.
    scale = next((scale for scale in scales if memory(scale) <= source.memory_allowed), None)
    if scale is None:
        raise TooMuchMemory(f"rendition {recipe.name}", memory(scales[-1]), source.memory_allowed)
    return (scale, recipe.background if source.may_be_transparent else (0, 0, 0)), memory(scale)


def _rendered(size: Size, decoded: Decoded, recipes: Sequence[Recipe]) -> dict[str, Rendition]:
    """The renditions of an image of `size` (upright, as stored) from one decode."""
    # Contrast imports Numba, which costs half a second; whoever only reads recipes shall not pay for it.
    from image_assets.renditions.contrast import with_contrast

    halvings = Halvings(decoded.extent, [decoded.image])
    renditions: dict[str, Rendition] = {}
    # Large boxes often ask the same of a small image, and several formats the same pixels: make these once.
    for (part, target, crop), of_size in _grouped(recipes, lambda recipe: (*placed(*size, recipe), recipe.crop)):
        plain = scaled(halvings, _share_shown(halvings, size, part, crop), target)
        for (contrast, sharpen), of_look in _grouped(of_size, lambda recipe: (recipe.contrast, recipe.sharpen)):
            picture = _sharpened(with_contrast(plain, contrast), sharpen)
            # Saving would copy a comment and more from here into the file.
            picture.info = {}
            for anonymous, alike in _grouped(of_look, lambda recipe: replace(recipe, name="", width=1, height=1)):
                rendition = encoded(picture, anonymous, decoded.attribution)
                renditions |= {recipe.name: rendition for recipe in alike}
    return renditions


def _share_shown(halvings: Halvings, size: Size, part: Size, crop: str | None) -> Box:
    """Left, top, width and height of the part that is shown, as shares of the whole."""
    if part == size:
        return WHOLE
    small = fitted_size(*size, _INTEREST_SIDE, _INTEREST_SIDE)
    left, top = part_shown(scaled(halvings, WHOLE, small), size, part, crop)
    return left / size[0], top / size[1], part[0] / size[0], part[1] / size[1]


def _sharpened(image: Image.Image, percent: int) -> Image.Image:
    return image.filter(ImageFilter.UnsharpMask(_SHARPEN_RADIUS, percent, _SHARPEN_THRESHOLD)) if percent else image


_Key = TypeVar("_Key", bound=Hashable)


def _grouped(items: Iterable[_T], key: Callable[[_T], _Key]) -> list[tuple[_Key, list[_T]]]:
    """The items by key, in the order in which each key comes first."""
    groups: dict[_Key, list[_T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.items())


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image in a known format"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels"
    if isinstance(error, TooMuchMemory):
        return str(error)
    return f"cannot be decoded: {' '.join(str(error).split()) or type(error).__name__}"
