"""PNG files that Pillow decodes although they are none, or not all there."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import png_chunk
from pictures import drawn
from PIL import Image

from image_assets.raw_images import Screening, ScreeningLimits, screen

_ANY_SIZE = ScreeningLimits(minimum_short=1, minimum_long=1)
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_KINDS = [
    *((bits, colour) for colour, depths in ((0, (1, 2, 4, 8, 16)), (3, (1, 2, 4, 8))) for bits in depths),
    *((bits, colour) for colour in (2, 4, 6) for bits in (8, 16)),
]
_PALETTE = png_chunk(b"PLTE", bytes(768))


def _png(*chunks: bytes, size: tuple[int, int] = (400, 300), kind: tuple[int, int] = (8, 2), passes: int = 0) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, *kind, 0, 0, passes > 1))
    return b"".join([b"\x89PNG\r\n\x1a\n", header, *chunks, png_chunk(b"IEND", b"")])


def _pixels(data: bytes) -> bytes:
    return png_chunk(b"IDAT", zlib.compress(data))


def _photograph() -> bytes:
    """The rows of a picture of 400 x 300 in RGB, each behind the number of its filter (none)."""
    pixels = drawn(21, 400, 300).tobytes()
    return b"".join(b"\0" + pixels[at : at + 1200] for at in range(0, len(pixels), 1200))


@pytest.mark.parametrize("share", [0, 0.3, 0.5, 0.999])
def test_a_png_whose_pixels_end_early_is_truncated_though_its_stream_is_whole(share: float) -> None:
    rows = _photograph()
    assert screen(_png(_pixels(rows))) == Screening(True, None, "png", 400, 300)
    cut = _png(_pixels(rows[: int(len(rows) * share)]))
    assert screen(cut) == Screening(False, "truncated", "png", 400, 300)


def test_pillow_alone_shows_half_a_picture() -> None:
    """Why we look ourselves. When this fails, Pillow does, and `png_chunks` can go."""
    rows = _photograph()
    with Image.open(io.BytesIO(_png(_pixels(rows[: len(rows) // 2])))) as image:
        image.load()


def _most(size: tuple[int, int], kind: tuple[int, int], passes: int) -> int:
    """Bytes of the pixels of a picture, counted pixel by pixel for Adam7's passes."""
    width, height = size
    bits = kind[0] * _CHANNELS[kind[1]]
    if passes == 1:
        return height * (1 + (width * bits + 7) // 8)
    pattern = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"]
    rows = [[pattern[y % 8][x % 8] for x in range(width)] for y in range(height)]
    return sum(1 + (row.count(each) * bits + 7) // 8 for row in rows for each in set(row))


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from(_KINDS),
    st.sampled_from([1, 7]),
    st.sampled_from([0, 1, 2]),
    st.integers(1, 9),
)
def test_of_any_depth_and_kind_a_black_png_is_whole_with_its_last_byte_and_not_before(
    size: tuple[int, int], kind: tuple[int, int], passes: int, change: int, parts: int
) -> None:
    stream = zlib.compress(bytes(_most(size, kind, passes) + change - 1))
    at_once = -(-len(stream) // parts)
    pixels = [png_chunk(b"IDAT", stream[at : at + at_once]) for at in range(0, len(stream), at_once)]
    data = _png(*([_PALETTE] if kind[1] == 3 else []), *pixels, size=size, kind=kind, passes=passes)
    assert screen(data, _ANY_SIZE).accepted == (change > 0)


def test_what_follows_the_pixels_is_not_inflated() -> None:
    """A third of a gigabyte behind a black picture."""
    bomb = _png(_pixels(bytes(1201 * 300 + 3 * 10**8)))
    assert screen(bomb, ScreeningLimits(decode_seconds=0.15)).accepted


@pytest.mark.parametrize(
    ("before", "name"),
    [
        (b"", "no palette"),
        (png_chunk(b"PLTE", b""), "an empty one"),
        (png_chunk(b"PLTE", b"abcd"), "a colour and a third"),
        (png_chunk(b"PLTE", bytes(771)), "257 colours"),
    ],
)
def test_an_indexed_png_without_a_palette_is_corrupt(before: bytes, name: str) -> None:
    pixels = _pixels(bytes(401 * 300))
    assert screen(_png(_PALETTE, pixels, kind=(8, 3))).accepted
    assert screen(_png(before, pixels, kind=(8, 3))).reason == "corrupt", name


def test_a_critical_chunk_that_nobody_knows_is_corrupt() -> None:
    """What it says could change every pixel (PNG specification, 5.4)."""
    pixels = _pixels(_photograph())
    assert screen(_png(png_chunk(b"abCd", b"?"), pixels)).accepted
    assert screen(_png(png_chunk(b"ABCD", b"?"), pixels)).reason == "corrupt"


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_megabytes_of_metadata_are_no_reason_to_refuse_a_picture(kind: bytes) -> None:
    metadata = png_chunk(kind, b"left by an editor\0\0" + zlib.compress(bytes(5_000_000)))
    assert screen(_png(metadata, _pixels(_photograph()))).accepted


def test_metadata_that_inflates_without_end_is_refused() -> None:
    bomb = png_chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(30_000_000)))
    assert screen(_png(*[bomb] * 3, _pixels(_photograph()))).reason == "corrupt"
