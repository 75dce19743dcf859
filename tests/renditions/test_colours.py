"""Colours: files of every kind come out in the sRGB that they mean.

The right answer is computed from the definition of each colour space, and compared as ΔE of CIE 1976 (the plain
distance in Lab, stricter than CIE 2000 on strong colours).
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from colour_profiles import (
    ADOBE_RGB,
    BT_2020,
    DISPLAY_P3,
    PROPHOTO,
    SRGB,
    Floats,
    RGBSpace,
    cmyk_lab,
    cmyk_profile,
    grey_profile,
    lab,
    rgb_profile,
    srgb_of_lab,
)
from image_files import png_chunk
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from image_assets.renditions import Recipe, render

EXACT = Recipe("exact", 400, 300, quality=95, subsampling="4:4:4")
SIDE = 50  # pixels of a patch

# 12 colours that sRGB can show, from nearly black to white, and 6 greys.
SRGB_COLOURS = np.array(
    [
        (0, 0, 0),
        (1, 1, 1),
        (0.5, 0.5, 0.5),
        (0.1, 0.1, 0.1),
        (0.8, 0.2, 0.2),
        (0.2, 0.7, 0.3),
        (0.2, 0.3, 0.8),
        (0.9, 0.8, 0.2),
        (0.3, 0.7, 0.8),
        (0.7, 0.3, 0.6),
        (0.85, 0.7, 0.6),
        (0.25, 0.2, 0.15),
    ]
)
GREYS = np.linspace(0, 1, 12)


def patches(values: NDArray[Any]) -> NDArray[Any]:
    """12 colours, (12, channels), as squares in three rows of four."""
    return values.reshape(3, 4, -1).repeat(SIDE, axis=0).repeat(SIDE, axis=1)


def bytes_of(values: Floats) -> NDArray[np.uint8]:
    return (np.asarray(values) * 255).round().clip(0, 255).astype(np.uint8)


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def shown(data: bytes, recipe: Recipe = EXACT) -> Floats:
    """(12, 3): the colours in the middle of the patches of the rendition, of 0 to 1."""
    image = np.asarray(Image.open(io.BytesIO(render(data, [recipe])["exact"].data)), dtype=float) / 255
    side = image.shape[1] // 4
    middle = image.reshape(3, side, 4, side, 3)[:, side // 3 : -side // 3, :, side // 3 : -side // 3]
    return np.asarray(middle.mean(axis=(1, 3)).reshape(12, 3))


def assert_seen_as(data: bytes, right: Floats, recipe: Recipe = EXACT) -> None:
    """`right`: (12, 3) CIE Lab."""
    distances = np.linalg.norm(lab(SRGB, shown(data, recipe)) - right, axis=1)
    assert distances.max() < 2, f"ΔE {distances.round(1).tolist()}"


def in_space(space: RGBSpace) -> NDArray[np.uint8]:
    """The colours of SRGB_COLOURS as bytes of another space."""
    linear = SRGB.decode(SRGB_COLOURS) @ SRGB.to_xyz.T @ np.linalg.inv(space.to_xyz).T
    curve = space.decode(np.linspace(0, 1, 100_001))
    return bytes_of(np.interp(linear, curve, np.linspace(0, 1, 100_001)))


@pytest.mark.parametrize("space", [ADOBE_RGB, DISPLAY_P3, PROPHOTO], ids=["Adobe RGB", "Display P3", "ProPhoto"])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_wide_gamuts_are_converted_by_the_embedded_profile(space: RGBSpace, format: str) -> None:
    options = {"PNG": {}, "JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}
    best = options.get(format, {"quality": 100, "subsampling": "4:4:4", "speed": 9})
    data = encoded(Image.fromarray(patches(in_space(space))), format, icc_profile=rgb_profile(space), **best)
    # What a lossy format made of the colours is what the file says.
    stored = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[SIDE // 2 :: SIDE, SIDE // 2 :: SIDE]
    assert_seen_as(data, lab(space, stored.reshape(12, 3) / 255))


def test_without_a_profile_rgb_is_srgb() -> None:
    stored = bytes_of(SRGB_COLOURS)
    assert_seen_as(encoded(Image.fromarray(patches(stored))), lab(SRGB, stored / 255))


# Inks for colours that sRGB can show.
INKS = np.array(
    [
        (0, 0, 0, 0),
        (0, 0, 0, 1),
        (0, 0, 0, 0.5),
        (0.3, 0, 0, 0),
        (0, 0.5, 0, 0),
        (0, 0, 0.5, 0),
        (0.5, 0.5, 0, 0),
        (0, 0.6, 0.5, 0.1),
        (0.4, 0, 0.5, 0),
        (0.2, 0.2, 0.2, 0.2),
        (0.1, 0.3, 0.4, 0.3),
        (1, 1, 1, 1),
    ]
)


def test_cmyk_is_converted_by_the_embedded_profile() -> None:
    stored = bytes_of(INKS)
    right = cmyk_lab(stored / 255)
    assert srgb_of_lab(right).min() > -0.01
    assert srgb_of_lab(right).max() < 1.01
    image = Image.fromarray(patches(stored), "CMYK")
    assert_seen_as(encoded(image, "JPEG", quality=98, subsampling=0, icc_profile=cmyk_profile()), right)


def test_cmyk_without_a_profile_is_converted_as_browsers_do() -> None:
    stored = bytes_of(INKS)
    inks = stored / 255
    right = (1 - inks[:, :3]) * (1 - inks[:, 3:])
    data = encoded(Image.fromarray(patches(stored), "CMYK"), "JPEG", quality=98, subsampling=0)
    assert_seen_as(data, lab(SRGB, right))


def test_grey_with_a_profile_of_its_own_is_converted() -> None:
    stored = bytes_of(GREYS)
    data = encoded(Image.fromarray(patches(stored)[..., 0]), icc_profile=grey_profile(1.0))
    linear = np.repeat(stored[:, None] / 255, 3, axis=1)
    right = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert_seen_as(data, lab(SRGB, right))


def with_chunks(png: bytes, chunks: dict[bytes, bytes]) -> bytes:
    """A PNG with more chunks behind its header."""
    return png[:33] + b"".join(png_chunk(kind, content) for kind, content in chunks.items()) + png[33:]


def chromaticities(space: RGBSpace) -> bytes:
    white = space.white / space.white.sum()
    numbers = [white[0], white[1], *(value for primary in space.primaries for value in primary)]
    return struct.pack(">8I", *(round(number * 100_000) for number in numbers))


@pytest.mark.parametrize("space", [DISPLAY_P3, BT_2020, PROPHOTO], ids=["Display P3", "BT.2020", "ProPhoto"])
def test_chromaticities_and_gamma_of_a_png_are_converted(space: RGBSpace) -> None:
    curved = replace(space, decode=lambda value: value**1.8)
    stored = in_space(curved)
    chunks = {b"gAMA": struct.pack(">I", round(100_000 / 1.8)), b"cHRM": chromaticities(space)}
    assert_seen_as(with_chunks(encoded(Image.fromarray(patches(stored))), chunks), lab(curved, stored / 255))


def test_the_gamma_of_a_grey_png_is_converted() -> None:
    stored = bytes_of(GREYS)
    data = with_chunks(encoded(Image.fromarray(patches(stored)[..., 0])), {b"gAMA": struct.pack(">I", 100_000)})
    linear = replace(SRGB, decode=lambda value: value)
    assert_seen_as(data, lab(linear, np.repeat(stored[:, None] / 255, 3, axis=1)))


@pytest.mark.parametrize(("space", "code"), [(DISPLAY_P3, 12), (BT_2020, 9), (SRGB, 1)])
@pytest.mark.parametrize("format", ["PNG", "AVIF"])
def test_code_points_of_a_png_and_an_avif_are_converted(space: RGBSpace, code: int, format: str) -> None:
    picture = Image.fromarray(patches(in_space(space)))
    if format == "PNG":
        # They count more than an embedded profile.
        plain = encoded(picture, icc_profile=rgb_profile(ADOBE_RGB))
        data = with_chunks(plain, {b"cICP": bytes([code, 13, 0, 1])})
    else:
        plain = encoded(picture, "AVIF", quality=100, subsampling="4:4:4", speed=9)
        data = plain.replace(b"colrnclx\0\x01\0\x0d", b"colrnclx" + struct.pack(">HH", code, 13))
        assert code == 1 or data != plain
    stored = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[SIDE // 2 :: SIDE, SIDE // 2 :: SIDE]
    assert_seen_as(data, lab(space, stored.reshape(12, 3) / 255))


def test_the_adobe_rgb_of_a_camera_without_a_profile_is_converted() -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] = 0xFFFF
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.IFD.Interop] = {ExifTags.Interop.InteropIndex: "R03"}
    data = encoded(Image.fromarray(patches(in_space(ADOBE_RGB))), "JPEG", quality=98, subsampling=0, exif=exif)
    stored = np.asarray(Image.open(io.BytesIO(data)))[SIDE // 2 :: SIDE, SIDE // 2 :: SIDE]
    assert_seen_as(data, lab(ADOBE_RGB, stored.reshape(12, 3) / 255))


@pytest.mark.parametrize(
    "chunks",
    [
        {b"gAMA": struct.pack(">I", 45_455)},
        {b"gAMA": struct.pack(">I", 0)},
        {b"gAMA": struct.pack(">I", 4_000_000_000)},
        {b"cHRM": bytes(32)},
        {b"cHRM": struct.pack(">8I", *[33_333] * 8)},
        {b"cHRM": b"\xff" * 32},
        {b"sRGB": b"\0", b"gAMA": struct.pack(">I", 100_000)},
        {b"cICP": bytes([9, 16, 0, 1])},
    ],
    ids=["of sRGB", "0", "huge", "zeros", "one point", "noise", "beside sRGB", "HDR"],
)
def test_colours_that_are_srgb_or_cannot_be_are_left_as_they_are(chunks: dict[bytes, bytes]) -> None:
    plain = encoded(Image.fromarray(patches(bytes_of(SRGB_COLOURS))))
    assert render(with_chunks(plain, chunks), [EXACT]) == render(plain, [EXACT])


def png16(values: NDArray[np.uint16], colour_type: int) -> bytes:
    """A PNG of 16 bits a channel, which Pillow cannot write: (height, width, channels)."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)], ids=["L", "RGB", "LA", "RGBA"])
