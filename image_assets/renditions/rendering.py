"""Rendering: one image's bytes in, its renditions out.

Belongs here: decoding, orientation, colour, transparency, scaling, contrast and encoding, all in memory.
Does not belong here: which recipes there are (recipes), where renditions are stored (the asset).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from image_assets.renditions.recipes import Recipe
from image_assets.shown_pixels import eight_bit, exif_orientation, laid_on_background, turned_upright

if TYPE_CHECKING:
    from image_assets.renditions.scaling import Source

# A rendition depends on the image and its own recipe alone, never on which others are made with it: a recipe added
# later must give the bytes it would have given before. So what the recipes share is cut by fixed rules: one decode,
# and its halvings. A rendition is scaled from the smallest halving that is this many times as large; then it cannot
# be told from one scaled from the full size (measured on photographs: at least 48 dB PSNR).
_MARGIN = 2
# No JPEG is decoded smaller than this long side, so that recipes up to half of it share one decode.
_SMALLEST_DECODE = 3840

_TURNED = (5, 6, 7, 8)  # orientations that exchange width and height

_RAMP = Image.frombytes("L", (256, 1), bytes(range(256)))


@dataclass(frozen=True)
class Rendition:
    """One encoded picture: its bytes, its size in pixels, and the name of its format (`jpeg`)."""

    data: bytes
    width: int
    height: int
    format: str


class RenderingFailed(Exception):
    """An image cannot be rendered: it is not an image, or it is damaged. `reason` says which, in one line."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def render(data: bytes, recipes: Sequence[Recipe]) -> dict[str, Rendition]:
    """Make the renditions of one image, by recipe name, in the order of the recipes.

    The image is turned upright by its EXIF orientation, converted to sRGB by its embedded profile, flattened on white,
    scaled to fit each recipe's box (never enlarged), given the recipe's contrast, and encoded without metadata.
    Of an animation the first frame is taken. Equal input gives equal bytes. May be called from many threads.
    Raises RenderingFailed when the image cannot be read.
    """
    renditions: dict[str, Rendition] = {}
    try:
        image = Image.open(io.BytesIO(data))
        orientation = exif_orientation(image)
        size = image.size[::-1] if orientation in _TURNED else image.size
        targets = {recipe.name: fitted_size(*size, recipe.width, recipe.height) for recipe in recipes}
        scales = {name: _decoding_scale(image, target) for name, target in targets.items()}
        for index, scale in enumerate(sorted(set(scales.values()))):
            upright = _decoded(image if index == 0 else Image.open(io.BytesIO(data)), scale, orientation)
            renditions |= _rendered(upright, [r for r in recipes if scales[r.name] == scale], targets)
    except MemoryError:
        raise
    # Pillow's decoders raise whatever the damage trips: OSError, SyntaxError, ValueError, struct.error, KeyError ...
    except Exception as error:
        raise RenderingFailed(_reason(error)) from error
    return {recipe.name: renditions[recipe.name] for recipe in recipes}


def fitted_size(width: int, height: int, box_width: int, box_height: int) -> tuple[int, int]:
    """The size that fits the box with the same shape, by the talk's integer rule; never enlarged, at least 1 px."""
    if width <= box_width and height <= box_height:
        return width, height
    if box_width * height < box_height * width:
        return box_width, max(1, height * box_width // width)
    return max(1, width * box_height // height), box_height


def _decoding_scale(image: Image.Image, target: tuple[int, int]) -> int:
    """How many times smaller (1, 2, 4 or 8) an image may be decoded for the target to lose nothing visible."""
    if image.format not in ("JPEG", "MPO"):
        return 1
    longest, needed = max(image.size), max(_SMALLEST_DECODE, _MARGIN * max(target))
    return next(scale for scale in (8, 4, 2, 1) if scale == 1 or longest >= scale * needed)


def _decoded(image: Image.Image, scale: int, orientation: int) -> Image.Image:
    """The image upright in sRGB; a JPEG `scale` times smaller, which its decoder does for less than nothing."""
    if scale > 1:
        image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))
    upright = turned_upright(_in_srgb(image), orientation)
    # Saving would copy a comment and XMP from here into the file.
    upright.info = {}
    return upright


