"""The recipes file: read whole, or refused with everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from rendered_scenes import encoded

from image_assets.renditions import Recipe, RecipesFileError, RenderingFailed, load_recipes, render
from image_assets.renditions.checking import flaw_of


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
          - {name: card, width: 0, height: "240", contrast: .nan, quality: 96, background: white, crop: left}
          - {name: card, width: true, height: 70000, colour: red, format: gif, max_bytes: 10, enlarge: 1}
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
        "recipe 'card': width: must be a whole number from 1 to 65500, got 0",
        "recipe 'card': height: must be a whole number from 1 to 65500, got '240'",
        "recipe 'card': background: must be a colour like '#ffffff' (in quotes: YAML takes '#' for a comment), "
        "got 'white'",
        "recipe 'card': crop: must be one of centre, interesting, got 'left'",
        "recipe 'card': contrast: must be a number from 0.1 to 3, got nan",
        "recipe 'card': quality: must be a whole number from 1 to 95, got 96",
        "recipe 'card': width: must be a whole number from 1 to 65500, got True",
        "recipe 'card': height: must be a whole number from 1 to 65500, got 70000",
        "recipe 'card': colour: unknown field",
        "recipe 'card': format: must be one of jpeg, webp, avif, got 'gif'",
        "recipe 'card': max_bytes: must be a whole number from 1000 to 100000000, got 10",
        "recipe 'card': enlarge: must be true or false, got 1",
        "recipe 'card': name: used by 2 recipes",
        "recipe '../up': name: must be 1 to 64 lower-case letters",
        "recipe '../up': width: given twice, again in line 6",
        "recipe '../up': contrast: must be a number from 0.1 to 3, got 0",
        "recipe number 4: name: missing",
        "recipe number 4: height: missing",
        "recipe number 4: width: must be a whole number from 1 to 65500, got 1.5",
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


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ("format: webp, progressive: true", "recipe 'r': progressive: webp has no such thing; only jpeg"),
        ("format: webp, subsampling: '4:4:4'", "recipe 'r': subsampling: webp has no such thing; only jpeg and avif"),
        ("effort: 6", "recipe 'r': effort: jpeg has no such thing; only webp"),
        ("format: jpeg, speed: 6", "recipe 'r': speed: jpeg has no such thing; only avif"),
        ("format: avif, speed: 0", "recipe 'r': speed: must be a whole number from 4 to 10, got 0"),
        ("min_quality: 30", "recipe 'r': min_quality: only meaningful with max_bytes"),
        ("max_bytes: 9000, min_quality: 90", "recipe 'r': min_quality: must not be above the quality of 85, got 90"),
    ],
)
def test_fields_that_contradict_each_other_are_told(
    written: Callable[[str], Path], fields: str, complaint: str
) -> None:
    path = written(f"recipes: [{{name: r, width: 20, height: 20, {fields}}}]")
    with pytest.raises(RecipesFileError) as error:
        load_recipes(path)
    assert str(error.value) == f"{path}: {complaint}"


@pytest.mark.parametrize("field", ["width", "height"])
@pytest.mark.parametrize(("format", "longest"), [("jpeg", 65_500), ("webp", 16_383), ("avif", 32_768)])
def test_a_box_is_no_larger_than_what_the_codec_writes_and_reads(
    written: Callable[[str], Path], format: str, longest: int, field: str
) -> None:
    def box(side: int) -> Path:
        sides = f"width: {side}, height: 16" if field == "width" else f"width: 16, height: {side}"
        return written(f"recipes: [{{name: r, {sides}, format: {format}}}]")

    def works(side: int, recipe: Recipe) -> bool:
        picture = Image.new("RGB", (side, 16) if field == "width" else (16, side))
        try:
            rendition = render(encoded(picture, compress_level=1), [replace(recipe, speed=10, effort=0)])["r"]
        except RenderingFailed:
            return False
        return flaw_of(rendition, [recipe]) is None

    (recipe,) = load_recipes(box(longest))
    assert works(longest, recipe)
    assert not works(longest + 1, replace(recipe, **{field: longest + 1}))
    with pytest.raises(RecipesFileError) as error:
        load_recipes(box(longest + 1))
    assert str(error.value).endswith(
        f"recipe 'r': {field}: {format} has at most {longest} pixels, got {longest + 1}"
        if longest < 65_500
        else f"recipe 'r': {field}: must be a whole number from 1 to 65500, got 65501"
    )


def test_an_enlarging_recipe_that_would_take_too_much_memory_of_every_picture_is_told(
    written: Callable[[str], Path],
) -> None:
    path = written(
        """
        recipes:
          - {name: good, width: 5000, height: 4000, enlarge: true}
          - {name: any, width: 20000, height: 20000}
          - {name: avif, width: 4000, height: 3000, enlarge: true, format: avif, subsampling: "4:4:4", contrast: 1.1}
          - {name: jpeg, width: 10000, height: 8000, enlarge: true}
        """
    )
    with pytest.raises(RecipesFileError) as error:
        load_recipes(path)
    assert str(error.value).splitlines() == [
        f"{path}: recipe 'avif': enlarge: 4000 x 3000 pixels as avif take 600 MB of memory, 350 MB are allowed",
        f"{path}: recipe 'jpeg': enlarge: 10000 x 8000 pixels as jpeg take 560 MB of memory, 350 MB are allowed",
    ]


def test_every_field_is_read(written: Callable[[str], Path]) -> None:
    path = written(
        """
        recipes:
          - {name: a, width: 400, height: 300, crop: interesting, enlarge: true, background: "#0a14ff", sharpen: 50}
          - {name: b, width: 400, height: 300, quality: 80, max_bytes: 30000, min_quality: 50, progressive: true}
          - {name: c, width: 400, height: 300, quality: 30, optimize: true, subsampling: "4:4:4"}
          - {name: d, width: 400, height: 300, format: webp, effort: 6}
          - {name: e, width: 400, height: 300, format: avif, speed: 8}
        """
    )
    assert load_recipes(path) == (
        Recipe("a", 400, 300, crop="interesting", enlarge=True, background=(10, 20, 255), sharpen=50),
        Recipe("b", 400, 300, quality=80, max_bytes=30_000, min_quality=50, progressive=True),
        Recipe("c", 400, 300, quality=30, min_quality=30, optimize=True, subsampling="4:4:4"),
        Recipe("d", 400, 300, format="webp", effort=6),
        Recipe("e", 400, 300, format="avif", speed=8),
    )
