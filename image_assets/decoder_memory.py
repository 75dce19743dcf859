"""What decoding a file takes of memory, by its header: known before, so that it can be refused or wait its turn.

Belongs here: what screening and rendering must foresee alike, or images are accepted that are never rendered. Pure;
safe on any bytes. The figures are the peaks that were measured (docs/renditions.md). Does not belong here: decoding.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from PIL import Image

MOST_BYTES = 400_000_000
"""What decoding and rendering one image of up to 50 megapixels may take, beside its file."""

_MOST_BYTES_PER_PIXEL = 8  # the same for larger ones, which are here because somebody raised `max_pixels`

# No file is decoded smaller than this long side: scaled down again from there, it cannot be told from one decoded in
# full (docs/renditions.md).
_SMALLEST_DECODE = 2560

JPEG_FORMATS = ("JPEG", "MPO")  # MPO: what phones write is a JPEG with more pictures behind it

LARGE_WEBP_PIXELS = 8_000_000
"""From here rendering has libvips read a WebP: Pillow holds four copies of it in memory."""

# Bytes that decoders hold for each pixel of the file.
_HELD_BYTES = 4.0  # Pillow's own picture
_SMALL_WEBP_HELD_BYTES = 16.0
_LARGE_WEBP_HELD_BYTES = 4.5
_ANIMATED_WEBP_HELD_BYTES = 8.0  # the canvas and a frame that does not fill it
_COEFFICIENT_BYTES = 2  # of a JPEG in several scans, for every sample of every component
_WORKING_BYTES = 50_000_000  # whatever the size: canvases, encoders, the codecs' own
_KEPT_BYTES = 20_000_000  # what codecs keep after a decode

# libavif hands over all channels twice; what dav1d holds beside the planes is for each of its decoders.
_AVIF_COPIES = 2
_AVIF_PLANE_MARGIN = 1.03
_AVIF_DECODER_BYTES = 21_500_000

# OpenJPEG holds every sample of a tile as a number of 32 bits, and once more as it hands them over.
_JPEG2000_SAMPLE_BYTES = 4
_JPEG2000_MARGIN = 1.03
_OTHER_DECODER_BYTES = 10_000_000

_AV1_CONFIGURATION = re.compile(rb"av1C..(.)", re.DOTALL)
_FAR = 65_536  # bytes from the start of an AVIF, within which its header describes its pictures


def decode_scale(longest: int, needed: float = _SMALLEST_DECODE) -> int:
    """How many times smaller (1, 2, 4 or 8) an image may be decoded for `needed` pixels of its long side to be left."""
    return next(scale for scale in (8, 4, 2, 1) if scale == 1 or longest >= scale * max(needed, _SMALLEST_DECODE))


def memory_needed(image: Image.Image, data: bytes, scale: int) -> int:
    """Bytes that decoding an opened file `scale` times smaller, and rendering it, take at most beside the file.

    For rendering by the shipped recipes, or smaller ones.
    """
    pixels = image.width * image.height
    smaller = 4 * pixels // scale**2
    if image.format in JPEG_FORMATS:
        # The decoder is gone before its picture is converted or turned.
        return max(_coefficients(image, data) * _COEFFICIENT_BYTES, smaller) + smaller + _WORKING_BYTES
    held = _HELD_BYTES
    if image.format == "WEBP":
        large = _ANIMATED_WEBP_HELD_BYTES if getattr(image, "is_animated", False) else _LARGE_WEBP_HELD_BYTES
        held = large if pixels > LARGE_WEBP_PIXELS else _SMALL_WEBP_HELD_BYTES
    decoding = _DECODING.get(image.format or "")
    return max(decoding(image, data) if decoding else 0, int(held * pixels) + 2 * smaller + _WORKING_BYTES)


def memory_left(image: Image.Image, scale: int) -> int:
    """Bytes that are left of it, while a rendition is made: the picture and its halvings, and what codecs keep."""
    return int(_HELD_BYTES * 4 / 3 * image.width * image.height / scale**2) + _KEPT_BYTES


def memory_refused(image: Image.Image, data: bytes) -> tuple[int, int] | None:
    """(bytes needed, bytes allowed) of an opened file whose decoder would hold too much for any rendition; or None."""
    needed, allowed = (
        memory_needed(image, data, decode_scale(max(image.size))),
        memory_allowed(image.width * image.height),
    )
    return (needed, allowed) if needed > allowed else None


def memory_allowed(pixels: int) -> int:
    """Bytes that decoding and rendering a file of so many pixels may take beside the file."""
    return max(MOST_BYTES, _MOST_BYTES_PER_PIXEL * pixels)


def _coefficients(jpeg: Image.Image, data: bytes) -> int:
    """How many coefficients a JPEG's decoder holds at once: all of one in several scans, next to none of others."""
    components = [(across, down) for _, across, down, _ in getattr(jpeg, "layer", ())]
    if not (jpeg.info.get("progressive") or _first_scan_components(data) < len(components)):
        return 0
    most = max([1, *(across for across, _ in components)]) * max([1, *(down for _, down in components)])
    return sum(jpeg.width * jpeg.height * across * down // most for across, down in components)


def _first_scan_components(data: bytes) -> int:
    """How many components the first scan of a JPEG has (ITU-T T.81, B.2.3); 0 where there is none."""
    at = 2
    while at + 5 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xDA:
            return data[at + 4]
        at += 1 if marker == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0


def _avif_decoding(avif: Image.Image, data: bytes) -> int:
    """Bytes at the end of an AVIF's decode: its planes as they were coded, and the picture that is made of them."""
    configurations = {found[1][0] for found in _AV1_CONFIGURATION.finditer(data, 0, _FAR)}
    grey = [_plane_bytes(flags) for flags in configurations if flags & 0x10]
    colour = [_plane_bytes(flags) for flags in configurations if not flags & 0x10]
    decoders = max(1, bool(grey) + bool(colour))  # transparency is a grey picture of its own
    held = _AVIF_PLANE_MARGIN * (max(grey, default=0) + max(colour, default=0))
    held += _AVIF_COPIES * len(avif.getbands())
    return int(held * avif.width * avif.height) + decoders * _AVIF_DECODER_BYTES


def _plane_bytes(flags: int) -> float:
    """Bytes a pixel of the decoded planes, by the third byte of AV1's configuration (AV1 in ISOBMFF, 2.3.3)."""
    deep, grey, halved_across, halved_down = flags & 0x40, flags & 0x10, flags & 0x08, flags & 0x04
    samples = 1 if grey else 1 + 2 / ((2 if halved_across else 1) * (2 if halved_down else 1))
    return samples * (2 if deep else 1)


def _tiff_decoding(tiff: Image.Image, _: bytes) -> int:
    """Bytes at the end of a TIFF's decode: the picture, the one that Pillow turns upright, and a strip or tile."""
    tags: Mapping[int, Any] = getattr(tiff, "tag_v2", {})
    width, height = (_number(tags.get(tag), side) for tag, side in zip((256, 257), tiff.size, strict=True))
    across, down = _number(tags.get(322), width), _number(tags.get(323), _number(tags.get(278), height))
    bits = tags.get(258, (8,))
    sample_bits = sum(bits) if isinstance(bits, tuple) else bits
    strip = 0 if tiff.info.get("compression") == "raw" else min(across, width) * min(down, height) * sample_bits // 8
    pictures = 2 if tags.get(274, 1) != 1 else 1
    return pictures * int(_HELD_BYTES) * tiff.width * tiff.height + strip + _OTHER_DECODER_BYTES


def _number(value: object, otherwise: int) -> int:
    """A tag that may be missing, or damaged."""
    return value if isinstance(value, int) and value > 0 else otherwise


def _jpeg2000_decoding(picture: Image.Image, data: bytes) -> int:
    """Bytes at the end of the decode of a JPEG 2000: the picture, and a tile of it (ISO 15444-1, A.5.1)."""
    pixels = picture.width * picture.height
    size = data.find(b"\xff\x4f\xff\x51")
    if size < 0 or size + 42 > len(data):
        return 0
    across, down = struct.unpack_from(">II", data, size + 24)
    (components,) = struct.unpack_from(">H", data, size + 40)
    bits = max((flags & 0x7F for flags in data[size + 42 : size + 42 + 3 * components : 3]), default=7) + 1
    sample = _JPEG2000_SAMPLE_BYTES + (1 if bits <= 8 else 2 if bits <= 16 else 4)
    tile = min(across, picture.width) * min(down, picture.height) * components * sample
    held = 1 if picture.mode == "L" else 2 if picture.mode.startswith("I;16") else _HELD_BYTES
    return int(held * pixels + _JPEG2000_MARGIN * tile) + _OTHER_DECODER_BYTES


_DECODING: Mapping[str, Callable[[Image.Image, bytes], int]] = MappingProxyType(
    {"AVIF": _avif_decoding, "TIFF": _tiff_decoding, "JPEG2000": _jpeg2000_decoding}
)
