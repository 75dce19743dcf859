"""Pictures with little to see, drawn by code: of a kind, every seed is another picture, though all look alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 480, 360

_NAMES = [
    "Aurora", "Bellavista", "Casa Mar", "Delmonte", "Europa", "Fjordblick", "Grand Hotel", "Harmony", "Imperial",
    "Jardim", "Kronenhof", "Lindenhof", "Miramar", "Nordstern", "Olympia", "Palazzo", "Quellenhof", "Riviera",
    "Sol y Mar", "Terminus", "Urania", "Villa Rosa", "Waldhaus", "Zum Ochsen",
]  # fmt: skip


def ramp(seed: int) -> Image.Image:
    """Brightness that grows or falls evenly, in any direction."""
    random = np.random.default_rng(seed)
    y, x = _places()
    angle = random.integers(0, 8) * np.pi / 4
    along = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)
    return _grey(random.uniform(90, 160) + random.uniform(60, 150) * along)


def sky(seed: int) -> Image.Image:
    """Cloudless, paler towards the bottom and towards one side, where the sun is."""
    random = np.random.default_rng(seed)
    return _coloured(_sky(random, *_places()))


def sky_above_a_horizon(seed: int) -> Image.Image:
    """The same above land of one green."""
    random = np.random.default_rng(seed)
    y, x = _places()
    horizon = random.uniform(0.5, 0.85)
    land = np.array([60, 90, 50]) + random.integers(-30, 30, 3)
    return _coloured(
        np.where((y > horizon)[..., None], land * (1 - 0.3 * (y - horizon)[..., None]), _sky(random, y, x))
    )


def sea(seed: int) -> Image.Image:
    """A calm sea, darker towards the horizon, under a cloudless sky."""
    random = np.random.default_rng(seed)
    y, x = _places()
    horizon = random.uniform(0.3, 0.6)
    water = np.array([30, 100, 140]) + random.integers(-25, 25, 3)
    depth = ((y - horizon) / (1 - horizon))[..., None] * random.uniform(20, 70)
    waves = 4 * np.sin(y * random.uniform(200, 500))[..., None]
    return _coloured(np.where((y > horizon)[..., None], water + depth + waves, _sky(random, y, x)))


def wall(seed: int) -> Image.Image:
    """A bright wall, lit from one side, with grain."""
    random = np.random.default_rng(seed)
    y, x = _places()
    lit = random.uniform(200, 235) + random.uniform(-30, 30) * (x - 0.5) + random.uniform(-30, 30) * (y - 0.5)
    return _grey(lit + random.normal(0, 2, x.shape))


def dark_room(seed: int) -> Image.Image:
    """Two lamps and hardly anything else; darker than 25 of 255 on average."""
    random = np.random.default_rng(seed)
    y, x = _places()
    light = np.full(x.shape, random.uniform(4, 10))
    for _ in range(2):
        away = (x - random.uniform(0.1, 0.9)) ** 2 + (y - random.uniform(0.1, 0.6)) ** 2
        light += random.uniform(30, 70) * np.exp(-away / random.uniform(0.005, 0.03))
    light[int(HEIGHT * random.uniform(0.6, 0.9)) :] *= 0.5
    return _grey(light + random.normal(0, 3, x.shape))


def word_mark(seed: int) -> Image.Image:
    """The name of a hotel in the middle of a plain ground."""
    random = np.random.default_rng(seed)
    ground, ink = ((255, 255, 255), (20, 40, 90)) if seed % 2 else ((30, 50, 90), (240, 240, 240))
    image = Image.new("RGB", (WIDTH, HEIGHT), ground)
    font = ImageFont.load_default(size=int(random.integers(48, 72)))
    ImageDraw.Draw(image).text((WIDTH / 2, HEIGHT / 2), _NAMES[seed % len(_NAMES)], ink, font, anchor="mm")
    return image


def sign(seed: int) -> Image.Image:
    """A board with a name and a line below it, on a wall."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (WIDTH, HEIGHT), tuple(int(c) for c in random.integers(180, 230, 3)))
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((60, 90, 420, 270), 14, fill=tuple(int(c) for c in random.integers(20, 90, 3)))
    name = _NAMES[seed % len(_NAMES)]
    pen.text((240, 160), name, (245, 245, 245), ImageFont.load_default(size=48), anchor="mm")
    line = f"{random.integers(10, 99)} rooms, since {random.integers(1800, 2000)}"
    pen.text((240, 225), line, (245, 245, 245), ImageFont.load_default(size=22), anchor="mm")
    return image


