"""Recipes: the named ways to scale and encode an image, as `renditions.yaml` lists them.

Belongs here: the recipe, its file and the checks on it, its digest, and the key of what it makes.
Does not belong here: pixels (rendering).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import PIL
import yaml
from PIL import features

# The version of our own method: raise it when `render` makes other pixels or bytes from the same recipe.
RENDERING_VERSION = 1

EXTENSIONS: Mapping[str, str] = {"jpeg": "jpg"}

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LONGEST_SIDE = 65_535  # of a JPEG
_REQUIRED = ("name", "width", "height")
_DIGEST_LENGTH = 12


@dataclass(frozen=True)
class Recipe:
    """One named way to scale and encode an image.

    `width` and `height` are the box in pixels the rendition fits into; it is never enlarged. `contrast` is the factor
    of Pillow's `ImageEnhance.Contrast` (1.0 leaves the image as it is). `quality` is the JPEG quality, 1 to 95.
    """

    name: str
    width: int
    height: int
    contrast: float = 1.0
    format: str = "jpeg"
    quality: int = 85


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
    if problems:
        raise RecipesFileError("\n".join(f"{path}: {problem}" for problem in problems))
    return tuple(Recipe(**{**entry, "contrast": float(entry.get("contrast", 1.0))}) for entry in entries)


def recipe_digest(recipe: Recipe) -> str:
    """12 hex digits that change with all that changes the recipe's output: its fields, our method, the codecs."""
    described = {
        **asdict(recipe),
        "rendering": RENDERING_VERSION,
        "pillow": PIL.__version__,
        "libjpeg": features.version("jpg"),
        "libjpeg_turbo": features.version("libjpeg_turbo"),
        "littlecms": features.version("littlecms2"),
    }
    return _short_digest(json.dumps(described, sort_keys=True))


def recipes_digest(recipes: Iterable[Recipe]) -> str:
    """12 hex digits that change with all that changes the output of the recipes together; their order does not."""
    return _short_digest("\n".join(sorted(recipe_digest(recipe) for recipe in recipes)))


def rendition_key(recipe: Recipe, sha256_hex: str) -> str:
    """The key in the object store of what the recipe makes of the raw image with this content."""
    name = f"{sha256_hex}-{recipe_digest(recipe)}.{EXTENSIONS[recipe.format]}"
    return f"renditions/{recipe.name}/{sha256_hex[:2]}/{name}"


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]


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
    return missing + unknown + wrong


def _name(value: object) -> str | None:
    good = isinstance(value, str) and _NAME.fullmatch(value)
    # The name is a folder of the store, on any file system.
    return None if good else "must be 1 to 64 lower-case letters, digits, '-' and '_', starting with a letter or digit"


def _whole_number(low: int, high: int) -> Callable[[object], str | None]:
    def check(value: object) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if good else f"must be a whole number from {low} to {high}"

    return check


def _contrast(value: object) -> str | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    good = number and math.isfinite(value) and 0.1 <= value <= 3  # type: ignore[arg-type, operator]
    return None if good else "must be a number from 0.1 to 3"


def _format(value: object) -> str | None:
    good = isinstance(value, str) and value in EXTENSIONS
    return None if good else f"must be one of {', '.join(EXTENSIONS)}"


_CHECKS: Mapping[str, Callable[[object], str | None]] = {
    "name": _name,
    "width": _whole_number(1, _LONGEST_SIDE),
    "height": _whole_number(1, _LONGEST_SIDE),
    "contrast": _contrast,
    "format": _format,
    "quality": _whole_number(1, 95),
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
