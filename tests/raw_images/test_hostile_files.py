"""Files made to crash, to stall, to eat memory or to pass for something else: each gets a verdict, quickly."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from image_files import FORMATS, encoded, png_chunk
from pictures import drawn
from PIL import Image

from image_assets.raw_images import Screening, ScreeningLimits, screen
from image_assets.raw_images.verdicts import ImageFormat

_MORE_FORMATS: dict[ImageFormat, str] = {"bmp": "BMP", "tiff": "TIFF", "jpeg2000": "JPEG2000"}
_ALL = ScreeningLimits(formats=("jpeg", "png", "webp", "avif", "gif", "bmp", "tiff", "jpeg2000"))
_PNG_START = b"\x89PNG\r\n\x1a\n"


def _saved(pillow_format: str, image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, pillow_format, **options)
    return file.getvalue()


@pytest.mark.parametrize("name", _MORE_FORMATS)
def test_other_formats_are_taken_when_the_configuration_says_so(name: ImageFormat) -> None:
    data = _saved(_MORE_FORMATS[name], drawn(1, 400, 300))
    assert screen(data) == Screening(False, "unsupported_format")
    assert screen(data, _ALL) == Screening(True, None, name, 400, 300)
    assert screen(data, ScreeningLimits(formats=(name,), max_pixels=1000)).reason == "too_many_pixels"
    assert screen(data[: len(data) // 2], _ALL).reason in {"truncated", "corrupt"}
    assert screen(encoded("png", drawn(1, 400, 300)), ScreeningLimits(formats=(name,))).reason == "unsupported_format"


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg", "tiff_deflate", "packbits"])
def test_a_turned_tiff_has_the_size_as_shown(compression: str | None) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = _saved("TIFF", drawn(1, 400, 300), exif=exif, compression=compression)
    assert screen(data, _ALL) == Screening(True, None, "tiff", 300, 400)


def test_measurements_in_floating_point_are_no_picture() -> None:
    data = _saved("TIFF", drawn(1, 400, 300).convert("F"))
    assert screen(data, _ALL) == Screening(False, "unsupported_format", "tiff", 400, 300)


@pytest.mark.parametrize("size", [(65_535, 65_535), (20_000, 3_000)])
@pytest.mark.parametrize("where", ["screen", "frame"])
def test_a_gif_with_a_giant_canvas_is_refused_before_room_is_made_for_it(where: str, size: tuple[int, int]) -> None:
    data = bytearray(encoded("gif", drawn(2, 400, 300)))
    at = 6 if where == "screen" else data.index(b",\0\0\0\0\x90\x01\x2c\x01") + 5
    data[at : at + 4] = struct.pack("<HH", *size)
    reason = "decompression_bomb" if size[0] == size[1] else "too_many_pixels"
    assert screen(bytes(data)) == Screening(False, reason, "gif", *size)  # type: ignore[arg-type]


def _flat(name: str) -> bytes:
    return encoded(name, Image.new("RGB", (400, 300), (90, 120, 40)))


def _gif_of(frames: int) -> bytes:
    one = _flat("gif")
    start = one.index(b",\0\0\0\0\x90\x01\x2c\x01")
    return one[:start] + one[start:-1] * frames + b";"


def _webp_of(frames: int) -> bytes:
    picture = encoded("webp", Image.new("RGB", (400, 300), (90, 120, 40)), lossless=True)[12:]
    size = (399).to_bytes(3, "little") + (299).to_bytes(3, "little")
    frame = bytes(6) + size + bytes(4) + picture
    chunks = b"VP8X" + struct.pack("<IB3x", 10, 2) + size + b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    chunks += (b"ANMF" + struct.pack("<I", len(frame)) + frame) * frames
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def _png_of(frames: int) -> bytes:
    pixels = zlib.compress((b"\0" + bytes([90, 120, 40]) * 400) * 300, 9)
    control = struct.pack(">IIIIHHBB", 400, 300, 0, 0, 1, 10, 0, 0)
    chunks = [
        png_chunk(b"IHDR", struct.pack(">IIBBBBB", 400, 300, 8, 2, 0, 0, 0)),
        png_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)),
        png_chunk(b"fcTL", struct.pack(">I", 0) + control),
        png_chunk(b"IDAT", pixels),
    ]
    for number in range(1, frames):
        chunks.append(png_chunk(b"fcTL", struct.pack(">I", 2 * number - 1) + control))
        chunks.append(png_chunk(b"fdAT", struct.pack(">I", 2 * number) + pixels))
    return _PNG_START + b"".join(chunks) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize(("name", "animation"), [("gif", _gif_of), ("webp", _webp_of), ("png", _png_of)])
def test_of_many_thousand_frames_only_the_first_is_decoded(
    name: ImageFormat, animation: Callable[[int], bytes]
) -> None:
    """All frames together would take far longer than the time allowed."""
    data = animation(20_000)
    assert len(data) > 1_000_000
    assert screen(data, ScreeningLimits(decode_seconds=0.3)) == Screening(True, None, name, 400, 300)


def _tiff_of_one_tile(width: int, height: int) -> bytes:
    """A picture of 400 x 300 in a few hundred bytes, stored in a tile (pixels) that need not be near its size."""
    pixels = zlib.compress(bytes(width * height) if width == 400 else bytes(1000))
    tags = {
        256: 400, 257: 300, 258: 8, 259: 8, 262: 1, 277: 1,  # size, bits, deflate, grey, one channel
        322: width, 323: height, 324: 8, 325: len(pixels),
    }  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    padding = bytes(len(pixels) % 2)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels + padding)) + pixels + padding + directory


def test_a_picture_that_wants_more_memory_than_its_size_can_need_is_refused() -> None:
    """Its one tile has two gigabytes: far less than a picture of the most pixels may take, far too much for this."""
    limits = ScreeningLimits(formats=("tiff", "jpeg"), max_pixels=10**9)
    assert screen(_tiff_of_one_tile(400, 304), limits) == Screening(True, None, "tiff", 400, 300)
    assert screen(_tiff_of_one_tile(46_000, 46_000), limits) == Screening(False, "decoder_memory", "tiff", 400, 300)
    assert screen(encoded("jpeg", drawn(3, 400, 300)), limits).accepted


def _zipped(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("page.html", text)
    return file.getvalue()


_SCRIPT = b"<script>alert(1)</script>"


@pytest.mark.parametrize("name", ["jpeg", "png", "gif"])
@pytest.mark.parametrize("tail", [_SCRIPT, _zipped("<script>"), b"%PDF-1.7\n", b"MZ\x90\0", encoded("png", drawn(4))])
def test_a_picture_with_something_else_behind_it_is_judged_as_the_picture(name: str, tail: bytes) -> None:
    screening = screen(encoded(name, drawn(4, 400, 300)) + tail)
    assert screening == Screening(True, None, name, 400, 300)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "head", [b"%PDF-1.7\n", _zipped("<script>"), b"<svg xmlns='http://www.w3.org/2000/svg'>", b"MZ"]
)
def test_something_else_with_a_picture_behind_it_is_no_picture(head: bytes) -> None:
    screening = screen(head + encoded("jpeg", drawn(4, 400, 300)))
    assert screening.reason in {"not_an_image", "unsupported_format"}


def test_a_gif_that_is_also_a_script_is_refused_as_broken() -> None:
    """`GIF89a=1/*` begins a valid program; as a GIF its screen is of impossible shape and its frame is missing."""
    assert not screen(b"GIF89a=1/*" + bytes(300) + b"*/;alert(1);").accepted


def _damaged_files() -> Iterator[bytes]:
    """A hundred files that were damaged in twenty ways."""
    damage = random.Random(2016)
    whole = [encoded(name, drawn(14, 400, 300)) for name in FORMATS]
    for data, other in pairwise([*whole, whole[0]]):
        for flips in (1, 3, 10, 30, 100, 1000):
            broken = bytearray(data)
            for at in damage.choices(range(len(data)), k=flips):
                broken[at] ^= 1 << damage.randrange(8)
            yield bytes(broken)
        for first, last, many in ((12, 200, 20), (4, 64, 1), (4, 64, 4), (64, 1000, 50)):
            broken = bytearray(data)
            for at in damage.choices(range(first, last), k=many):
                broken[at] = damage.randrange(256)
            yield bytes(broken)
        at = damage.randrange(16, 200)
        yield data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :]
        yield data[:at] + bytes(4) + data[at + 4 :]
        start, end = sorted(damage.choices(range(len(data)), k=2))
        yield data[:start] + data[end:]
        yield data[:start] + bytes(end - start) + data[end:]
        yield data[:end] + data[start:]
        yield data[:start] + data[start:end][::-1] + data[end:]
        yield data[: damage.randrange(len(data))]
        yield other[:32] + data[32:]
        yield data[:64] + damage.randbytes(len(data))
        yield data + other


def test_a_hundred_damaged_files_each_get_a_verdict_and_none_is_accepted_wrongly() -> None:
    files = list(_damaged_files())
    assert len(set(files)) == 100
    screenings = [screen(data) for data in files]
    assert all(screening.accepted == (screening.reason is None) for screening in screenings)
    refused = {screening.reason for screening in screenings if not screening.accepted}
    assert refused <= {"truncated", "corrupt", "not_an_image", "unsupported_format", "decompression_bomb"}
    assert 20 <= sum(screening.accepted for screening in screenings) <= 45
    for data, screening in zip(files, screenings, strict=True):
        if screening.accepted:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                assert image.size == (screening.width, screening.height)
    assert screen(encoded("jpeg", drawn(14, 400, 300))).accepted