def test_sixteen_bits_a_channel_keep_their_colours(colour_type: int, channels: int) -> None:
    colours = np.repeat(GREYS[:, None], 3, axis=1) if channels < 3 else SRGB_COLOURS
    alpha = np.linspace(0.2, 1, 12)[:, None]
    stored = colours[:, : 1 if channels < 3 else 3]
    right = colours
    if channels in (2, 4):
        stored, right = np.concatenate([stored, alpha], axis=1), colours * alpha + (1 - alpha)
    data = png16(patches((stored * 65_535).round().astype(np.uint16)), colour_type)
    assert_seen_as(data, lab(SRGB, right))


def test_transparency_is_flattened_on_the_recipes_background() -> None:
    stored = np.concatenate([bytes_of(SRGB_COLOURS), bytes_of(np.linspace(0, 1, 12)[:, None])], axis=1)
    alpha = stored[:, 3:] / 255
    blue = Recipe("exact", 400, 300, quality=95, subsampling="4:4:4", background=(30, 60, 200))
    for recipe, background in ((EXACT, (1, 1, 1)), (blue, np.array([30, 60, 200]) / 255)):
        right = lab(SRGB, stored[:, :3] / 255 * alpha + np.array(background) * (1 - alpha))
        for options in ({"format": "PNG"}, {"format": "WEBP", "lossless": True, "exact": True}):
            assert_seen_as(encoded(Image.fromarray(patches(stored)), **options), right, recipe)


