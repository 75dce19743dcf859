"""Files of pictures in the formats that screening accepts, and PNG files made chunk by chunk."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image

FORMATS = ["jpeg", "png", "webp", "avif", "gif"]


def encoded(name: str, image: Image.Image, **options: Any) -> bytes:
    """The bytes of a file of one of FORMATS."""
    file = io.BytesIO()
    quick = {"speed": 10} if name == "avif" else {}
    image.save(file, name.upper(), **quick, **options)
    return file.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def bilevel_png(width: int, height: int) -> bytes:
    """A black picture of one bit a pixel: a small file that is large in memory (Pillow: a byte a pixel)."""
    compress = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    pixels = b"".join(compress.compress(row) for _ in range(height)) + compress.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), png_chunk(b"IDAT", pixels), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