def _rendered(
    upright: Image.Image, recipes: Sequence[Recipe], targets: Mapping[str, tuple[int, int]]
) -> dict[str, Rendition]:
    # Numba costs half a second; whoever only reads recipes shall not pay for it.
    from image_assets.renditions.scaling import Source

    halvings = [Source(upright)]
    # Large boxes often ask the same of a small image: make it once.
    made: dict[tuple[tuple[int, int], float, int], Rendition] = {}
    renditions = {}
    for recipe in recipes:
        wanted = (targets[recipe.name], recipe.contrast, recipe.quality)
        if wanted not in made:
            scaled = _scaled(halvings, targets[recipe.name])
            made[wanted] = _encoded(_with_contrast(scaled, recipe.contrast), recipe)
        renditions[recipe.name] = made[wanted]
    return renditions


def _scaled(halvings: list[Source], target: tuple[int, int]) -> Image.Image:
    """The first of `halvings` in the target's size, by way of the others, which are appended as needed."""
    from image_assets.renditions.scaling import Source, resize

    (width, height), (target_width, target_height) = halvings[0].image.size, target
    steps = 0
    while width >> (steps + 1) >= _MARGIN * target_width and height >> (steps + 1) >= _MARGIN * target_height:
        steps += 1
        if steps == len(halvings):
            halvings.append(Source(halvings[-1].image.reduce(2)))
    # An odd side leaves the last pixel of a halving partly outside the picture.
    return resize(halvings[steps], (width / 2**steps, height / 2**steps), target)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image in a known format"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels"
    return f"cannot be decoded: {' '.join(str(error).split()) or type(error).__name__}"


def _in_srgb(image: Image.Image) -> Image.Image:
    """The image as 8-bit sRGB without transparency."""
    profile = image.info.get("icc_profile")
    image.load()
    alpha = None
    if image.mode.startswith("I"):
        image = eight_bit(image)
    elif image.has_transparency_data:
        image = image if image.mode == "LA" else image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("L" if image.mode == "LA" else "RGB")
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode in ("1", "F") else "RGB")

    transform = _transform_to_srgb(profile, image.mode) if isinstance(profile, bytes) and profile else None
    # A CMS transform leaves its input alone and gives a new RGB image.
    rgb = image.convert("RGB") if transform is None else transform.apply(image)
    return rgb if alpha is None else laid_on_background(rgb, alpha)


@lru_cache(maxsize=64)
def _transform_to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from an embedded profile to sRGB; None when there is nothing to do or the profile is unusable.

    Relative colorimetric with black point compensation, as browsers and Photoshop do.
    """
    try:
        transform = ImageCms.buildTransform(
            ImageCms.getOpenProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        # Broken, or of another colour space than the pixels: better plain colours than no picture.
        return None
    if mode == "CMYK":
        return transform
    # Most profiles are sRGB under one of many names: seen from what they do to a lattice of colours.
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    colours = Image.fromarray(lattice) if mode == "RGB" else _RAMP
    before, after = (np.asarray(each, dtype=np.int16) for each in (colours.convert("RGB"), transform.apply(colours)))
    return None if np.abs(before - after).max() <= 1 else transform


def _with_contrast(image: Image.Image, factor: float) -> Image.Image:
    """What `ImageEnhance.Contrast(image).enhance(factor)` gives, bit for bit, as one table for all pixels.

    Contrast blends every value with the mean luma, so the table is the same blend of a ramp of all 256 values: by
    Pillow's own arithmetic, therefore equal to it on every machine.
    """
    if factor == 1.0:
        return image
    histogram = np.array(image.convert("L").histogram())
    mean = int(int(histogram @ np.arange(256)) / int(histogram.sum()) + 0.5)
    table = Image.blend(Image.new("L", (256, 1), mean), _RAMP, factor)
    return image.point(list(table.tobytes()) * 3)


def _encoded(image: Image.Image, recipe: Recipe) -> Rendition:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=recipe.quality)
    return Rendition(buffer.getvalue(), image.width, image.height, recipe.format)
