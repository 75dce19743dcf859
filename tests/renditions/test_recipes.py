"""Recipes, their digests and the keys of what they make."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from PIL import features

from image_assets.renditions import Recipe, recipe_digest, recipes, recipes_digest, rendition_key

CARD = Recipe("card", 320, 240, contrast=1.1, quality=85)
SHA256 = "ab" + 62 * "0"


OTHER_VALUES: dict[str, object] = {
    "name": "c",
    "width": 321,
    "height": 241,
    "crop": "centre",
    "enlarge": True,
    "background": (0, 0, 0),
    "contrast": 1.2,
    "sharpen": 50,
    "format": "webp",
    "quality": 84,
    "max_bytes": 9000,
    "min_quality": 50,
    "subsampling": "4:4:4",
    "progressive": True,
    "optimize": True,
    "effort": 5,
    "speed": 5,
}
OF_ONE_FORMAT = {"effort": "webp", "speed": "avif"}


@pytest.mark.parametrize("field", [field.name for field in fields(Recipe)])
def test_a_digest_changes_with_every_field_that_its_format_has(field: str) -> None:
    recipe = replace(CARD, format=OF_ONE_FORMAT.get(field, "jpeg"))
    assert recipe_digest(replace(recipe, **{field: OTHER_VALUES[field]})) != recipe_digest(recipe)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["effort", "speed"])
def test_a_digest_does_not_change_with_fields_of_other_formats(field: str) -> None:
    assert recipe_digest(replace(CARD, **{field: OTHER_VALUES[field]})) == recipe_digest(CARD)  # type: ignore[arg-type]


@pytest.mark.parametrize(("library", "format"), [("libjpeg_turbo", "jpeg"), ("webp", "webp"), ("avif", "avif")])
def test_a_new_codec_changes_the_digests_of_its_own_format_only(
    monkeypatch: pytest.MonkeyPatch, library: str, format: str
) -> None:
    def digests() -> dict[str, str]:
        return {format: recipe_digest(replace(CARD, format=format)) for format in recipes.EXTENSIONS}

    before = digests()
    for module in (features, recipes):
        version = module.version
        monkeypatch.setattr(module, "version", lambda name, known=version: "new" if name == library else known(name))
    assert {format for format, digest in digests().items() if digest != before[format]} == {format}


def test_a_digest_changes_with_the_version_of_the_method(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe_digest(CARD)
    monkeypatch.setattr(recipes, "RENDERING_VERSION", recipes.RENDERING_VERSION + 1)
    assert recipe_digest(CARD) != before


def test_the_digest_of_all_recipes_changes_with_one_of_them_and_not_with_their_order() -> None:
    other = replace(CARD, name="other")
    assert recipes_digest([CARD, other]) == recipes_digest([other, CARD])
    assert recipes_digest([CARD, other]) != recipes_digest([CARD])
    assert recipes_digest([CARD, other]) != recipes_digest([CARD, replace(other, quality=1)])


def test_the_key_of_a_rendition_names_recipe_content_and_digest() -> None:
    assert rendition_key(CARD, SHA256) == f"renditions/card/ab/{SHA256}-{recipe_digest(CARD)}.jpg"
    assert len(recipe_digest(CARD)) == 12
    for format in ("webp", "avif"):
        recipe = replace(CARD, format=format)
        assert rendition_key(recipe, SHA256) == f"renditions/card/ab/{SHA256}-{recipe_digest(recipe)}.{format}"
