"""Files within their bytes, in the way their recipes say."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin
from rendered_scenes import encoded, opened, scene

from image_assets.renditions import Recipe, encoding, render
from image_assets.renditions.attribution import Attribution

CARD = Recipe("card", 640, 480, quality=90)
DATA = encoded(scene())


def made(recipe: Recipe) -> encoding.Rendition:
    return render(DATA, [recipe])[recipe.name]


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_max_bytes_lowers_the_quality_no_further_than_needed(format: str) -> None:
    recipe = replace(CARD, format=format, speed=9)
    free = made(recipe)
    limit = len(free.data) * 2 // 3
    held = made(replace(recipe, max_bytes=limit, min_quality=10))
    assert (free.quality, free.too_large, held.too_large) == (90, False, False)
    assert len(held.data) <= limit
    assert held.quality < 90
    one_better = made(replace(recipe, quality=held.quality + 1))
    assert len(one_better.data) > limit
    assert held.data == made(replace(recipe, quality=held.quality)).data


def test_at_the_lowest_quality_the_smallest_file_is_kept_and_says_so() -> None:
    held = made(replace(CARD, max_bytes=1000, min_quality=30))
    assert (held.quality, held.too_large) == (30, True)
    assert held.data == made(replace(CARD, quality=30)).data


def test_a_file_that_fits_keeps_its_quality() -> None:
    assert made(replace(CARD, max_bytes=10_000_000)) == made(CARD)


def test_few_encodes_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    original = encoding._encoded

    def counted(image: Image.Image, recipe: Recipe, quality: int, attribution: Attribution) -> bytes:
        calls.append(quality)
        return original(image, recipe, quality, attribution)

    monkeypatch.setattr(encoding, "_encoded", counted)
    made(replace(CARD, quality=95, min_quality=1, max_bytes=len(made(replace(CARD, quality=50)).data)))
    assert len(calls) - 1 <= 9


@pytest.mark.parametrize(("subsampling", "code"), [("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)])
def test_the_chroma_is_subsampled_as_the_recipe_says(subsampling: str, code: int) -> None:
    image = Image.open(io.BytesIO(made(replace(CARD, subsampling=subsampling)).data))
    assert JpegImagePlugin.get_sampling(image) == code


def test_progressive_and_optimized_jpegs_show_the_same_picture_in_fewer_bytes() -> None:
    plain = made(CARD)
    for change in ({"progressive": True}, {"optimize": True}):
        other = made(replace(CARD, **change))
        assert len(other.data) < len(plain.data)
        assert opened(other).tobytes() == opened(plain).tobytes()
        assert bool(opened(other).info.get("progressive")) == ("progressive" in change)


@pytest.mark.parametrize("kind", ["progressive", "optimize"])
def test_grain_that_takes_more_than_a_byte_a_pixel_is_encoded_all_the_same(kind: str) -> None:
    grain = Image.fromarray(np.random.default_rng(1).integers(0, 256, (400, 600, 3), dtype=np.uint8))
    recipe = replace(CARD, subsampling="4:4:4", quality=95)
    plain, packed = (render(encoded(grain), [each])["card"] for each in (recipe, replace(recipe, **{kind: True})))
    assert len(packed.data) > 2 * 600 * 400
    assert opened(packed).tobytes() == opened(plain).tobytes()


def test_a_large_webp_takes_no_more_effort_than_memory_allows() -> None:
    large = encoded(scene(2400, 1800), compress_level=1)
    most = Recipe("large", 2400, 1800, format="webp", effort=6)
    assert render(large, [most]) == render(large, [replace(most, effort=2)])


def test_more_effort_and_less_speed_change_the_file() -> None:
    webp, avif = replace(CARD, format="webp"), replace(CARD, format="avif", speed=10)
    assert made(webp).data != made(replace(webp, effort=6)).data
    assert made(avif).data != made(replace(avif, speed=7)).data
