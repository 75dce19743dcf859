"""Renditions: CPU, wall time, bytes and quality of the recipes of `renditions.yaml`, five ways in one run.

The ways: `render`; the talk's (decode, convert, scale, enhance and save anew for every recipe); Pillow from one decode;
libvips' `thumbnail` anew for every recipe; libvips from one decode. libvips is given no contrast to do.

Pictures of 1, 2, 12 and 50 megapixels are mosaics of photographs that are never enlarged, so that every pixel has the
detail of a photograph: from a folder, else from the package of the demo, else scenes drawn by code.

All ways work on one image after the other, in a thread of a pool as in the pipeline, and take turns, so that whatever
else the machine does burdens all; of several rounds the fastest counts. Quality is that of the encoded files, made
without contrast, against Lanczos from the full size in floating point ("as stored"; and in linear light): SSIM of the
luma (Wang et al. 2004, Gaussian window) and PSNR, at the size where they are worst.

    python benchmarks/renditions.py [FOLDER_OF_JPEGS] [--megapixels 1 2 12 50] [--images 3]
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image, ImageDraw, ImageEnhance
from scipy.ndimage import gaussian_filter

from image_assets.renditions import Recipe, load_recipes, render
from image_assets.renditions.placing import fitted_size

RECIPES_FILE = Path(__file__).parents[1] / "renditions.yaml"
Way = Callable[[bytes, Sequence[Recipe]], Mapping[str, bytes]]
LUMA = np.array([0.299, 0.587, 0.114])

Image.MAX_IMAGE_PIXELS = None
pyvips.cache_set_max(0)


def ours(data: bytes, recipes: Sequence[Recipe]) -> dict[str, bytes]:
    return {name: rendition.data for name, rendition in render(data, recipes).items()}


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


def pillow_once(data: bytes, recipes: Sequence[Recipe]) -> dict[str, bytes]:
    """Pillow, decoding once."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    renditions = {}
    for recipe in recipes:
        scaled = image.resize(fitted_size(*image.size, recipe.width, recipe.height), Image.Resampling.LANCZOS)
        contrasted = ImageEnhance.Contrast(scaled).enhance(recipe.contrast)
        renditions[recipe.name] = encoded(contrasted, recipe.quality)
    return renditions


def vips_each(data: bytes, recipes: Sequence[Recipe]) -> dict[str, bytes]:
    """libvips' own way: decoding for every size, by the JPEG decoder's scales where it can."""
    return {
        recipe.name: pyvips.Image.thumbnail_buffer(
            data, recipe.width, height=recipe.height, size="down"
        ).jpegsave_buffer(Q=recipe.quality, keep="none")
        for recipe in recipes
    }


def vips_once(data: bytes, recipes: Sequence[Recipe]) -> dict[str, bytes]:
    image = pyvips.Image.new_from_buffer(data, "").copy_memory()
    return {
        recipe.name: image.thumbnail_image(recipe.width, height=recipe.height, size="down").jpegsave_buffer(
            Q=recipe.quality, keep="none"
        )
        for recipe in recipes
    }


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


