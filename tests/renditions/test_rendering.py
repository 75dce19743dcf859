"""Renditions of drawn pictures: what is shown, which way up, and always the same bytes."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from rendered_scenes import difference, encoded, opened, scene

from image_assets.renditions import Recipe, RenderingFailed, load_recipes, render, rendering
from image_assets.renditions.attribution import Attribution
from image_assets.renditions.encoding import Rendition

SHIPPED = load_recipes(Path(__file__).parents[2] / "renditions.yaml")
PLAIN = Recipe("plain", 400, 300, quality=95)


def test_every_recipe_gives_a_jpeg_of_the_declared_size() -> None:
    renditions = render(encoded(scene(2000, 1500), "JPEG"), SHIPPED)
    assert list(renditions) == [recipe.name for recipe in SHIPPED]
    for recipe in SHIPPED:
        rendition = renditions[recipe.name]
        image = opened(rendition)
        assert (image.format, image.mode, rendition.format) == ("JPEG", "RGB", "jpeg")
        assert image.size == (rendition.width, rendition.height)
        assert (recipe.width, recipe.height) == image.size or recipe.width == recipe.height == image.width


def test_a_small_image_is_never_enlarged_unless_the_recipe_says_so() -> None:
    data = encoded(scene(300, 200))
    renditions = render(data, SHIPPED)
    assert max(rendition.width for rendition in renditions.values()) == 300
    assert (renditions["screen-1920x1440"].width, renditions["screen-1920x1440"].height) == (300, 200)
    enlarged = render(data, [Recipe("large", 1200, 1200, enlarge=True, quality=95)])["large"]
    assert (enlarged.width, enlarged.height) == (1200, 800)
    assert difference(opened(enlarged), scene(300, 200).resize((1200, 800), Image.Resampling.BICUBIC)) < 4


def test_a_rendition_does_not_depend_on_which_others_are_made_with_it() -> None:
    data = encoded(scene(1601, 1203), "JPEG", quality=92)
    others = [
        Recipe("square", 200, 200, crop="interesting"),
        Recipe("soft", 400, 300, format="webp", quality=60),
        Recipe("sharp", 400, 300, contrast=1.2, sharpen=120),
    ]
    together = render(data, [*SHIPPED, *others])
    assert all(render(data, [recipe]) == {recipe.name: together[recipe.name]} for recipe in [*SHIPPED, *others])


def test_a_large_jpeg_decoded_smaller_gives_the_same_rendition_whatever_is_asked_beside_it() -> None:
    data = encoded(scene(7800, 200), "JPEG", quality=90)
    small, huge = Recipe("small", 200, 200), Recipe("huge", 7000, 7000)
    together = render(data, [huge, small])
    assert together["huge"].width == 7000
    assert together["small"] == render(data, [small])["small"]
    at_once = Image.open(io.BytesIO(data)).resize((200, 5), Image.Resampling.LANCZOS)
    same_way = Image.open(io.BytesIO(encoded(at_once, "JPEG", quality=85)))
    assert difference(opened(together["small"]), same_way) < 2


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_decoded_smaller_is_the_whole_picture_in_its_place(format: str) -> None:
    # 5,411 is odd, so every decoder ends within a pixel.
    source = scene(5411, 401)
    options = {"quality": 95} if format == "JPEG" else {"lossless": True, "method": 0} if format == "WEBP" else {}
    rendition = render(encoded(source, format, **options), [Recipe("wide", 1600, 1600, quality=95)])["wide"]
    expected = source.resize((rendition.width, rendition.height), Image.Resampling.LANCZOS)
    assert difference(opened(rendition), expected) < 2
    corners = np.asarray(opened(rendition), dtype=int)[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.abs(corners - np.asarray(expected, dtype=int)[[0, 0, -1, -1], [0, -1, 0, -1]]).max() < 25


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_every_exif_orientation_comes_out_upright(orientation: int, format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(scene(400, 200), format, exif=exif.tobytes(), quality=90)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    rendition = render(data, [PLAIN])["plain"]
    expected = upright.resize((rendition.width, rendition.height), Image.Resampling.LANCZOS)
    assert (rendition.width > rendition.height) == (orientation < 5)
    assert difference(opened(rendition), expected) < 5


def test_a_crop_is_of_the_upright_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(scene(600, 300), "JPEG", exif=exif.tobytes(), quality=95)
    square = render(data, [Recipe("square", 300, 300, crop="centre", quality=95)])["square"]
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert difference(opened(square), upright.crop((0, 150, 300, 450))) < 3


def test_broken_exif_does_not_spoil_a_picture() -> None:
    data = encoded(scene(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff broken")
    assert render(data, [PLAIN])["plain"].width == 400


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB"])
def test_every_colour_mode_is_rendered_in_rgb(mode: str) -> None:
    source = scene(400, 300)
    rendition = render(encoded(source.convert(mode), "TIFF"), [PLAIN])["plain"]
    assert difference(opened(rendition).convert("L"), scene(400, 300).convert("L")) < (130 if mode == "1" else 12)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_gives_its_first_frame(format: str) -> None:
    frames = [scene(seed=1), scene(seed=2)]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=100)
    assert difference(opened(render(data, [PLAIN])["plain"]), frames[0].resize((400, 300))) < 15


@pytest.mark.parametrize(
    ("factor", "size"),
    [*((factor, (401, 299)) for factor in (0.1, 0.5, 1.0, 1.04, 1.1, 1.7, 3.0)), (1.3, (2501, 1701))],
)
def test_contrast_equals_pillows_bit_for_bit(factor: float, size: tuple[int, int]) -> None:
    source = scene(*size, seed=7)
    enhanced = ImageEnhance.Contrast(source).enhance(factor)
    plain, contrasted = Recipe("r", *size, quality=90), Recipe("r", *size, contrast=factor, quality=90)
    assert render(encoded(source, compress_level=1), [contrasted]) == render(encoded(enhanced), [plain])


def test_sharpening_makes_edges_steeper() -> None:
    def steepness(sharpen: int) -> float:
        rendition = render(encoded(scene()), [Recipe("sharp", 400, 300, sharpen=sharpen, quality=95)])["sharp"]
        return float(np.abs(np.diff(np.asarray(opened(rendition).convert("L"), dtype=float), axis=1)).mean())

    assert steepness(0) * 1.03 < steepness(60) < steepness(200)


def test_the_same_bytes_come_out_again_and_from_many_threads() -> None:
    recipes = [*SHIPPED[3:9], Recipe("w", 320, 240, format="webp"), Recipe("a", 160, 120, format="avif", speed=9)]
    pictures = [encoded(scene(900, 700, seed), "JPEG") for seed in range(3)]
    once = [render(data, recipes) for data in pictures]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda data: render(data, recipes), pictures * 3)) == once * 3


def test_the_pixels_are_those_that_this_version_of_the_method_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests of recipes leave Pillow's version out: when this fails after an update, raise RENDERING_VERSION."""
    pixels = hashlib.sha256()

    def seen(image: Image.Image, recipe: Recipe, attribution: Attribution) -> Rendition:
        pixels.update(image.tobytes())
        return Rendition(b"", *image.size, recipe.format, recipe.quality)

    monkeypatch.setattr(rendering, "encoded", seen)
    ramps = np.indices((901, 1203)).transpose(1, 2, 0)
    drawn = np.concatenate([ramps % 256, ramps.sum(axis=2, keepdims=True) // 7 % 256, ramps[..., :1] // 4], axis=2)
    recipes = [
        *SHIPPED,
        Recipe("crop", 300, 200, crop="interesting", sharpen=80),
        Recipe("up", 1400, 1400, enlarge=True),
    ]
    render(encoded(Image.fromarray(drawn.astype(np.uint8), "RGBA"), compress_level=1), recipes)
    assert pixels.hexdigest()[:16] == "d9e670ea1fd80338"


# Made when their test runs: the large one takes a gigabyte to draw.
UNREADABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not an image in a known format"),
    "HTML": (lambda: b"<html>not here</html>", "not an image in a known format"),
    "JPEG": (lambda: encoded(scene(), "JPEG"), "cannot be decoded: .*truncated"),
    "PNG": (lambda: encoded(scene(), "PNG"), "cannot be decoded: .*"),
    "WebP": (lambda: encoded(scene(), "WEBP"), "cannot be decoded: .*"),
    "large WebP": (lambda: encoded(scene(3600, 2400), "WEBP", method=0, quality=5), "cannot be decoded: .*"),
    "AVIF": (lambda: encoded(scene(), "AVIF", speed=10), ".*"),
    "GIF": (lambda: encoded(scene(), "GIF"), "cannot be decoded: .*"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_unreadable_image_fails_with_its_reason(kind: str) -> None:
    made, reason = UNREADABLE[kind]
    with pytest.raises(RenderingFailed, match=f"^{reason}") as failed:
        render(made()[:9000], SHIPPED)
    assert str(failed.value) == failed.value.reason
    assert "\n" not in failed.value.reason


def test_no_recipes_give_no_renditions() -> None:
    assert render(encoded(scene()), []) == {}


def test_one_size_in_several_formats_shows_the_same_picture() -> None:
    formats = ("jpeg", "webp", "avif")
    recipes = [replace(PLAIN, name=format, format=format, quality=90) for format in formats]
    renditions = render(encoded(scene()), recipes)
    for name, rendition in renditions.items():
        assert (rendition.format, opened(rendition).format) == (name, name.upper())
        assert difference(opened(rendition), scene().resize((400, 300), Image.Resampling.LANCZOS)) < 4
