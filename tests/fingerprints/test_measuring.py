"""From the bytes of a file to fingerprint and features."""

from __future__ import annotations

import hashlib
import io
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from image_assets.fingerprints import (
    Features,
    Fingerprint,
    UnreadableImage,
    crop_hashes,
    fingerprint,
    measure,
    pack_hashes,
    pack_luma,
)

# Which turn of an upright picture gives the stored picture that the EXIF orientation then turns back.
STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def packed(of: Fingerprint) -> tuple[bytes, bytes, int, int]:
    return pack_hashes(of.crop_hashes), pack_luma(of.luma), of.width, of.height


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_first(draw, encode, orientation: int, format_: str) -> None:
    upright = draw(301, 200, 1)
    turn = STORED_AS[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    measured = measure(encode(stored, format_, exif=oriented(orientation)))
    expected = measure(encode(upright))
    assert packed(measured.fingerprint) == packed(expected.fingerprint)
    assert measured.features == expected.features
    assert (measured.fingerprint.width, measured.fingerprint.height) == (301, 200)


@pytest.mark.parametrize("orientation", [0, 2, 6, 9, 77])
def test_orientation_is_understood_as_pillow_understands_it(draw, encode, orientation: int) -> None:
    data = encode(draw(160, 120, 2), "JPEG", exif=oriented(orientation))
    with Image.open(io.BytesIO(data)) as image:
        turned = ImageOps.exif_transpose(image)
    np.testing.assert_array_equal(fingerprint(data).crop_hashes, crop_hashes(turned))


def bits_apart(a: Fingerprint, b: Fingerprint) -> NDArray[np.uint8]:
    """(36,): of 64 bits, from each crop's hash to the same crop's of the other."""
    return np.bitwise_count(a.crop_hashes ^ b.crop_hashes)


# Averages of 2 x 2, 4 x 4 and 8 x 8 pixels, sides that these do not divide, and formats of either shape.
@pytest.mark.parametrize("size", [(1024, 768), (1003, 1333), (2105, 1403), (4003, 1287)])
def test_a_large_picture_is_recognised_in_every_format(draw, encode, size: tuple[int, int]) -> None:
    scene = draw(*size, 3)
    jpeg = encode(scene, "JPEG", quality=90)
    with Image.open(io.BytesIO(jpeg)) as file:
        bitmap = encode(file, "BMP")
    scaled, whole = measure(jpeg), measure(bitmap)
    assert (scaled.fingerprint.width, scaled.fingerprint.height) == size
    assert bits_apart(scaled.fingerprint, whole.fingerprint).mean() < 1
    assert np.abs(scaled.fingerprint.luma.astype(int) - whole.fingerprint.luma).max() <= 2
    assert scaled.features.sharpness == pytest.approx(whole.features.sharpness, rel=0.02)
    assert scaled.features.brightness == pytest.approx(whole.features.brightness, abs=0.5)
    assert scaled.features.contrast == pytest.approx(whole.features.contrast, rel=0.01)
    assert scaled.features.colourfulness == pytest.approx(whole.features.colourfulness, rel=0.05)


@pytest.mark.parametrize("size", [(1024, 768), (2105, 1403)])
def test_the_hashes_of_a_large_picture_are_near_those_of_all_its_pixels(draw, encode, size: tuple[int, int]) -> None:
    data = encode(draw(*size, 4), "JPEG", quality=90)
    with Image.open(io.BytesIO(data)) as image:
        hashes = crop_hashes(image)
    # 4 is the talk's threshold: from there on it is another picture.
    assert np.bitwise_count(fingerprint(data).crop_hashes ^ hashes).mean() < 2


@pytest.mark.parametrize("size", [(998, 748), (1600, 318)])
def test_a_picture_is_measured_whole_when_halves_would_leave_too_little(draw, encode, size: tuple[int, int]) -> None:
    data = encode(draw(*size, 5), "JPEG")
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(fingerprint(data).crop_hashes, crop_hashes(image))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_jpeg_is_turned_upright(draw, encode, orientation: int) -> None:
    upright = draw(1040, 800, 1)
    turn = STORED_AS[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    measured = measure(encode(stored, "JPEG", quality=95, exif=oriented(orientation)))
    expected = measure(encode(upright))
    assert bits_apart(measured.fingerprint, expected.fingerprint).mean() < 1
    assert (measured.fingerprint.width, measured.fingerprint.height) == (1040, 800)


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"quality": 90}),
        ("RGB", {"quality": 90, "progressive": True, "subsampling": 0}),
        ("RGB", {"quality": 90, "keep_rgb": True}),
        ("L", {"quality": 90}),
        ("CMYK", {"quality": 90}),
    ],
    ids=["usual", "progressive", "RGB inside", "grey", "CMYK"],
)
def test_large_jpegs_of_every_kind_are_measured_as_their_pixels(draw, encode, mode: str, options: dict) -> None:
    data = encode(draw(1024, 768, 2).convert(mode), "JPEG", **options)
    with Image.open(io.BytesIO(data)) as file:
        pixels = encode(file.convert("RGB"))
    for algorithm in ("dhash", "phash"):
        measured, expected = measure(data, algorithm), measure(pixels, algorithm)
        assert packed(measured.fingerprint) == packed(fingerprint(data, algorithm))
        assert bits_apart(measured.fingerprint, expected.fingerprint).mean() < 1
        assert measured.features.colourfulness == pytest.approx(expected.features.colourfulness, rel=0.03)


