"""What Pillow overlooks in a PNG: chunks that no other reader accepts, and a picture that is not all there.

Belongs here: the file's chunks, and whether its pixels are as many as its header says. Safe on any bytes, in memory
that does not grow with what they inflate to. Does not belong here: the decode itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from PIL import Image

from image_assets.raw_images.verdicts import Reason

_CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_INDEXED = 3
_MOST_PALETTE_BYTES = 3 * 256
_INFLATED_AT_ONCE = 2**18
# Adam7 (PNG specification, 8.2): left and top of each pass, and the steps across and down.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@dataclass
class _Seen:
    """What the chunks said: the header's content, whether there was a palette, and the parts of the pixels."""

    header: bytes = b""
    palette: bool = False
    pixels: list[memoryview] = field(default_factory=list)


def png_fault(data: bytes, decoded: Image.Image) -> Reason | None:
    """Why the PNG that Pillow made `decoded` of is none: `corrupt` or `truncated`, or None.

    Wrong checksums of critical chunks, critical chunks that nobody knows, no palette or an impossible one, a missing
    end, pixels that end early. Only up to the second frame of an animated PNG, like every animated file.
    """
    seen = _Seen()
    for kind, content, whole in _chunks(data):
        if kind == b"fdAT":
            break
        if not whole:
            return "truncated"
        if content is None or _is_fault(kind, content, seen):
            return "corrupt"
        if kind == b"IEND":
            break
    else:
        return "truncated"
    return "truncated" if _ends_early(seen, decoded) else None


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview | None, bool]]:
    """(kind, content, whether all of it is there); None for the content of a critical chunk with a wrong checksum."""
    view = memoryview(data)
    at = 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(view[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        critical = not kind[0] & 0x20
        whole = end + 4 <= len(data)
        damaged = critical and zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big")
        yield kind, None if damaged else view[at + 8 : end], whole
        at = end + 4


def _is_fault(kind: bytes, content: memoryview, seen: _Seen) -> bool:
    if kind == b"IHDR":
        seen.header = seen.header or bytes(content)
    elif kind == b"PLTE":
        seen.palette = True
        return _is_indexed(seen) and (not content or len(content) % 3 > 0 or len(content) > _MOST_PALETTE_BYTES)
    elif kind == b"IDAT":
        seen.pixels.append(content)
        return _is_indexed(seen) and not seen.palette
    return not kind[0] & 0x20 and kind not in _CRITICAL


def _is_indexed(seen: _Seen) -> bool:
    return seen.header[9:10] == bytes([_INDEXED])


def _ends_early(seen: _Seen, decoded: Image.Image) -> bool:
    """Whether the pixels are fewer than the header says: Pillow leaves the rest black or transparent."""
    width, height = (int.from_bytes(seen.header[at : at + 4], "big") for at in (0, 4))
    bits, colour, interlaced = seen.header[8], seen.header[9], seen.header[12]
    # Where the last row holds something, everything before it was there, and nothing needs to be inflated again.
    if not interlaced and any(decoded.crop((0, height - 1, width, height)).tobytes()):
        return False
    parts = [
        (-(-(width - left) // across), -(-(height - top) // down))
        for left, top, across, down in (_PASSES if interlaced else ((0, 0, 1, 1),))
        if left < width and top < height
    ]
    rows = [(1 + (columns * bits * _CHANNELS[colour] + 7) // 8) * count for columns, count in parts]
    return not _inflates_to(seen.pixels, sum(rows))


def _inflates_to(parts: Iterable[memoryview], size: int) -> bool:
    """Whether a zlib stream in parts holds so many bytes at least; what goes beyond is not looked at."""
    stream = zlib.decompressobj()
    for part in parts:
        rest: bytes | memoryview = part
        while rest:
            size -= len(stream.decompress(rest, _INFLATED_AT_ONCE))
            if size <= 0:
                return True
            rest = stream.unconsumed_tail
    return len(stream.flush()) >= size  # what it still held of the last part
