"""Renditions: CPU an image for the recipes of `renditions.yaml`, ours against the talk's way, in one run.

The talk's way decodes, converts, scales, enhances and saves anew for every recipe. One thread each, the two ways
taking turns so that whatever else the machine does burdens both.

    python benchmarks/renditions.py [FOLDER_OF_JPEGS] [--images 12] [--width 1600]
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

from image_assets.renditions import Recipe, load_recipes, render
from image_assets.renditions.placing import fitted_size

RECIPES_FILE = Path(__file__).parents[1] / "renditions.yaml"


def talks_way(data: bytes, recipes: Sequence[Recipe]) -> dict[str, bytes]:
    """Every recipe from the bytes anew, as the talk's generating stage does."""
    renditions = {}
    for recipe in recipes:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        size = fitted_size(*image.size, recipe.width, recipe.height)
        scaled = image.resize(size, Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        ImageEnhance.Contrast(scaled).enhance(recipe.contrast).save(buffer, "JPEG", quality=recipe.quality)
        renditions[recipe.name] = buffer.getvalue()
    return renditions


def drawn_photo(seed: int, width: int) -> bytes:
    """A JPEG of 4:3 with soft shading, edges and grain, about as hard to encode as a photograph of a room."""
    height = width * 3 // 4
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(40, 215, (9, 12, 3), dtype=np.uint8))
    image = coarse.resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y = int(random.integers(width)), int(random.integers(height))
        w, h = random.integers(width // 40, width // 5, 2).tolist()
        draw.rectangle((x, y, x + w, y + h), fill=tuple(random.integers(0, 255, 3).tolist()))
    grain = random.normal(0, 5, (height, width, 1))
    noisy = (np.asarray(image, dtype=float) + grain).clip(0, 255).astype(np.uint8)
    return encoded(Image.fromarray(noisy))


def photo(path: Path, width: int) -> bytes:
    """A photograph from a file, at the width that is measured."""
    image = Image.open(path).convert("RGB")
    return encoded(image.resize((width, max(1, image.height * width // image.width)), Image.Resampling.LANCZOS))


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def cpu_seconds(make: Callable[[], object]) -> float:
    start = time.process_time()
    make()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="JPEG photographs; without it, drawn ones")
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--width", type=int, default=1600, help="the images are brought to this width first")
    arguments = parser.parse_args()

    recipes = load_recipes(RECIPES_FILE)
    if arguments.folder:
        paths = sorted(arguments.folder.glob("*.jp*g"))
        spread = paths[:: max(1, len(paths) // arguments.images)][: arguments.images]
        images = [photo(path, arguments.width) for path in spread]
    else:
        images = [drawn_photo(seed, arguments.width) for seed in range(arguments.images)]
    if not images:
        parser.error(f"no JPEG files in {arguments.folder}")

    render(images[0], recipes)
    talks_way(images[0], recipes)
    ours = theirs = 0.0
    for data in images:
        ours += cpu_seconds(lambda data=data: render(data, recipes))  # type: ignore[misc]
        theirs += cpu_seconds(lambda data=data: talks_way(data, recipes))  # type: ignore[misc]
    our_bytes = sum(len(each.data) for data in images for each in render(data, recipes).values())
    their_bytes = sum(len(each) for data in images for each in talks_way(data, recipes).values())

    print(f"{len(images)} JPEGs {arguments.width} px wide, {len(recipes)} recipes, CPU and bytes an image")
    print(f"  the talk's way   {theirs / len(images) * 1e3:7.1f} ms  {their_bytes / len(images) / 1e3:7.1f} kB")
    print(f"  render           {ours / len(images) * 1e3:7.1f} ms  {our_bytes / len(images) / 1e3:7.1f} kB")
    print(f"  {theirs / ours:.2f} times as fast")


if __name__ == "__main__":
    main()