@pytest.mark.parametrize("length", [8, 14], ids=["cut short", "whole"])
def test_a_jfif_marker_on_a_large_jpeg_that_is_rgb_inside_spoils_nothing(draw, encode, length: int) -> None:
    rgb = encode(draw(1024, 768, 2), "JPEG", quality=90, keep_rgb=True)
    marker = b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"[:length]
    data = rgb[:2] + b"\xff\xe0" + (length + 2).to_bytes(2) + marker + rgb[2:]
    with Image.open(io.BytesIO(data)) as file:
        pixels = encode(file.convert("RGB"))
    measured = measure(data).fingerprint
    assert packed(measured) == packed(fingerprint(data))
    assert bits_apart(measured, measure(pixels).fingerprint).mean() < 2


def test_a_damaged_exif_block_leaves_the_picture_as_stored(draw, encode) -> None:
    scene = draw(160, 120, 3)
    damaged = encode(scene, "JPEG", exif=b"Exif\x00\x00" + b"not a TIFF header at all")
    assert packed(fingerprint(damaged)) == packed(fingerprint(encode(scene, "JPEG")))


def test_measure_and_fingerprint_agree(draw, encode) -> None:
    data = encode(draw(640, 480, 4), "JPEG", quality=80)
    for algorithm in ("dhash", "phash"):
        assert packed(measure(data, algorithm).fingerprint) == packed(fingerprint(data, algorithm))
    assert packed(fingerprint(data, "phash")) != packed(fingerprint(data))


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("P", "GIF"),
        ("P", "PNG"),
        ("1", "PNG"),
        ("LA", "PNG"),
        ("RGBA", "PNG"),
        ("RGB", "WEBP"),
        ("CMYK", "TIFF"),
        ("F", "TIFF"),
    ],
)
def test_pictures_of_every_mode_are_measured(draw, encode, mode: str, file_format: str) -> None:
    scene = draw(160, 120, 5)
    data = encode(scene.convert(mode), file_format)
    measured = measure(data)
    with Image.open(io.BytesIO(data)) as stored:
        np.testing.assert_array_equal(measured.fingerprint.crop_hashes, crop_hashes(stored))
    assert measured.features.sharpness > 0


def test_sixteen_bit_grey_is_measured_as_it_is_shown(draw, encode) -> None:
    grey = draw(160, 120, 5).convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    assert packed(fingerprint(encode(deep, "PNG"))) == packed(fingerprint(encode(grey, "PNG")))


def test_transparency_is_measured_on_white_as_it_is_shown(draw, encode) -> None:
    shape = Image.new("RGBA", (160, 120), (0, 0, 0, 0))
    shape.putalpha(draw(160, 120, 5).convert("L"))
    white = Image.new("RGBA", shape.size, (255, 255, 255, 255))
    shown = Image.alpha_composite(white, shape).convert("RGB")
    assert packed(fingerprint(encode(shape, "PNG"))) == packed(fingerprint(encode(shown, "PNG")))


def test_of_an_animation_the_first_frame_counts(draw, encode) -> None:
    first, second = draw(160, 120, 6).convert("P"), draw(160, 120, 7).convert("P")
    animation = encode(first, "GIF", save_all=True, append_images=[second])
    assert packed(fingerprint(animation)) == packed(fingerprint(encode(first, "GIF")))


@pytest.mark.parametrize("algorithm", ["dhash", "phash"])
def test_a_truncated_file_is_unreadable(draw, encode, algorithm: str) -> None:
    files = [encode(draw(320, 240, 8), file_format) for file_format in ("JPEG", "PNG", "WEBP")]
    for data in [*files, encode(draw(1024, 768, 8), "JPEG")]:
        for read in (fingerprint, measure):
            with pytest.raises(UnreadableImage) as caught:
                read(data[: len(data) // 2], algorithm)
            assert caught.value.reason


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>not found</html>",
        b"\xff\xd8\xff\xe0" + bytes(40),
        # A PNG header that claims 60,000 x 60,000 pixels.
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0) + bytes(30),
    ],
    ids=["empty", "html", "header only", "bomb"],
)
def test_bytes_that_are_no_picture_are_unreadable_with_a_reason(data: bytes) -> None:
    with pytest.raises(UnreadableImage) as caught:
        measure(data)
    assert ":" in caught.value.reason


def test_an_unknown_algorithm_is_not_taken_for_a_bad_picture(draw, encode) -> None:
    with pytest.raises(ValueError, match="unknown hash algorithm") as caught:
        measure(encode(draw(20, 20)), "dhsah")
    assert not isinstance(caught.value, UnreadableImage)


def test_many_threads_measure_as_one_does(draw, encode) -> None:
    files = [encode(draw(200 + 20 * seed, 300 - 20 * seed, seed), "JPEG") for seed in range(8)] * 4
    with ThreadPoolExecutor(4) as pool:
        together = [packed(measured.fingerprint) for measured in pool.map(measure, files)]
    assert together == [packed(fingerprint(data)) for data in files]


@pytest.mark.parametrize(
    ("size", "digest", "features"),
    [
        ((421, 300), "ca1b30fb375697f6", Features(435.58819, 118.031003, 54.98599, 143.168138)),
        ((1030, 701), "ba48d2735efe4158", Features(217.866106, 114.515148, 46.757316, 146.955272)),
    ],
)
def test_measurements_are_those_of_method_version_2(draw, encode, size, digest: str, features: Features) -> None:
    # When this fails, kept fingerprints no longer fit new ones: raise `_REVISION` in hashing.py, then renew the values.
    measured = measure(encode(draw(*size, 9)))
    kept = pack_hashes(measured.fingerprint.crop_hashes) + pack_luma(measured.fingerprint.luma)
    assert hashlib.sha256(kept).hexdigest()[:16] == digest
    assert measured.features == features
