"""What the UI plots: sizes by recipe, and what formats save."""

from __future__ import annotations

from image_assets.renditions import Recipe
from image_assets.renditions.sizes import RECIPES_PLOTTED, jpeg_counterparts, size_metadata
from resources.ledger.rendering import RecipeSizes

JPEG = Recipe("card-jpeg", 400, 300)
WEBP = Recipe("card-webp", 400, 300, format="webp")
ALONE = Recipe("banner-webp", 900, 300, format="webp")


def test_a_format_is_compared_with_the_jpeg_of_the_same_box() -> None:
    assert jpeg_counterparts([WEBP, ALONE, JPEG]) == {"card-webp": "card-jpeg"}


def test_what_a_format_saves_is_told_against_originals_and_against_jpegs() -> None:
    sizes = [
        RecipeSizes("card-jpeg", 2, 400, 1000, 0, 0, 0),
        RecipeSizes("card-webp", 2, 300, 1000, 300, 400, 0),
        RecipeSizes("banner-webp", 2, 200, 1000, 0, 0, 0),
    ]
    numbers = size_metadata(sizes, [JPEG, WEBP, ALONE])
    assert numbers == {
        "card-jpeg_count": 2,
        "card-jpeg_bytes": 400,
        "card-webp_count": 2,
        "card-webp_bytes": 300,
        "banner-webp_count": 2,
        "banner-webp_bytes": 200,
        "jpeg_saved_on_originals_bytes": 600,
        "jpeg_saved_on_originals_share": 0.6,
        "webp_saved_on_originals_bytes": 1500,
        "webp_saved_on_originals_share": 0.75,
        "webp_saved_on_jpeg_bytes": 100,
        "webp_saved_on_jpeg_share": 0.25,
    }


def test_how_many_are_above_their_bytes_is_told_of_recipes_that_have_a_limit() -> None:
    limited = Recipe("small", 400, 300, max_bytes=5000)
    numbers = size_metadata(
        [RecipeSizes("small", 9, 400, 1000, 0, 0, 3), RecipeSizes("card-jpeg", 9, 4, 10, 0, 0, 0)], [limited, JPEG]
    )
    assert {name: number for name, number in numbers.items() if "too_large" in name} == {"small_too_large": 3}


def test_however_many_recipes_there_are_the_numbers_are_bounded() -> None:
    sizes = [RecipeSizes(str(number), 1, 1, 2, 0, 0, 0) for number in range(200)]
    numbers = size_metadata(sizes, [Recipe(str(number), 400, 300, max_bytes=1000) for number in range(200)])
    assert len(numbers) == 3 * RECIPES_PLOTTED + 2
    assert numbers["jpeg_saved_on_originals_bytes"] == 200
