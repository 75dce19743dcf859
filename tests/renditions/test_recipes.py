"""The recipes file and the digests of recipes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from image_assets.renditions import (
    Recipe,
    RecipesFileError,
    load_recipes,
    recipe_digest,
    recipes,
    recipes_digest,
    rendition_key,
)

CARD = Recipe("card", 320, 240, contrast=1.1, quality=85)
SHA256 = "ab" + 62 * "0"


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "renditions.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_shipped_file_has_fourteen_recipes_from_thumbnail_to_full_screen() -> None:
    shipped = load_recipes(Path(__file__).parents[2] / "renditions.yaml")
    assert len(shipped) == 14
    assert (shipped[0].width, shipped[0].height) == (75, 75)
    assert (shipped[-1].width, shipped[-1].height) == (1920, 1440)


def test_fields_that_are_left_out_take_their_defaults(written: Callable[[str], Path]) -> None:
    assert load_recipes(written("recipes: [{name: card, width: 320, height: 240, contrast: 2}]")) == (
        Recipe("card", 320, 240, contrast=2.0, format="jpeg", quality=85),
    )


def test_everything_wrong_is_told_at_once_with_file_recipe_and_field(written: Callable[[str], Path]) -> None:
    path = written(
        """
        recipies: []
        recipes:
          - {name: card, width: 0, height: "240", contrast: .nan, quality: 96}
          - {name: card, width: true, height: 70000, colour: red, format: gif}
          - {name: ../up, width: 1, width: 2, height: 1, contrast: 0}
          - {width: 1.5}
          - 75x75
        """
    )
    with pytest.raises(RecipesFileError) as error:
        load_recipes(path)
    lines = str(error.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    for expected in (
        "unknown key 'recipies'",
        "recipe 'card': width: must be a whole number from 1 to 65535, got 0",
        "recipe 'card': height: must be a whole number from 1 to 65535, got '240'",
        "recipe 'card': contrast: must be a number from 0.1 to 3, got nan",
        "recipe 'card': quality: must be a whole number from 1 to 95, got 96",
        "recipe 'card': width: must be a whole number from 1 to 65535, got True",
        "recipe 'card': height: must be a whole number from 1 to 65535, got 70000",
        "recipe 'card': colour: unknown field",
        "recipe 'card': format: must be one of jpeg, got 'gif'",
        "recipe 'card': name: used by 2 recipes",
        "recipe '../up': name: must be 1 to 64 lower-case letters",
        "recipe '../up': width: given twice, again in line 6",
        "recipe '../up': contrast: must be a number from 0.1 to 3, got 0",
        "recipe number 4: name: missing",
        "recipe number 4: height: missing",
        "recipe number 4: width: must be a whole number from 1 to 65535, got 1.5",
        "recipe number 5: expected fields such as 'name' and 'width', got '75x75'",
    ):
        assert any(expected in line for line in lines), expected


@pytest.mark.parametrize("text", ["", "recipes:", "recipes: []", "recipes: {card: 1}", "- name: card", "a: b: c", "\0"])
def test_a_file_without_a_list_of_recipes_is_refused_by_name(written: Callable[[str], Path], text: str) -> None:
    path = written(text)
    with pytest.raises(RecipesFileError, match=r"renditions\.yaml: "):
        load_recipes(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RecipesFileError, match=r"none\.yaml: cannot be read: No such file"):
        load_recipes(tmp_path / "none.yaml")


@pytest.mark.parametrize("change", [{"name": "c"}, {"width": 321}, {"height": 241}, {"contrast": 1.2}, {"quality": 84}])
def test_a_digest_changes_with_every_field(change: dict[str, object]) -> None:
    assert recipe_digest(replace(CARD, **change)) != recipe_digest(CARD)  # type: ignore[arg-type]


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