def test_recipes_of_different_backgrounds_do_not_mix() -> None:
    clear = encoded(Image.new("RGBA", (200, 150), (0, 0, 0, 0)))
    recipes = [Recipe(name, 200, 150, background=colour) for name, colour in (("a", (255, 0, 0)), ("b", (0, 0, 255)))]
    together = render(clear, recipes)
    assert {recipe.name: render(clear, [recipe])[recipe.name] for recipe in recipes} == together
    assert together["a"].data != together["b"].data


def test_grey_with_alpha_is_flattened() -> None:
    stored = np.stack([bytes_of(GREYS), bytes_of(GREYS[::-1])], axis=1)
    alpha = stored[:, 1:] / 255
    right = np.repeat(stored[:, :1] / 255 * alpha + 1 - alpha, 3, axis=1)
    assert_seen_as(encoded(Image.fromarray(patches(stored), "LA")), lab(SRGB, right))


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_a_palette_with_a_transparent_colour_is_flattened(format: str) -> None:
    image = Image.fromarray(patches(np.arange(12, dtype=np.uint8)[:, None])[..., 0], "P")
    colours = bytes_of(SRGB_COLOURS)
    image.putpalette(colours.tobytes())
    right = colours / 255
    right[4] = 1
    assert_seen_as(encoded(image, format, transparency=4), lab(SRGB, right))


