"""Renditions: CPU, wall time, bytes and quality of the recipes of `renditions.yaml`, five ways in one run.

The ways: `render`; the talk's (decode, convert, scale, enhance and save anew for every recipe); Pillow from one decode;
libvips' `thumbnail` anew for every recipe; libvips from one decode. libvips is given no contrast to do.

Pictures of 1, 2, 12 and 50 megapixels are mosaics of photographs that are never enlarged, so that every pixel has the
detail of a photograph: from a folder, else from the package of the demo, else scenes drawn by code.

All ways work on one image after the other, in a thread of a pool as in the pipeline, and take turns, so that whatever
else the machine does burdens all; of several rounds the fastest counts. Quality is that of the encoded files, made
without contrast, against Lanczos from the full size in floating point (of the values as stored; and in linear light):
SSIM of the luma (Wang et al. 2004, Gaussian window) and PSNR, as the mean over the images in the size where it is
worst. Bytes are compared at the same SSIM: those of libvips between the qualities that lie around it, size by size.

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
        ).jpegsave_buffer(Q=recipe.quality, subsample_mode="on", keep="none")
        for recipe in recipes
    }


def vips_once(data: bytes, recipes: Sequence[Recipe]) -> dict[str, bytes]:
    image = pyvips.Image.new_from_buffer(data, "").copy_memory()
    return {
        recipe.name: image.thumbnail_image(recipe.width, height=recipe.height, size="down").jpegsave_buffer(
            Q=recipe.quality, subsample_mode="on", keep="none"
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


class References:
    """An image scaled by Lanczos from its full size in floating point, nothing rounded on the way; made once a size."""

    def __init__(self, data: bytes, *, linear_light: bool) -> None:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        levels = np.arange(256, dtype=np.float32)
        if linear_light:
            levels = np.where(levels <= 0.04045 * 255, levels / (255 * 12.92), ((levels / 255 + 0.055) / 1.055) ** 2.4)
        self._channels = [Image.fromarray(levels.astype(np.float32)[np.asarray(channel)]) for channel in image.split()]
        self._linear_light = linear_light
        self._made: dict[tuple[int, int], np.ndarray] = {}

    def of(self, size: tuple[int, int]) -> np.ndarray:
        """(height, width, 3) float64, 0 to 255."""
        if size not in self._made:
            scaled = [np.asarray(channel.resize(size, Image.Resampling.LANCZOS)) for channel in self._channels]
            values = np.stack(scaled, axis=-1).astype(float)
            if self._linear_light:
                values = values.clip(0, 1)
                values = np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055) * 255
            self._made[size] = values.clip(0, 255)
        return self._made[size]


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


@dataclass(frozen=True)
class Judgement:
    """One file: its bytes, its SSIM and PSNR, and its SSIM against the reference in linear light."""

    size: int
    ssim: float
    decibels: float
    linear: float


def judged(file: bytes, plain: References, linear: References) -> Judgement:
    image = Image.open(io.BytesIO(file)).convert("RGB")
    pixels = np.asarray(image, dtype=float)
    right = plain.of(image.size)
    return Judgement(len(file), ssim(pixels, right), psnr(pixels, right), ssim(pixels, linear.of(image.size)))


Judgements = dict[str, dict[str, list[Judgement]]]  # by way and recipe, one an image


def judgements(ways: Mapping[str, Way], images: Sequence[bytes], recipes: Sequence[Recipe]) -> Judgements:
    found: Judgements = {name: {recipe.name: [] for recipe in recipes} for name in ways}
    for data in images:
        references = References(data, linear_light=False), References(data, linear_light=True)
        for name, way in ways.items():
            for recipe, file in way(data, recipes).items():
                found[name][recipe].append(judged(file, *references))
    return found


def vips_at_quality(change: int) -> Way:
    """libvips from one decode, in so much more than the recipes' qualities."""
    return lambda data, recipes: vips_once(data, [replace(r, quality=min(100, r.quality + change)) for r in recipes])


AROUND = (-6, -3, 0, 3, 6)


def bytes_beside_vips(found: Judgements, recipes: Sequence[Recipe]) -> float:
    """The bytes of `render` by those of libvips at the same SSIM; sizes that libvips does not get there in left out."""
    ours_total = vips_total = 0.0
    for recipe in recipes:
        mine = found["render"][recipe.name]
        wanted = float(np.mean([each.ssim for each in mine]))
        points = [found[f"libvips {change:+d}"][recipe.name] for change in AROUND]
        reached = [float(np.mean([each.ssim for each in point])) for point in points]
        taken = [float(np.mean([each.size for each in point])) for point in points]
        if min(reached) <= wanted <= max(reached) and reached == sorted(reached):
            ours_total += float(np.mean([each.size for each in mine]))
            vips_total += float(np.interp(wanted, reached, taken))
    return ours_total / vips_total if vips_total else float("nan")


def worst_size(by_recipe: Mapping[str, Sequence[Judgement]], field: str) -> tuple[float, str]:
    """The lowest mean over the images, and the recipe that has it."""
    return min((float(np.mean([getattr(each, field) for each in rows])), recipe) for recipe, rows in by_recipe.items())


def print_quality(name: str, cost: Cost, by_recipe: Mapping[str, Sequence[Judgement]]) -> None:
    rows = [row for of_recipe in by_recipe.values() for row in of_recipe]
    images = len(next(iter(by_recipe.values())))
    worst, recipe = worst_size(by_recipe, "ssim")
    print(
        f"  {name:20} {cost.cpu * 1e3:8.1f} {cost.wall * 1e3:8.1f} {sum(row.size for row in rows) / images / 1e3:8.1f}"
        f"   {np.mean([row.ssim for row in rows]):.4f}  {worst:.4f} {min(row.ssim for row in rows):.4f}"
        f"  {worst_size(by_recipe, 'decibels')[0]:9.1f}  {worst_size(by_recipe, 'linear')[0]:.4f}  {recipe}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="JPEG photographs; without it those of the demo")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[1, 2, 12, 50])
    parser.add_argument("--images", type=int, default=3, help="of each size; one above 12 megapixels")
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
            images = [mosaic(sources, megapixels, seed) for seed in range(1 if megapixels > 12 else arguments.images)]
            ours(images[0], recipes)
            rounds = 1 if megapixels >= 12 else arguments.rounds
            costs = pool.submit(measured, ways, images, recipes, rounds).result()
            plain = [replace(recipe, contrast=1.0) for recipe in recipes]
            around = {f"libvips {change:+d}": vips_at_quality(change) for change in AROUND}
            found = pool.submit(judgements, {**ways, **around}, images, plain).result()
            print(f"\n{megapixels:g} megapixels, {len(images)} images, {len(recipes)} recipes; an image:")
            print("                                                SSIM mean   worst  worst      PSNR   linear")
            print(
                "                        CPU ms  wall ms       kB   of all    size   file     worst   worst  worst size"
            )
            for name, cost in costs.items():
                print_quality(name, cost, found[name])
            talk, mine = costs["the talk's way"].cpu, costs["render"].cpu
            best = min(costs["libvips thumbnail"].cpu, costs["libvips, one decode"].cpu)
            print(
                f"  render: {talk / mine:.1f} times as fast as the talk, {best / mine:.2f} times as the better libvips;"
                f" its bytes are {bytes_beside_vips(found, recipes):.3f} of libvips' at the same SSIM"
            )


if __name__ == "__main__":
    main()
