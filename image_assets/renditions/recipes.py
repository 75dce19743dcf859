"""Recipes: the named ways to scale and encode an image.

Belongs here: the recipe, its digest, and the key of what it makes.
Does not belong here: the file that lists recipes (recipes_file), pixels (rendering).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from types import MappingProxyType

from PIL import features

# The version of our own method: raise it when `render` makes other pixels or bytes from the same recipe.
RENDERING_VERSION = 6

EXTENSIONS: Mapping[str, str] = MappingProxyType({"jpeg": "jpg", "webp": "webp", "avif": "avif"})
"""The formats, and how the keys of their files end."""

FORMAT_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"jpeg": ("subsampling", "progressive", "optimize"), "webp": ("effort",), "avif": ("subsampling", "speed")}
)
"""The fields that only some formats have."""

# What Pillow calls the library that encodes.
_CODECS: Mapping[str, str] = MappingProxyType({"jpeg": "libjpeg_turbo", "webp": "webp", "avif": "avif"})
_SCALING_LIBRARY = version("cykooz-resizer")
_DIGEST_LENGTH = 12


@dataclass(frozen=True)
class Recipe:
    """One named way to scale and encode an image.

    width, height: the box in pixels. crop: None scales the image to fit the box; "centre" and "interesting" fill the
    box, and keep the middle or the most interesting part of what does not fit. enlarge: whether an image smaller
    than the box is enlarged to it. background: RGB, what shows through where the image is transparent.
    contrast: the factor of Pillow's `ImageEnhance.Contrast` (1.0 leaves the image as it is). sharpen: the percentage of
    an unsharp mask (0 is none).
    format: one of EXTENSIONS. quality: 1 to 95. max_bytes: what a file may take; above it the quality is lowered, to
    min_quality at the lowest. subsampling: of the chroma, as in "4:2:0". progressive, optimize: of a JPEG, smaller
    files for more time. effort: of WebP, 0 to 6. speed: of AVIF, 4 to 10.
    """

    name: str
    width: int
    height: int
    crop: str | None = None
    enlarge: bool = False
    background: tuple[int, int, int] = (255, 255, 255)
    contrast: float = 1.0
    sharpen: int = 0
    format: str = "jpeg"
    quality: int = 85
    max_bytes: int | None = None
    min_quality: int = 40
    subsampling: str = "4:2:0"
    progressive: bool = False
    optimize: bool = False
    effort: int = 4
    speed: int = 6


def recipe_digest(recipe: Recipe) -> str:
    """12 hex digits that change with all that changes the recipe's output.

    These are its fields, as far as its format has them, our method, and the libraries that scale, convert colours and
    encode this format: a new AVIF encoder leaves JPEGs alone. Pillow between them moves pixels by integer arithmetic,
    and a test holds these to fixed values (RENDERING_VERSION otherwise); so its version is left out.
    """
    other_formats = {field for fields in FORMAT_FIELDS.values() for field in fields}
    other_formats -= set(FORMAT_FIELDS[recipe.format])
    described = {
        **{field: value for field, value in asdict(recipe).items() if field not in other_formats},
        "rendering": RENDERING_VERSION,
        "scaling": _SCALING_LIBRARY,
        "colours": features.version("littlecms2"),
        "codec": features.version(_CODECS[recipe.format]),
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