def test_a_palette_with_alpha_for_each_colour_and_a_profile_is_converted_then_flattened() -> None:
    image = Image.fromarray(patches(np.arange(12, dtype=np.uint8)[:, None])[..., 0], "P")
    stored = in_space(ADOBE_RGB)
    image.putpalette(stored.tobytes())
    alpha = np.linspace(0.3, 1, 12)
    data = encoded(image, transparency=bytes_of(alpha).tobytes(), icc_profile=rgb_profile(ADOBE_RGB))
    alpha = (bytes_of(alpha) / 255)[:, None]
    right = srgb_of_lab(lab(ADOBE_RGB, stored / 255)) * alpha + 1 - alpha
    assert_seen_as(data, lab(SRGB, right))


def test_a_profile_of_plain_srgb_changes_nothing() -> None:
    picture = Image.fromarray(patches(bytes_of(SRGB_COLOURS)))
    for profile in (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), rgb_profile(SRGB)):
        assert render(encoded(picture, icc_profile=profile), [EXACT]) == render(encoded(picture), [EXACT])


@pytest.mark.parametrize(
    "profile",
    [b"nonsense", bytes(200), rgb_profile(ADOBE_RGB)[:300], cmyk_profile(), grey_profile(1.0)],
    ids=["nonsense", "zeros", "cut off", "CMYK", "grey"],
)
def test_a_profile_that_is_broken_or_of_another_colour_space_is_ignored(profile: bytes) -> None:
    picture = Image.fromarray(patches(bytes_of(SRGB_COLOURS)))
    assert render(encoded(picture, icc_profile=profile), [EXACT]) == render(encoded(picture), [EXACT])


def test_large_pictures_are_converted_strip_by_strip_without_a_seam() -> None:
    ramp = np.linspace(40, 200, 6000).astype(np.uint8)[:, None, None].repeat(30, axis=1).repeat(3, axis=2)
    data = encoded(Image.fromarray(ramp), icc_profile=rgb_profile(ADOBE_RGB))
    tall = render(data, [Recipe("tall", 10, 2000, quality=95)])["tall"]
    rows = np.asarray(Image.open(io.BytesIO(tall.data)).convert("L"), dtype=int).mean(axis=1)
    assert np.abs(np.diff(rows)).max() < 1.5
    expected = lab(ADOBE_RGB, ramp[1::3, 0] / 255)[:, 0]
    got = lab(SRGB, np.repeat(rows[:, None] / 255, 3, axis=1))[:, 0]
    assert np.abs(got - expected[: len(got)]).max() < 1.5
