"""The words of screening: limits, reasons and the verdict on one image.

Belongs here: values, and the rule for a size; workers import this module, so it imports nothing heavy.
Does not belong here: looking at bytes (`signatures`), decoding (`decoding`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

ImageFormat = Literal["jpeg", "png", "webp", "avif", "gif", "bmp", "tiff", "jpeg2000"]
"""What can be decoded. What is taken of it is the choice of `ScreeningLimits.formats`."""

Reason = Literal[
    "not_an_image",  # HTML, JSON, an empty body, noise
    "unsupported_format",  # a picture or document of a kind that is not taken: TIFF, HEIC, SVG, PDF, ...
    "truncated",  # a part of the picture is missing
    "corrupt",  # the codec refuses it, a checksum is wrong, or a PNG breaks the rules of its chunks
    "decompression_bomb",  # above `max_pixels`, and so large that Pillow would warn of a bomb
    "too_many_pixels",  # above `max_pixels`
    "short_side_below_minimum",
    "long_side_below_minimum",
    "decoder_crashed",  # the codec took its process down, twice
    "decoder_timeout",  # the decode went on for longer than `decode_seconds`
    "decoder_memory",  # the decode would need more memory than any may take, or wanted more than it can need
]

LIMIT_REASONS: frozenset[Reason] = frozenset(
    {"decompression_bomb", "too_many_pixels", "short_side_below_minimum", "long_side_below_minimum", "decoder_memory"}
)
"""Reasons that other limits may lift: such images keep their bytes and dimensions, where these are known, and need no
new fetch."""

BOMB_PIXELS = 89_478_485
"""Pixels from which Pillow warns of a decompression bomb (its `MAX_IMAGE_PIXELS`: 256 MiB as RGB)."""

_DECODE_SECONDS = (0.01, 3600.0)  # below the first, the kernel's clock is too coarse


@dataclass(frozen=True)
class ScreeningLimits:
    """What an image must keep to be accepted. All limits are inclusive.

    minimum_short, minimum_long: pixels of the shorter and the longer side. max_pixels: width × height, from the header.
    decode_seconds: CPU seconds one decode may take. formats: what is taken; everything else is `unsupported_format`.
    """

    minimum_short: int = 200
    minimum_long: int = 300
    max_pixels: int = 50_000_000
    decode_seconds: float = 4
    formats: tuple[ImageFormat, ...] = ("jpeg", "png", "webp", "avif", "gif")

    def __post_init__(self) -> None:
        for name, least in (("minimum_short", 0), ("minimum_long", 0), ("max_pixels", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number of pixels, {least} or more; it is {value!r}")
        seconds = self.decode_seconds
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool) and math.isfinite(seconds)
        least_seconds, most_seconds = _DECODE_SECONDS
        if not number or not least_seconds <= seconds <= most_seconds:
            raise ValueError(
                f"decode_seconds must be from {least_seconds:g} to {most_seconds:g} seconds; it is {seconds!r}"
            )
        known = get_args(ImageFormat)
        unknown = [name for name in self.formats if name not in known]
        if unknown or not self.formats:
            raise ValueError(f"formats must be some of {', '.join(known)}; found {', '.join(unknown) or 'none'}")


@dataclass(frozen=True)
class Screening:
    """The verdict on one image: `reason` says why it is not accepted.

    width, height: pixels as shown (EXIF orientation applied), known as soon as the header could be read.
    memory_needed: bytes, of an image whose header says that its decoder would hold more than is allowed.
    """

    accepted: bool
    reason: Reason | None = None
    format: ImageFormat | None = None
    width: int | None = None
    height: int | None = None
    memory_needed: int | None = None


def refused_by_limits(width: int, height: int, limits: ScreeningLimits) -> Reason | None:
    """Why an image of this size (pixels) is refused, or None; the way round does not matter."""
    pixels = width * height
    if pixels > limits.max_pixels:
        return "decompression_bomb" if pixels > BOMB_PIXELS else "too_many_pixels"
    if min(width, height) < limits.minimum_short:
        return "short_side_below_minimum"
    if max(width, height) < limits.minimum_long:
        return "long_side_below_minimum"
    return None
