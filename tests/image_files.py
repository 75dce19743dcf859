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


def one_scan_a_colour(picture: Image.Image) -> bytes:
    """A baseline JPEG whose three scans have one component each, all of them this grey picture."""
    grey = encoded("jpeg", picture)
    frame = grey.index(b"\xff\xc0")
    tables, scan = grey[2:frame], grey[grey.index(b"\xff\xda") : -2]
    components = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    header = b"\xff\xc0\x00\x11" + grey[frame + 4 : frame + 9] + b"\x03" + components
    rest = grey[frame + 13 : grey.index(b"\xff\xda")]
    scans = [scan[:5] + bytes([number]) + scan[6:] for number in (1, 2, 3)]
    return b"\xff\xd8" + tables + header + rest + b"".join(scans) + b"\xff\xd9"


def avif_that_claims(width: int, height: int, subsampling: str) -> bytes:
    """A small AVIF whose header says that it is of another size; libavif scales what it holds."""
    avif = encoded("avif", Image.linear_gradient("L").convert("RGB").resize((400, 300)), subsampling=subsampling)
    size = struct.pack(">4sIII", b"ispe", 0, 400, 300)
    assert avif.count(size) == 1
    return avif.replace(size, struct.pack(">4sIII", b"ispe", 0, width, height))
