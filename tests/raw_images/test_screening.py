"""Verdicts on files: good ones, small ones, huge ones, broken ones."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import FORMATS, avif_that_claims, bilevel_png, encoded, png_chunk
from pictures import drawn
from PIL import Image

from image_assets.raw_images import LIMIT_REASONS, Screening, ScreeningLimits, refused_by_limits, screen


@pytest.mark.parametrize("name", FORMATS)
def test_a_whole_file_is_accepted_with_its_format_and_size(name: str) -> None:
    assert screen(encoded(name, drawn(1, 400, 300))) == Screening(True, None, name, 400, 300)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["L", "CMYK", "1"])
def test_other_colour_modes_are_accepted(mode: str) -> None:
    file = io.BytesIO()
    drawn(1, 400, 300).convert(mode).save(file, "JPEG" if mode != "1" else "PNG")
    assert screen(file.getvalue()).accepted


@pytest.mark.parametrize("options", [{"progressive": True}, {"progressive": True, "subsampling": 0, "optimize": True}])
def test_a_progressive_jpeg_is_accepted(options: dict[str, Any]) -> None:
    assert screen(encoded("jpeg", drawn(2, 400, 300), **options)).accepted


def test_a_jpeg_with_several_pictures_is_judged_as_a_jpeg_by_its_first() -> None:
    file = io.BytesIO()
    drawn(3, 400, 300).save(file, "MPO", save_all=True, append_images=[drawn(4, 160, 120)])
    assert Image.open(file).format == "MPO"
    assert screen(file.getvalue()) == Screening(True, None, "jpeg", 400, 300)


@pytest.mark.parametrize("name", ["gif", "png", "webp", "avif"])
def test_an_animated_file_is_judged_by_its_first_frame(name: str) -> None:
    data = encoded(name, drawn(5, 400, 300), save_all=True, append_images=[drawn(6, 400, 300), drawn(7, 400, 300)])
    assert Image.open(io.BytesIO(data)).n_frames == 3  # type: ignore[attr-defined]
    assert screen(data) == Screening(True, None, name, 400, 300)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["gif", "png"])
def test_what_is_cut_off_behind_the_first_frame_does_not_matter(name: str) -> None:
    frames = {"save_all": True, "append_images": [drawn(6, 400, 300)]}
    data = encoded(name, drawn(5, 400, 300), **frames)
    assert screen(data[:-5000]).accepted


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_width_and_height_are_those_of_the_image_as_shown(name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    screening = screen(encoded(name, drawn(8, 400, 300), exif=exif))
    assert (screening.width, screening.height) == ((300, 400) if orientation >= 5 else (400, 300))


def test_exif_behind_the_pixels_of_a_png_turns_it_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded("png", drawn(8, 400, 300))
    turned = data[:-12] + png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + data[-12:]
    assert screen(turned) == Screening(True, None, "png", 300, 400)


def test_broken_exif_is_no_reason_to_refuse_a_picture() -> None:
    data = encoded("jpeg", drawn(8, 400, 300), exif=b"Exif\0\0not a TIFF header at all")
    assert screen(data) == Screening(True, None, "jpeg", 400, 300)


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((200, 300), None),
        ((300, 200), None),
        ((199, 300), "short_side_below_minimum"),
        ((300, 199), "short_side_below_minimum"),
        ((200, 299), "long_side_below_minimum"),
        ((299, 200), "long_side_below_minimum"),
        ((1, 1), "short_side_below_minimum"),
    ],
)
def test_an_image_below_a_minimum_is_refused_with_its_format_and_size(size: tuple[int, int], reason: str) -> None:
    screening = screen(encoded("png", drawn(9, 320, 320).resize(size)))
    assert screening == Screening(reason is None, reason, "png", *size)  # type: ignore[arg-type]
    assert reason is None or reason in LIMIT_REASONS


def test_the_most_pixels_are_counted_as_width_times_height() -> None:
    data = encoded("jpeg", drawn(10, 400, 300))
    assert screen(data, ScreeningLimits(max_pixels=120_000)).accepted
    assert screen(data, ScreeningLimits(max_pixels=119_999)) == Screening(False, "too_many_pixels", "jpeg", 400, 300)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_refused_for_its_pixels_with_its_size(name: str) -> None:
    screening = screen(encoded(name, drawn(10, 400, 300)), ScreeningLimits(max_pixels=1000))
    assert screening == Screening(False, "too_many_pixels", name, 400, 300)  # type: ignore[arg-type]


def test_a_limit_is_judged_by_the_header_alone() -> None:
    data = encoded("png", drawn(10, 400, 300))
    assert screen(data[:-10_000]).reason == "truncated"
    assert screen(data[:-10_000], ScreeningLimits(max_pixels=1000)).reason == "too_many_pixels"
    assert screen(data[:-10_000], ScreeningLimits(minimum_short=301)).reason == "short_side_below_minimum"


def test_a_header_that_claims_billions_of_pixels_is_a_decompression_bomb() -> None:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(bytes(1000))) + png_chunk(b"IEND", b"")
    assert screen(data) == Screening(False, "decompression_bomb", "png", 60_000, 60_000)
    assert "decompression_bomb" in LIMIT_REASONS


def test_an_image_that_needs_more_memory_than_is_allowed_is_refused_by_its_header_and_says_how_much() -> None:
    screening = screen(avif_that_claims(8000, 6000, "4:4:4"))
    assert screening.memory_needed == pytest.approx(460e6, rel=0.02)
    assert screening == Screening(False, "decoder_memory", "avif", 8000, 6000, screening.memory_needed)
    for size, subsampling in (((8000, 6000), "4:2:0"), ((6000, 5000), "4:4:4")):
        assert screen(avif_that_claims(*size, subsampling)) == Screening(True, None, "avif", *size)


def test_larger_pictures_may_take_more_memory_once_more_pixels_are_allowed() -> None:
    limits = ScreeningLimits(max_pixels=80_000_000)
    assert screen(avif_that_claims(10_000, 8000, "4:2:0"), limits).accepted
    assert screen(avif_that_claims(10_000, 8000, "4:4:4"), limits).reason == "decoder_memory"


def test_a_webp_header_that_claims_billions_of_pixels_is_a_decompression_bomb() -> None:
    canvas = b"VP8X" + struct.pack("<IB3x", 10, 0) + (59_999).to_bytes(3, "little") * 2
    data = b"RIFF" + struct.pack("<I", 4 + len(canvas)) + b"WEBP" + canvas
    assert screen(data) == Screening(False, "decompression_bomb", "webp", 60_000, 60_000)


def test_a_small_file_of_400_million_pixels_costs_no_more_than_its_limits() -> None:
    bomb = bilevel_png(20_000, 20_000)
    assert len(bomb) < 100_000
    assert screen(bomb).reason == "decompression_bomb"
    assert screen(bomb, ScreeningLimits(max_pixels=10**9, decode_seconds=0.05)) == Screening(
        False, "decoder_timeout", "png", 20_000, 20_000
    )
    assert screen(encoded("png", drawn(1, 400, 300))).accepted


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(name: str, share: float) -> None:
    data = encoded(name, drawn(11, 400, 300))
    screening = screen(data[: int(len(data) * share)])
    assert (screening.accepted, screening.reason, screening.format) == (False, "truncated", name)


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif"])
def test_a_file_without_its_last_byte_is_truncated(name: str) -> None:
    assert screen(encoded(name, drawn(11, 400, 300))[:-1]).reason == "truncated"


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_jpeg_of_which_a_part_is_missing_is_truncated_though_it_has_an_end(
    options: dict[str, Any], share: float
) -> None:
    data = encoded("jpeg", drawn(11, 400, 300), **options)
    cut = data[: int(len(data) * share)] + b"\xff\xd9"
    Image.open(io.BytesIO(cut)).load()  # to Pillow alone it is whole: the rest is grey
    assert screen(cut) == Screening(False, "truncated", "jpeg", 400, 300)


def test_a_jpeg_with_picture_data_that_is_none_is_corrupt() -> None:
    data = encoded("jpeg", drawn(11, 400, 300))
    place = len(data) * 4 // 5
    damaged = data[:place] + b"\xff\0" * 40 + data[place:]  # a row of ones is no Huffman code
    Image.open(io.BytesIO(damaged)).load()
    assert screen(damaged) == Screening(False, "corrupt", "jpeg", 400, 300)


@pytest.mark.parametrize("filling", [b"\0" * 20, b"\xff" * 20])
def test_a_jpeg_with_filling_before_or_behind_its_end_is_accepted(filling: bytes) -> None:
    data = encoded("jpeg", drawn(11, 400, 300))
    assert screen(data[:-2] + filling + data[-2:]).accepted
    assert screen(data + filling).accepted


def test_a_wrong_checksum_in_the_pixels_of_a_png_is_corrupt() -> None:
    data = bytearray(encoded("png", drawn(12, 400, 300)))
    end_of_pixels = data.rindex(b"IEND") - 8
    data[end_of_pixels] ^= 1  # the last byte of the last IDAT's checksum
    assert screen(bytes(data)).reason == "corrupt"


@pytest.mark.parametrize("data", [b"", None])
def test_no_bytes_are_no_image(data: Any) -> None:
    assert screen(data) == Screening(False, "not_an_image")


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE html><html><body>Not here any more <svg></svg></body></html>",
        b'{"error": "gone"}',
        b"BMW dealers near you",
        b"\0" * 5000,
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
        random.Random(0).randbytes(5000),
    ],
)
def test_what_is_no_picture_is_not_an_image(data: bytes) -> None:
    assert screen(data) == Screening(False, "not_an_image")


@pytest.mark.parametrize(
    "kind", ["TIFF", "BMP", "ICO", "PPM", "PDF", "EPS", "JPEG2000", "ICNS", "PCX", "SGI", "TGA", "DDS", "QOI", "IM"]
)
def test_other_formats_that_pillow_writes_are_never_accepted(kind: str) -> None:
    file = io.BytesIO()
    drawn(13, 320, 320).save(file, kind)
    assert screen(file.getvalue()).reason == ("unsupported_format" if kind != "IM" else "not_an_image")


@pytest.mark.parametrize(
    "data",
    [
        b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"></svg>',
        b"<SVG width='400' height='300'/>",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"\0\0\0\x0cJXL \r\n\x87\n",
        b"\xff\x0a" + bytes(20),
        b"BPG\xfb" + bytes(20),
        b"8BPS\0\x01",
    ],
)
def test_formats_known_by_their_signature_are_unsupported(data: bytes) -> None:
    assert screen(data) == Screening(False, "unsupported_format")


_STARTS = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\xff\0\0\0WEBPVP8X", b"\0\0\0\x18ftypavif"]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(_STARTS), st.binary(max_size=2000))
def test_no_bytes_make_it_raise(start: bytes, rest: bytes) -> None:
    screening = screen(start + rest)
    assert screening.accepted == (screening.reason is None)
    assert start or screening.format or screening.reason in {"not_an_image", "unsupported_format"}


_SIDES = st.integers(1, 100_000)


@given(_SIDES, _SIDES, st.integers(0, 2000), st.integers(0, 2000), st.integers(1, 10**9))
def test_the_limits_hold_whichever_way_round_an_image_is(w: int, h: int, short: int, long: int, most: int) -> None:
    limits = ScreeningLimits(short, long, most)
    reason = refused_by_limits(w, h, limits)
    assert reason == refused_by_limits(h, w, limits)
    assert (reason is None) == (min(w, h) >= short and max(w, h) >= long and w * h <= most)
    assert reason is None or reason in LIMIT_REASONS


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"minimum_short": -1}, "minimum_short must be a whole number of pixels, 0 or more; it is -1"),
        ({"minimum_long": 1.5}, "minimum_long must be a whole number of pixels, 0 or more; it is 1.5"),
        ({"max_pixels": 0}, "max_pixels must be a whole number of pixels, 1 or more; it is 0"),
        ({"max_pixels": True}, "max_pixels must be a whole number"),
        ({"decode_seconds": 0}, "decode_seconds must be from 0.01 to 3600 seconds; it is 0"),
        ({"decode_seconds": float("nan")}, "it is nan"),
        ({"decode_seconds": "4"}, "it is '4'"),
        ({"formats": ("jpeg", "heic")}, "formats must be some of jpeg, .*; found heic"),
        ({"formats": ()}, "found none"),
    ],
)
def test_limits_that_make_no_sense_are_refused_with_a_message(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScreeningLimits(**limits)
