"""The recipes file (`renditions.yaml`): read, and checked so that every mistake is told with recipe and field.

Does not belong here: what a recipe means (recipes).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from image_assets.renditions.recipe_memory import making_bytes
from image_assets.renditions.recipes import EXTENSIONS, FORMAT_FIELDS, Recipe

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LONGEST_SIDES: Mapping[str, int] = {"jpeg": 65_500, "webp": 16_383, "avif": 32_768}  # that the codecs write and read
_MOST_MEGABYTES = 350  # of a rendition, and there is the picture it is made from
_REQUIRED = ("name", "width", "height")


class RecipesFileError(ValueError):
    """A recipes file cannot be used; the message has one line for each thing wrong: file, recipe, field, reason."""


def load_recipes(path: Path) -> tuple[Recipe, ...]:
    """Read the recipes in the order of the file: a list of `name`, `width`, `height` and optional fields.

    Raises RecipesFileError, which names everything that is wrong with the file at once.
    """
    try:
        text = path.read_text(encoding="utf-8")
        problems = _repeated_keys(yaml.compose(text, Loader=yaml.SafeLoader))
        content = yaml.safe_load(text)
    except OSError as error:
        raise RecipesFileError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
        raise RecipesFileError(f"{path}: not a YAML file: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("recipes"), list) or not content["recipes"]:
        raise RecipesFileError(f"{path}: expected the key 'recipes' with a list of at least one recipe")
    problems += [f"unknown key {key!r}; the only key is 'recipes'" for key in content if key != "recipes"]

    entries = content["recipes"]
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    for number, entry in enumerate(entries, start=1):
        label = f"recipe {names[number - 1]!r}" if isinstance(names[number - 1], str) else f"recipe number {number}"
        problems += [f"{label}: {problem}" for problem in _problems_of(entry)]
    texts = [name for name in names if isinstance(name, str)]
    problems += [
        f"recipe {name!r}: name: used by {texts.count(name)} recipes"
        for name in dict.fromkeys(texts)
        if texts.count(name) > 1
    ]
    recipes = () if problems else tuple(_recipe(entry) for entry in entries)
    problems += [problem for recipe in recipes for problem in _memory_problems(recipe)]
    if problems:
        raise RecipesFileError("\n".join(f"{path}: {problem}" for problem in problems))
    return recipes


def _recipe(entry: Mapping[str, Any]) -> Recipe:
    values = dict(entry)
    if "contrast" in values:
        values["contrast"] = float(values["contrast"])
    if "background" in values:
        values["background"] = tuple(bytes.fromhex(values["background"][1:]))
    # A quality below the usual floor is its own floor.
    recipe = Recipe(**values)
    return recipe if "min_quality" in values else Recipe(**values, min_quality=min(recipe.min_quality, recipe.quality))


def _problems_of(entry: object) -> list[str]:
    if not isinstance(entry, dict):
        return [f"expected fields such as 'name' and 'width', got {entry!r}"]
    missing = [f"{field}: missing" for field in _REQUIRED if field not in entry]
    unknown = [f"{field}: unknown field; known are {', '.join(_CHECKS)}" for field in entry if field not in _CHECKS]
    wrong = [
        f"{field}: {complaint}, got {entry[field]!r}"
        for field, check in _CHECKS.items()
        if field in entry and (complaint := check(entry[field]))
    ]
    return missing + unknown + wrong + ([] if wrong else _contradictions(entry))


def _memory_problems(recipe: Recipe) -> list[str]:
    """Recipes that are known to take too much memory for every picture; of others it depends on the picture
    (rendering).
    """
    box = recipe.width, recipe.height
    needed = making_bytes(recipe, (0, 0), box) // 1_000_000 if recipe.enlarge else 0
    if needed <= _MOST_MEGABYTES:
        return []
    size = f"{box[0]} x {box[1]} pixels as {recipe.format}"
    return [f"recipe {recipe.name!r}: enlarge: {size} take {needed:,} MB of memory, {_MOST_MEGABYTES} MB are allowed"]


def _contradictions(entry: Mapping[Any, Any]) -> list[str]:
    """What is wrong between fields that are each right."""
    chosen = entry.get("format", Recipe.format)
    problems = [
        f"{field}: {chosen} has no such thing; only {' and '.join(having)}"
        for field in dict.fromkeys(field for fields in FORMAT_FIELDS.values() for field in fields)
        if field in entry and chosen not in (having := [name for name in FORMAT_FIELDS if field in FORMAT_FIELDS[name]])
    ]
    longest = _LONGEST_SIDES[chosen]
    problems += [
        f"{side}: {chosen} has at most {longest} pixels, got {entry[side]}"
        for side in ("width", "height")
        if entry.get(side, 0) > longest
    ]
    if "min_quality" in entry:
        quality = entry.get("quality", Recipe.quality)
        if "max_bytes" not in entry:
            problems.append("min_quality: only meaningful with max_bytes")
        elif entry["min_quality"] > quality:
            problems.append(f"min_quality: must not be above the quality of {quality}, got {entry['min_quality']}")
    return problems


def _name(value: object) -> str | None:
    good = isinstance(value, str) and _NAME.fullmatch(value)
    # The name is a folder of the store, on any file system.
    return None if good else "must be 1 to 64 lower-case letters, digits, '-' and '_', starting with a letter or digit"


def _whole_number(low: int, high: int) -> Callable[[object], str | None]:
    def check(value: object) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if good else f"must be a whole number from {low} to {high}"

    return check


def _one_of(*choices: str) -> Callable[[object], str | None]:
    def check(value: object) -> str | None:
        return None if isinstance(value, str) and value in choices else f"must be one of {', '.join(choices)}"

    return check


def _contrast(value: object) -> str | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    good = number and math.isfinite(value) and 0.1 <= value <= 3  # type: ignore[arg-type, operator]
    return None if good else "must be a number from 0.1 to 3"


def _background(value: object) -> str | None:
    good = isinstance(value, str) and _COLOUR.fullmatch(value)
    return None if good else "must be a colour like '#ffffff' (in quotes: YAML takes '#' for a comment)"


def _yes_or_no(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


_LONGEST_SIDE = max(_LONGEST_SIDES.values())

_CHECKS: Mapping[str, Callable[[object], str | None]] = {
    "name": _name,
    "width": _whole_number(1, _LONGEST_SIDE),
    "height": _whole_number(1, _LONGEST_SIDE),
    "crop": _one_of("centre", "interesting"),
    "enlarge": _yes_or_no,
    "background": _background,
    "contrast": _contrast,
    "sharpen": _whole_number(0, 500),
    "format": _one_of(*EXTENSIONS),
    "quality": _whole_number(1, 95),
    "max_bytes": _whole_number(1_000, 100_000_000),
    "min_quality": _whole_number(1, 95),
    "subsampling": _one_of("4:2:0", "4:2:2", "4:4:4"),
    "progressive": _yes_or_no,
    "optimize": _yes_or_no,
    "effort": _whole_number(0, 6),
    # Slower than 4, an AVIF of 2 megapixels takes many seconds.
    "speed": _whole_number(4, 10),
}


def _repeated_keys(node: yaml.Node | None) -> list[str]:
    """YAML lets the last of two equal keys win; in a file of settings that is a mistake to be told about."""
    if isinstance(node, yaml.SequenceNode):
        return [problem for child in node.value for problem in _repeated_keys(child)]
    if not isinstance(node, yaml.MappingNode):
        return []
    keys = [key.value for key, _ in node.value]
    name = next((f"recipe {value.value!r}: " for key, value in node.value if key.value == "name"), "")
    repeated = [
        f"{name}{key.value}: given twice, again in line {key.start_mark.line + 1}"
        for index, (key, _) in enumerate(node.value)
        if key.value in keys[:index]
    ]
    return repeated + [problem for _, child in node.value for problem in _repeated_keys(child)]
