"""Decoding: a file's bytes as upright sRGB pixels, no more of them than are needed and within bounded memory.

Belongs here: the header, the scale a file is decoded at, the decoders.
Does not belong here: what a decode takes of memory (decoder_memory), colour conversion (colour), scaling to a
rendition's size (scaling).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image

from image_assets.decoder_memory import (
    JPEG_FORMATS,
    LARGE_WEBP_PIXELS,
    decode_scale,
    memory_allowed,
    memory_left,
    memory_needed,
    memory_refused,
)
from image_assets.renditions.attribution import Attribution, read_attribution
from image_assets.renditions.colour import Colour, in_srgb
from image_assets.renditions.declared_colours import profile_of
from image_assets.renditions.placing import Size
from image_assets.shown_pixels import LYING, exif_orientation, turned_upright

# No file is decoded smaller than so many times the rendition: scaled down again from there, it cannot be told from one
# decoded in full (docs/renditions.md).
_DECODE_MARGIN = 4 / 3

# The pool of renderers decides on parallelism, and every thread of a decoder holds memory of its own.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


SCALES = (1, 2, 4, 8)
"""How many times smaller a file may be decoded."""


class TooMuchMemory(Exception):
    """Decoding a file, or making a rendition of it, would take more memory than one image may."""

    def __init__(self, what: str, needed: int, allowed: int) -> None:
        super().__init__(f"{what} needs {needed / 1e6:.0f} MB of memory, {allowed / 1e6:.0f} MB are allowed")


@dataclass
class Source:
    """A file whose header was read. `stored` and `size` are (width, height) as in the file and as shown, upright.

    memory: for each of SCALES, the bytes that decoding it so many times smaller takes at most, beside the file itself,
    and those left of it while renditions are made. memory_allowed: what all of it may take.
    """

    data: bytes
    format: str | None
    orientation: int
    stored: Size
    size: Size
    memory: Mapping[int, tuple[int, int]]
    memory_allowed: int
    opened: Image.Image | None

    @property
    def may_be_transparent(self) -> bool:
        return self.format not in JPEG_FORMATS

    def take_image(self) -> Image.Image:
        """The file as Pillow opened it; nothing here keeps its pixels. An image that was drafted once stays so, hence
        every further time it is opened anew."""
        image, self.opened = self.opened or _opened(self.data), None
        return image


@dataclass(frozen=True)
class Decoded:
    """An upright picture in 8-bit sRGB (mode "RGB"), and what its file says of its origin.

    extent: (width, height) of the picture in pixels of `image`, whose last column or row may reach beyond it.
    """

    image: Image.Image
    extent: tuple[float, float]
    attribution: Attribution


def read_header(data: bytes) -> Source:
    """Open a file without decoding it. Raises TooMuchMemory, and what Pillow raises for bytes that are no image."""
    image = _opened(data)
    if refused := memory_refused(image, data):
        raise TooMuchMemory("it", *refused)
    orientation = exif_orientation(image)
    size = image.size[::-1] if orientation in LYING else image.size
    memory = {scale: (memory_needed(image, data, scale), memory_left(image, scale)) for scale in SCALES}
    return Source(
        data, image.format, orientation, image.size, size, memory, memory_allowed(image.width * image.height), image
    )


def decoding_scale(size: Size, part: Size, target: Size) -> int:
    """How many times smaller (1, 2, 4 or 8) a file may be decoded without a visible loss in the rendition.

    size: of the upright image; part, target: the size of what is shown of it, and what that is scaled to (pixels).
    """
    longest = max(size)
    scaled_longest = longest * max(wanted / shown for wanted, shown in zip(target, part, strict=True))
    return decode_scale(longest, _DECODE_MARGIN * scaled_longest)


def decode(source: Source, scale: int, background: Colour) -> Decoded:
    """The first frame, `scale` times smaller (JPEG and WebP in their decoders, which saves time).

    Raises whatever Pillow's decoders raise at damaged bytes: OSError, SyntaxError, ValueError, struct.error ...
    """
    image = source.take_image()
    profile = profile_of(image, source.data)
    if source.format == "WEBP" and source.stored[0] * source.stored[1] > LARGE_WEBP_PIXELS:
        pixels = _large_webp(source.data, scale)
    else:
        pixels = image
        if scale > 1:
            pixels.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))
        pixels.load()
    attribution = read_attribution(image)
    left = scale if pixels.size == source.stored else 1
    rgb = in_srgb(pixels, profile, left, background)
    # The picture as it was stored makes room before another of its size is made.
    del image, pixels
    upright = turned_upright(rgb, source.orientation)
    # A side that the scale does not divide ends within the last pixel.
    width, height = (min(side / scale, have) for side, have in zip(source.size, upright.size, strict=True))
    return Decoded(upright, (width, height), attribution)


def _opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    return _LeanAvif(io.BytesIO(data)) if image.format == "AVIF" else image


class _LeanAvif(AvifImagePlugin.AvifImageFile):
    """An AVIF that lets its decoder go once the pixels are out, before Pillow makes room for them once more."""

    def load_prepare(self) -> None:
        self._decoder = None
        super().load_prepare()


def _large_webp(data: bytes, scale: int) -> Image.Image:
    import pyvips

    pyvips.cache_set_max(0)  # it would keep decoded pictures
    webp = pyvips.Image.new_from_buffer(data, "", access="sequential", scale=1 / scale)
    pixels: NDArray[Any] = np.frombuffer(webp.write_to_memory(), dtype=np.uint8)
    return Image.fromarray(pixels.reshape(webp.height, webp.width, webp.bands))