def floor_plan(seed: int) -> Image.Image:
    """Walls, doors and labels of a flat, black on white."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((40, 30, 440, 330), outline="black", width=6)
    x, y = int(random.integers(140, 340)), int(random.integers(110, 250))
    pen.line((x, 30, x, 330), fill="black", width=5)
    pen.line((40, y, x, y), fill="black", width=5)
    across = int(random.integers(110, 250))
    pen.line((x, across, 440, across), fill="black", width=5)
    for room, (left, top) in enumerate(((50, 40), (50, y + 10), (x + 10, 40), (x + 10, across + 10))):
        label = str(random.choice(["Bed", "Bath", "Kitchen", "Living", "Hall"])) + f" {random.integers(6, 40)} m²"
        pen.text((left + 6, top + 10), label, "black", ImageFont.load_default(size=16))
        if random.random() < 0.7:
            pen.arc((left + 20 * room, top + 20, left + 20 * room + 50, top + 70), 0, 90, "black", 2)
    return image


def street_map(seed: int) -> Image.Image:
    """Pale blocks between white streets, a pin in the middle."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (WIDTH, HEIGHT), (235, 230, 220))
    pen = ImageDraw.Draw(image)
    for _ in range(int(random.integers(8, 14))):
        (x, y), angle = random.uniform(0, 1, 2) * (WIDTH, HEIGHT), random.uniform(0, np.pi)
        across, down = 700 * np.cos(angle), 700 * np.sin(angle)
        pen.line((x - across, y - down, x + across, y + down), "white", int(random.integers(4, 12)))
    x, y = random.uniform(0, 0.7, 2) * (WIDTH, HEIGHT)
    pen.rectangle((x, y, x + 110, y + 80), fill=(200, 225, 190))
    pen.ellipse((228, 160, 252, 184), fill=(210, 40, 40))
    return image


def no_image_available(width: int, height: int) -> Image.Image:
    """A camera and words on grey, drawn anew for each size."""
    image = Image.new("RGB", (width, height), (224, 224, 224))
    pen = ImageDraw.Draw(image)
    unit, x, y = min(width, height) / 100, width / 2, height / 2
    camera = (x - 16 * unit, y - 22 * unit, x + 16 * unit, y + 2 * unit)
    pen.rectangle(camera, outline=(150, 150, 150), width=round(2 * unit))
    pen.ellipse((x - 7 * unit, y - 17 * unit, x + 7 * unit, y - 3 * unit), fill=(150, 150, 150))
    font = ImageFont.load_default(size=8 * unit)
    pen.text((x, y + 16 * unit), "No image available", (120, 120, 120), font, anchor="mm")
    return image


NOTHING_TO_SEE: Mapping[str, Callable[[int], Image.Image]] = {
    "ramp": ramp,
    "sky": sky,
    "sky above a horizon": sky_above_a_horizon,
    "sea": sea,
    "wall": wall,
    "dark room": dark_room,
}
"""Kinds whose thumbnails hold no or hardly any details."""

FEW_LINES: Mapping[str, Callable[[int], Image.Image]] = {
    "word mark": word_mark,
    "sign": sign,
    "floor plan": floor_plan,
    "map": street_map,
}
"""Kinds that are drawn with few lines on a plain ground."""


def _places() -> tuple[np.ndarray, np.ndarray]:
    """y and x of every pixel, 0 to 1."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return y / HEIGHT, x / WIDTH


def _sky(random: np.random.Generator, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    zenith = np.array([50, 110, 200]) + random.integers(-30, 30, 3)
    haze = np.array([190, 215, 240]) + random.integers(-20, 15, 3)
    share = np.clip(y ** random.uniform(0.6, 1.8) + random.uniform(-0.15, 0.15) * (x - 0.5), 0, 1)[..., None]
    return zenith + share * (haze - zenith)


def _coloured(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8), "RGB")


def _grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8), "L").convert("RGB")
