"""Renditions of drawn pictures: size, orientation, colour, contrast, bytes."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw, ImageEnhance, ImageOps

from image_assets.renditions import Recipe, RenderingFailed, Rendition, load_recipes, render
from image_assets.renditions.rendering import fitted_size

SHIPPED = load_recipes(Path(__file__).parents[2] / "renditions.yaml")
PLAIN = Recipe("plain", 400, 300, quality=95)
sides = st.integers(1, 5000)


def picture(width: int = 800, height: int = 600, seed: int = 0) -> Image.Image:
    """A smooth coloured scene with sharp edges and a little noise; red marks its upper left corner."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [128 + 70 * np.sin(x / (40 + 25 * c) + seed) + 40 * np.cos(y / (60 - 12 * c)) for c in range(3)]
    noisy = np.stack(waves, axis=-1) + random.normal(0, 4, (height, width, 3))
    image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.rectangle((width // 2, height // 2, width * 3 // 4, height * 3 // 4), fill=(20, 60, 160))
    draw.rectangle((0, 0, width // 4, height // 4), fill=(220, 30, 30))
    return image


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def opened(rendition: Rendition) -> Image.Image:
    image = Image.open(io.BytesIO(rendition.data))
    image.load()
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean absolute difference of two images of one size, in levels of 255."""
    assert one.size == other.size
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def patch(image: Image.Image) -> tuple[int, ...]:
    """The mean colour of the middle of the image."""
    width, height = image.size
    middle = np.asarray(image.crop((width // 4, height // 4, width * 3 // 4, height * 3 // 4)), dtype=float)
    return tuple(round(value) for value in middle.reshape(-1, 3).mean(axis=0))


def test_every_recipe_gives_a_jpeg_of_the_declared_size() -> None:
    renditions = render(encoded(picture(2000, 1500), "JPEG"), SHIPPED)
    assert list(renditions) == [recipe.name for recipe in SHIPPED]
    for recipe in SHIPPED:
        rendition = renditions[recipe.name]
        image = opened(rendition)
        assert (image.format, image.mode, rendition.format) == ("JPEG", "RGB", "jpeg")
        assert image.size == (rendition.width, rendition.height)
        assert (recipe.width, recipe.height) == image.size or recipe.width == recipe.height == image.width


def test_sizes_follow_the_talks_integer_rule() -> None:
    assert fitted_size(1600, 1200, 75, 75) == (75, 56)
    assert fitted_size(1200, 1600, 75, 75) == (56, 75)
    assert fitted_size(1000, 667, 320, 240) == (320, 213)
    assert fitted_size(5000, 3, 75, 75) == (75, 1)
    assert fitted_size(320, 240, 320, 240) == (320, 240)


@given(sides, sides, sides, sides)
def test_a_fitted_size_fits_keeps_the_shape_and_never_grows(w: int, h: int, box_w: int, box_h: int) -> None:
    width, height = fitted_size(w, h, box_w, box_h)
    assert 1 <= width <= min(w, box_w)
    assert 1 <= height <= min(h, box_h)
    assert (width, height) == (w, h) or width == box_w or height == box_h
    # To the integer below, the shape is kept.
    assert abs(width * h - height * w) < max(w, h) or 1 in (width, height)


def test_a_small_image_is_never_enlarged() -> None:
    renditions = render(encoded(picture(300, 200)), SHIPPED)
    assert max(rendition.width for rendition in renditions.values()) == 300
    assert (renditions["screen-1920x1440"].width, renditions["screen-1920x1440"].height) == (300, 200)


def test_a_rendition_does_not_depend_on_which_others_are_made_with_it() -> None:
    data = encoded(picture(1601, 1203), "JPEG", quality=92)
    together = render(data, SHIPPED)
    assert all(render(data, [recipe]) == {recipe.name: together[recipe.name]} for recipe in SHIPPED)


def test_a_large_jpeg_decoded_smaller_gives_the_same_rendition_whatever_is_asked_beside_it() -> None:
    data = encoded(picture(7800, 400), "JPEG", quality=90)
    small, huge = Recipe("small", 200, 200), Recipe("huge", 7000, 7000)
    together = render(data, [huge, small])
    assert together["huge"].width == 7000
    assert together["small"] == render(data, [small])["small"]
    at_once = Image.open(io.BytesIO(data)).resize((200, 10), Image.Resampling.LANCZOS)
    same_way = Image.open(io.BytesIO(encoded(at_once, "JPEG", quality=85)))
    assert difference(opened(together["small"]), same_way) < 2


@pytest.mark.parametrize("size", [(1600, 1200), (1599, 1201), (1023, 770)])
def test_scaling_by_halvings_cannot_be_told_from_scaling_at_once(size: tuple[int, int]) -> None:
    source = picture(*size)
    plain = [Recipe(recipe.name, recipe.width, recipe.height, quality=95) for recipe in SHIPPED]
    for rendition in render(encoded(source), plain).values():
        at_once = source.resize((rendition.width, rendition.height), Image.Resampling.LANCZOS)
        same_way = Image.open(io.BytesIO(encoded(at_once, "JPEG", quality=95)))
        assert difference(opened(rendition), same_way) < 1.2


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.0, 1.04, 1.1, 1.7, 3.0])
def test_contrast_equals_pillows_bit_for_bit(factor: float) -> None:
    source = picture(401, 299, seed=7)
    recipe = Recipe("contrasted", 401, 299, contrast=factor, quality=90)
    talk = encoded(ImageEnhance.Contrast(source).enhance(factor), "JPEG", quality=90)
    assert render(encoded(source), [recipe])["contrasted"].data == talk


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_every_exif_orientation_comes_out_upright(orientation: int, format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(picture(400, 200), format, exif=exif.tobytes())
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    rendition = render(data, [PLAIN])["plain"]
    expected = upright.resize((rendition.width, rendition.height), Image.Resampling.LANCZOS)
    assert (rendition.width > rendition.height) == (orientation < 5)
    assert difference(opened(rendition), expected) < 5


def test_broken_exif_does_not_spoil_a_picture() -> None:
    data = encoded(picture(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff broken")
    assert render(data, [PLAIN])["plain"].width == 400


def test_transparency_becomes_white() -> None:
    clear = Image.new("RGBA", (200, 200), (255, 0, 0, 0))
    half = Image.new("RGBA", (200, 200), (0, 0, 0, 128))
    grey = Image.new("LA", (200, 200), (0, 128))
    palette = picture(200, 200).quantize(32)
    palette.info["transparency"] = 0
    for image, colour in ((clear, 255), (half, 127), (grey, 127)):
        assert all(abs(value - colour) <= 1 for value in patch(opened(render(encoded(image), [PLAIN])["plain"])))
    data = encoded(palette, "PNG", transparency=bytes(32))
    assert patch(opened(render(data, [PLAIN])["plain"])) == (255, 255, 255)


def test_sixteen_bit_grey_keeps_its_tones() -> None:
    tones = np.linspace(0, 65_535, 256).astype(np.uint16).repeat(4)[None, :].repeat(100, axis=0)
    rendition = render(encoded(Image.fromarray(tones)), [Recipe("wide", 1024, 100, quality=95)])["wide"]
    expected = np.arange(256).repeat(4)
    assert np.abs(np.asarray(opened(rendition).convert("L"))[50].astype(int) - expected).max() <= 2


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB"])
def test_every_colour_mode_is_rendered_in_rgb(mode: str) -> None:
    source = picture(400, 300)
    rendition = render(encoded(source.convert(mode), "TIFF"), [PLAIN])["plain"]
    assert difference(opened(rendition).convert("L"), picture(400, 300).convert("L")) < (130 if mode == "1" else 12)


def test_colours_are_converted_by_the_embedded_profile() -> None:
    # A profile with swapped primaries says plainly whether it was used: what is stored as red is shown as blue.
    swapped = _with_primaries_swapped(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red = Image.new("RGB", (200, 200), (250, 10, 10))
    for data in (encoded(red, icc_profile=swapped), encoded(red, "JPEG", icc_profile=swapped, quality=95)):
        red_shown, _, blue_shown = patch(opened(render(data, [PLAIN])["plain"]))
        assert red_shown < 40
        assert blue_shown > 220


def test_a_profile_of_plain_srgb_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert render(encoded(picture(), icc_profile=profile), [PLAIN]) == render(encoded(picture()), [PLAIN])


@pytest.mark.parametrize("profile", [b"nonsense", b"\0" * 200])
def test_an_unusable_profile_is_ignored(profile: bytes) -> None:
    assert render(encoded(picture(), icc_profile=profile), [PLAIN]) == render(encoded(picture()), [PLAIN])


def test_a_profile_of_another_colour_space_is_ignored() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert render(encoded(picture(), icc_profile=lab), [PLAIN]) == render(encoded(picture()), [PLAIN])


def test_no_metadata_is_left() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    exif.get_ifd(0x8825)[1] = "N"
    data = encoded(
        picture(), "JPEG", exif=exif, comment=b"a secret comment", xmp=b"<x>a secret packet</x>", dpi=(300, 300)
    )
    assert b"secret" in data
    for rendition in render(data, [PLAIN, Recipe("as large as it is", 800, 600)]).values():
        assert b"secret" not in rendition.data
        assert set(opened(rendition).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_an_animation_gives_its_first_frame() -> None:
    data = encoded(picture(seed=1), "GIF", save_all=True, append_images=[picture(seed=2)], duration=100)
    assert render(data, [PLAIN]) == render(encoded(Image.open(io.BytesIO(data))), [PLAIN])


def test_the_same_bytes_come_out_again_and_from_many_threads() -> None:
    pictures = [encoded(picture(900, 700, seed), "JPEG") for seed in range(4)]
    once = [render(data, SHIPPED) for data in pictures]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda data: render(data, SHIPPED), pictures * 3)) == once * 3


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an image in a known format"),
        (b"<html>not here</html>", "not an image in a known format"),
        (encoded(picture(), "JPEG")[:9000], "cannot be decoded: .*truncated"),
        (encoded(picture(), "PNG")[:9000], "cannot be decoded: .*"),
    ],
)
def test_an_unreadable_image_fails_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(RenderingFailed, match=f"^{reason}") as failed:
        render(data, SHIPPED)
    assert str(failed.value) == failed.value.reason


def test_no_recipes_give_no_renditions() -> None:
    assert render(encoded(picture()), []) == {}


def _with_primaries_swapped(profile: bytes) -> bytes:
    """The profile with the names of its red and blue colorant tags exchanged."""
    return profile.replace(b"rXYZ", b"tmp_", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"tmp_", b"bXYZ", 1)
