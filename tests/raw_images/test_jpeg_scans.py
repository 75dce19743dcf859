"""JPEG files that end between two scans: to libjpeg and Pillow they are whole."""

from __future__ import annotations

import io
import re

import pytest
from image_files import encoded, one_scan_a_colour
from pictures import drawn
from PIL import Image

from image_assets.raw_images import Screening, screen

_SCAN = re.compile(rb"\xff\xda")


def _progressive() -> bytes:
    return encoded("jpeg", drawn(31, 400, 300), progressive=True)


def _cut_before(scan: int, data: bytes) -> bytes:
    """The scans before that number (from 0), and an end."""
    return data[: [found.start() for found in _SCAN.finditer(data)][scan]] + b"\xff\xd9"


@pytest.mark.parametrize("scans", [1, 2, 3, 4])
def test_a_progressive_jpeg_without_the_details_is_truncated(scans: int) -> None:
    cut = _cut_before(scans, _progressive())
    Image.open(io.BytesIO(cut)).load()  # a blur
    assert screen(cut) == Screening(False, "truncated", "jpeg", 400, 300)


@pytest.mark.parametrize("scans", [5, 6, 7, 8, 9])
def test_a_progressive_jpeg_without_the_last_bits_of_precision_is_accepted(scans: int) -> None:
    assert screen(_cut_before(scans, _progressive())).accepted


def test_a_jpeg_without_one_of_its_colours_is_truncated() -> None:
    data = one_scan_a_colour(drawn(31, 400, 300).convert("L"))
    assert screen(data) == Screening(True, None, "jpeg", 400, 300)
    for scan in (1, 2):
        cut = _cut_before(scan, data)
        Image.open(io.BytesIO(cut)).load()
        assert screen(cut) == Screening(False, "truncated", "jpeg", 400, 300)


def test_a_thumbnail_in_the_metadata_is_not_taken_for_the_picture() -> None:
    thumbnail = _cut_before(1, encoded("jpeg", drawn(32, 160, 120), progressive=True))
    content = b"Exif\0\0" + thumbnail
    data = _progressive()
    segment = b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content
    assert screen(data[:2] + segment + data[2:]).accepted
