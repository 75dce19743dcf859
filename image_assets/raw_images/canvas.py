"""The canvas that a WebP or GIF claims, read from its first bytes: Pillow makes room for it when it opens the file.

Belongs here: headers of formats whose decoder must not even be asked before the size is judged. Safe on any bytes.
"""

from __future__ import annotations

from image_assets.raw_images.verdicts import ImageFormat

_GIF_EXTENSION, _GIF_IMAGE = 0x21, 0x2C


def claimed_canvas(data: bytes, image_format: ImageFormat) -> tuple[int, int] | None:
    """(width, height) in pixels; None for other formats, and where the header ends early."""
    if image_format == "webp":
        return _webp_canvas(data)
    if image_format == "gif":
        return _gif_canvas(data)
    return None


def _webp_canvas(data: bytes) -> tuple[int, int] | None:
    """RFC 9649, sections 2.5 to 2.7."""
    chunk = data[12:16]
    if chunk == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and len(data) >= 30:
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None


def _gif_canvas(data: bytes) -> tuple[int, int] | None:
    """The logical screen, or what of the first frame lies beyond it (GIF89a, sections 18, 20 and 24)."""
    if len(data) < 13:
        return None
    flags = data[10]
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)  # behind the global colour table
    while data[at : at + 1] == bytes([_GIF_EXTENSION]):
        at += 2
        while at < len(data) and data[at]:  # sub-blocks: a length and so many bytes
            at += 1 + data[at]
        at += 1
    if data[at : at + 1] != bytes([_GIF_IMAGE]) or at + 10 > len(data):
        return None
    left, top, width, height = (int.from_bytes(data[at + n : at + n + 2], "little") for n in (1, 3, 5, 7))
    screen_width, screen_height = (int.from_bytes(data[n : n + 2], "little") for n in (6, 8))
    return max(screen_width, left + width), max(screen_height, top + height)