def encoded(image: Image.Image, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def photographs(folder: Path | None) -> list[Image.Image]:
    """Sources for mosaics, at most 64."""
    if folder is None:
        try:
            import interior_photos
        except ImportError:
            return [Image.open(io.BytesIO(drawn_photo(seed, 1100))) for seed in range(16)]
        folder = Path(next(iter(interior_photos.__path__)))
    paths = sorted(path for path in folder.rglob("*.jp*g") if min(Image.open(path).size) >= 500)
    return [Image.open(path).convert("RGB") for path in paths[:: max(1, len(paths) // 64)][:64]]


def mosaic(sources: Sequence[Image.Image], megapixels: float, seed: int) -> bytes:
    """A JPEG of 4:3 with so many megapixels, of pictures scaled down to their tiles or cut to them."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = width * 3 // 4
    tiles = max(2, -(-width // 660))
    canvas = Image.new("RGB", (width, height))
    for index in range(tiles * tiles):
        x, y = index % tiles, index // tiles
        left, top = x * width // tiles, y * height // tiles
        size = (x + 1) * width // tiles - left, (y + 1) * height // tiles - top
        source = sources[(seed * 7 + index) % len(sources)]
        scale = max(size[0] / source.width, size[1] / source.height)
        tile = source.resize((max(size[0], round(source.width * scale)), max(size[1], round(source.height * scale))))
        canvas.paste(tile.crop((0, 0, *size)), (left, top))
    return encoded(canvas)


@dataclass
class Cost:
    cpu: float = 0.0
    wall: float = 0.0


def measured(
    ways: Mapping[str, Way], images: Sequence[bytes], recipes: Sequence[Recipe], rounds: int
) -> dict[str, Cost]:
    """Seconds an image; of each image and way the fastest round."""
    costs = {name: Cost() for name in ways}
    for data in images:
        best = {name: Cost(float("inf"), float("inf")) for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                wall, cpu = time.perf_counter(), time.process_time()
                way(data, recipes)
                best[name].cpu = min(best[name].cpu, time.process_time() - cpu)
                best[name].wall = min(best[name].wall, time.perf_counter() - wall)
        for name, cost in best.items():
            costs[name].cpu += cost.cpu / len(images)
            costs[name].wall += cost.wall / len(images)
    return costs


def reference(image: Image.Image, size: tuple[int, int], *, linear_light: bool) -> np.ndarray:
    """(height, width, 3) float64: Lanczos from the full size, nothing rounded on the way."""
    channels = []
    for channel in image.split():
        values = np.asarray(channel, dtype=np.float32)
        if linear_light:
            curve = np.arange(256) / 255
            curve = np.where(curve <= 0.04045, curve / 12.92, ((curve + 0.055) / 1.055) ** 2.4).astype(np.float32)
            values = curve[np.asarray(channel)]
        scaled = np.asarray(Image.fromarray(values).resize(size, Image.Resampling.LANCZOS), dtype=float)
        if linear_light:
            scaled = scaled.clip(0, 1)
            scaled = np.where(scaled <= 0.0031308, scaled * 12.92, 1.055 * scaled ** (1 / 2.4) - 0.055) * 255
        channels.append(scaled.clip(0, 255))
    return np.stack(channels, axis=-1)


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    def blurred(values: np.ndarray) -> np.ndarray:
        return gaussian_filter(values, 1.5, truncate=3.5)

    x, y = one @ LUMA, other @ LUMA
    mean_x, mean_y = blurred(x), blurred(y)
    variance = blurred(x * x) - mean_x**2 + blurred(y * y) - mean_y**2
    covariance = blurred(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similar = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((similar / ((mean_x**2 + mean_y**2 + c1) * (variance + c2))).mean())


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, ((one - other) ** 2).mean())))


@dataclass
class Quality:
    """Over all sizes and images: kB an image, mean and worst SSIM, worst PSNR, worst SSIM against linear light."""

    kilobytes: float
    mean: float
    worst: float
    decibels: float
    linear: float


def judged(ways: Mapping[str, Way], images: Sequence[bytes], recipes: Sequence[Recipe]) -> dict[str, Quality]:
    plain = [replace(recipe, contrast=1.0) for recipe in recipes]
    found: dict[str, list[tuple[int, float, float, float]]] = {name: [] for name in ways}
    for data in images:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        made = {name: way(data, plain) for name, way in ways.items()}
        for recipe in plain:
            size = fitted_size(*image.size, recipe.width, recipe.height)
            rights = [reference(image, size, linear_light=linear) for linear in (False, True)]
            for name in ways:
                file = made[name][recipe.name]
                # libvips rounds where the talk's rule cuts off: a row more or less.
                pixels = np.asarray(Image.open(io.BytesIO(file)).convert("RGB").resize(size), dtype=float)
                scores = ssim(pixels, rights[0]), psnr(pixels, rights[0]), ssim(pixels, rights[1])
                found[name].append((len(file), *scores))
    return {
        name: Quality(
            sum(row[0] for row in rows) / len(images) / 1e3,
            sum(row[1] for row in rows) / len(rows),
            *(min(row[column] for row in rows) for column in (1, 2, 3)),
        )
        for name, rows in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="JPEG photographs; without it those of the demo")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 2, 12, 50])
    parser.add_argument("--images", type=int, default=3, help="of each size; one from 12 megapixels up")
    parser.add_argument("--rounds", type=int, default=7, help="one from 12 megapixels up")
    arguments = parser.parse_args()

    recipes = load_recipes(RECIPES_FILE)
    sources = photographs(arguments.folder)
    if not sources:
        parser.error(f"no JPEG files of 500 pixels or more in {arguments.folder}")
    ways: dict[str, Way] = {
        "render": ours,
        "the talk's way": talks_way,
        "Pillow, one decode": pillow_once,
        "libvips thumbnail": vips_each,
        "libvips, one decode": vips_once,
    }
    with ThreadPoolExecutor(1) as pool:
        for megapixels in arguments.megapixels:
            large = megapixels >= 12
            images = [mosaic(sources, megapixels, seed) for seed in range(1 if large else arguments.images)]
            ours(images[0], recipes)
            costs = pool.submit(measured, ways, images, recipes, 1 if large else arguments.rounds).result()
            qualities = pool.submit(judged, ways, images, recipes).result()
            print(f"\n{megapixels:g} megapixels, {len(images)} images, {len(recipes)} recipes; an image:")
            print("                        CPU ms  wall ms       kB  SSIM mean  worst  PSNR worst  worst SSIM, linear")
            for name, cost in costs.items():
                quality = qualities[name]
                print(
                    f"  {name:20} {cost.cpu * 1e3:8.1f} {cost.wall * 1e3:8.1f} {quality.kilobytes:8.1f}"
                    f"     {quality.mean:.4f} {quality.worst:.4f}       {quality.decibels:.1f}  {quality.linear:.4f}"
                )
            talk, mine = costs["the talk's way"].cpu, costs["render"].cpu
            best = min(costs["libvips thumbnail"].cpu, costs["libvips, one decode"].cpu)
            print(
                f"  render: {talk / mine:.1f} times as fast as the talk, {best / mine:.2f} times as the better libvips"
            )


if __name__ == "__main__":
    main()
