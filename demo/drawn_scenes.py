"""Rooms drawn by code, for machines without the photographs: a seeded room, furnished, seen in perspective.

Boxes and panels are placed in metres (x to the right, y up, z away from the camera), projected, and painted from
the farthest to the nearest; light from the windows, a vignette and grain are laid over the result.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Point = tuple[float, float, float]
Colour = tuple[int, int, int]

_HUES = (0.02, 0.07, 0.1, 0.12, 0.24, 0.45, 0.56, 0.6, 0.95)  # terracotta, sand, ochre, sage, teal, blues, rose
_NEAR = 0.15  # metres before the camera; what is nearer is clipped


@dataclass(frozen=True)
class _Panel:
    """A flat polygon in the room."""

    corners: tuple[Point, ...]
    colour: Colour


@dataclass(frozen=True)
class _Camera:
    eye: Point
    turn: float  # radians to the right
    focal: float  # pixels
    size: tuple[int, int]

    def view(self, point: Point) -> Point:
        """The point in the camera's own axes."""
        x, y, z = (a - b for a, b in zip(point, self.eye, strict=True))
        return (
            x * math.cos(self.turn) - z * math.sin(self.turn),
            y,
            x * math.sin(self.turn) + z * math.cos(self.turn),
        )

    def project(self, corners: Sequence[Point]) -> list[tuple[float, float]]:
        """The polygon in pixels, clipped at the near plane; empty when it lies behind the camera."""
        seen = [self.view(corner) for corner in corners]
        clipped: list[Point] = []
        for a, b in zip(seen, seen[1:] + seen[:1], strict=True):
            if a[2] >= _NEAR:
                clipped.append(a)
            if (a[2] >= _NEAR) != (b[2] >= _NEAR):
                t = (_NEAR - a[2]) / (b[2] - a[2])
                clipped.append((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]), _NEAR))
        width, height = self.size
        return [(width / 2 + self.focal * x / z, height / 2 - self.focal * y / z) for x, y, z in clipped]


def draw_scene(seed: int, long_side: int = 1440) -> Image.Image:
    """A furnished room in RGB, landscape or portrait; the same seed always gives the same picture."""
    rng = np.random.default_rng(1000 + seed)
    short = long_side * 2 // 3
    size = (long_side, short) if rng.random() < 0.6 else (short, long_side)
    room = (float(rng.uniform(3.4, 6.0)), float(rng.uniform(2.5, 3.2)), float(rng.uniform(3.4, 5.0)))
    camera = _Camera(
        eye=(room[0] * float(rng.uniform(0.25, 0.75)), float(rng.uniform(1.2, 1.7)), 0.1),
        turn=float(rng.uniform(-0.42, 0.42)),
        focal=long_side * float(rng.uniform(0.55, 0.85)),
        size=size,
    )
    image = Image.new("RGB", size)
    pen = ImageDraw.Draw(image)
    windows = _windows(rng, room)
    for panel in [*_shell(rng, room), *_wall_hangings(rng, room), *windows]:
        _paint(pen, camera, panel)
    for box in sorted(_furniture(rng, room), key=lambda box: -_distance(camera, box)):
        for panel in sorted(box, key=lambda panel: -_distance(camera, [panel])):
            _paint(pen, camera, panel)
    glass = camera.project(windows[0].corners)
    return _lit(rng, image.filter(ImageFilter.GaussianBlur(0.8)), glass)


def _paint(pen: ImageDraw.ImageDraw, camera: _Camera, panel: _Panel) -> None:
    polygon = camera.project(panel.corners)
    if len(polygon) >= 3:
        pen.polygon(polygon, fill=panel.colour)


def _distance(camera: _Camera, panels: Sequence[_Panel]) -> float:
    corners = np.array([corner for panel in panels for corner in panel.corners])
    return float(np.linalg.norm(corners.mean(axis=0) - np.array(camera.eye)))


def _lit(rng: np.random.Generator, image: Image.Image, glass: Sequence[tuple[float, float]]) -> Image.Image:
    width, height = image.size
    pixels = np.asarray(image, dtype=np.float32)
    x, y = np.meshgrid(np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32))
    at = np.mean(glass, axis=0) / (width, height) if glass else np.array([0.5, 0.3])
    at = np.clip(at, 0, 1)
    glow = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / float(rng.uniform(0.15, 0.5)))
    vignette = 1 - 0.35 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    light = (float(rng.uniform(0.62, 0.85)) + 0.42 * glow) * vignette
    grain = rng.normal(0, 3.0, size=(height, width, 1)).astype(np.float32)
    return Image.fromarray(np.clip(pixels * light[..., None] + grain, 0, 255).astype(np.uint8))


def _colour(rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
    """A colour people furnish with: its hue lies near one of a few that go together."""
    hue = float(rng.choice(_HUES)) + float(rng.normal(0, 0.012))
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, rng.uniform(*saturation), rng.uniform(*value))
    return int(red * 255), int(green * 255), int(blue * 255)


def _wood(rng: np.random.Generator) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(rng.uniform(0.05, 0.095), rng.uniform(0.3, 0.65), rng.uniform(0.3, 0.75))
    return int(red * 255), int(green * 255), int(blue * 255)


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, int(channel * factor)) for channel in colour)
    return red, green, blue


def _on_wall(room: Point, wall: str, along: float, bottom: float, width: float, height: float) -> tuple[Point, ...]:
    """A rectangle hung on the back, left or right wall; `along` is its first edge in metres."""
    depth = {"back": room[2], "left": 0.0, "right": room[0]}[wall]
    edges = ((along, bottom), (along + width, bottom), (along + width, bottom + height), (along, bottom + height))
    if wall == "back":
        return tuple((a, b, depth) for a, b in edges)
    return tuple((depth, b, a) for a, b in edges)


def _shell(rng: np.random.Generator, room: Point) -> list[_Panel]:
    width, height, depth = room
    wall = _colour(rng, (0.02, 0.22), (0.7, 0.97))
    accent = _colour(rng, (0.15, 0.5), (0.35, 0.85)) if rng.random() < 0.6 else wall
    wood = _wood(rng)
    panels = [
        _Panel(((0, height, 0), (width, height, 0), (width, height, depth), (0, height, depth)), _shade(wall, 1.1)),
        _Panel(((0, 0, 0), (0, 0, depth), (0, height, depth), (0, height, 0)), _shade(wall, 0.82)),
        _Panel(((width, 0, 0), (width, 0, depth), (width, height, depth), (width, height, 0)), _shade(wall, 0.9)),
        _Panel(((0, 0, depth), (width, 0, depth), (width, height, depth), (0, height, depth)), accent),
    ]
    planks = int(rng.integers(9, 22))
    for i in range(planks):
        left, right = width * i / planks, width * (i + 1) / planks
        shade = float(rng.uniform(0.8, 1.05))
        panels.append(_Panel(((left, 0, 0), (right, 0, 0), (right, 0, depth), (left, 0, depth)), _shade(wood, shade)))
    skirting = _on_wall(room, "back", 0, 0, width, 0.1)
    panels.append(_Panel(skirting, _shade(wall, 1.15)))
    rug_x, rug_z = width * float(rng.uniform(0.15, 0.4)), depth * float(rng.uniform(0.3, 0.5))
    rug = _colour(rng, (0.2, 0.7), (0.3, 0.9))
    for inset, shade in ((0.0, 0.8), (0.12, 1.1), (0.35, 0.9)):
        panels.append(_Panel(_flat(rug_x + inset, rug_z + inset, 2.0 - 2 * inset, 1.5 - 2 * inset), _shade(rug, shade)))
    return panels


def _flat(x: float, z: float, width: float, depth: float, y: float = 0.0) -> tuple[Point, ...]:
    return ((x, y, z), (x + width, y, z), (x + width, y, z + depth), (x, y, z + depth))


def _windows(rng: np.random.Generator, room: Point) -> list[_Panel]:
    wall = str(rng.choice(["back", "left", "right"]))
    span = room[0] if wall == "back" else room[2]
    width, height = float(rng.uniform(0.9, 1.8)), float(rng.uniform(1.0, 1.7))
    along, bottom = float(rng.uniform(0.35, 0.6)) * (span - width), float(rng.uniform(0.5, 0.9))
    frame = _shade((240, 238, 230), float(rng.uniform(0.5, 1.05)))
    curtain = _colour(rng, (0.1, 0.6), (0.4, 0.95))
    panels = [_Panel(_on_wall(room, wall, along - 0.07, bottom - 0.07, width + 0.14, height + 0.14), frame)]
    sky = (196, 218, 240) if rng.random() < 0.7 else (246, 214, 178)
    bands = 12
    for i in range(bands):
        part = _on_wall(room, wall, along, bottom + height * i / bands, width, height / bands)
        panels.append(_Panel(part, _shade(sky, 1.15 - 0.3 * i / bands)))
    hills = _on_wall(room, wall, along, bottom, width, height * float(rng.uniform(0.15, 0.4)))
    panels.append(_Panel(hills, _shade((110, 140, 95), float(rng.uniform(0.6, 1.2)))))
    panels.append(_Panel(_on_wall(room, wall, along + width / 2 - 0.03, bottom, 0.06, height), frame))
    panels.append(_Panel(_on_wall(room, wall, along, bottom + height * 0.6, width, 0.05), frame))
    for side in (along - 0.35, along + width + 0.02):
        for fold in range(5):
            part = _on_wall(room, wall, side + fold * 0.066, 0.1, 0.066, bottom + height + 0.1)
            panels.append(_Panel(part, _shade(curtain, 0.85 + 0.12 * (fold % 3))))
    return panels


def _wall_hangings(rng: np.random.Generator, room: Point) -> list[_Panel]:
    panels = []
    for wall in ("back", "left", "right"):
        for _ in range(int(rng.integers(0, 4))):
            width, height = float(rng.uniform(0.4, 1.2)), float(rng.uniform(0.4, 1.0))
            span = room[0] if wall == "back" else room[2]
            along, bottom = float(rng.uniform(0.05, 0.9)) * (span - width), float(rng.uniform(1.1, 1.5))
            panels.append(_Panel(_on_wall(room, wall, along, bottom, width, height), (35, 30, 28)))
            inner = _on_wall(room, wall, along + 0.05, bottom + 0.05, width - 0.1, height - 0.1)
            panels.append(_Panel(inner, _colour(rng, (0.0, 0.2), (0.8, 1.0))))
            for _ in range(4):
                x, y = rng.uniform(0.1, 0.5, 2)
                w, h = rng.uniform(0.15, 0.4, 2)
                part = _on_wall(room, wall, along + width * x, bottom + height * y, width * w, height * h)
                panels.append(_Panel(part, _colour(rng, (0.3, 0.9), (0.3, 0.95))))
    return panels


def _box(x: float, y: float, z: float, width: float, height: float, depth: float, colour: Colour) -> list[_Panel]:
    x2, y2, z2 = x + width, y + height, z + depth
    return [
        _Panel(((x, y2, z), (x2, y2, z), (x2, y2, z2), (x, y2, z2)), _shade(colour, 1.15)),
        _Panel(((x, y, z), (x2, y, z), (x2, y2, z), (x, y2, z)), _shade(colour, 0.9)),
        _Panel(((x, y, z), (x, y, z2), (x, y2, z2), (x, y2, z)), _shade(colour, 0.7)),
        _Panel(((x2, y, z), (x2, y, z2), (x2, y2, z2), (x2, y2, z)), _shade(colour, 0.78)),
    ]


def _furniture(rng: np.random.Generator, room: Point) -> list[list[_Panel]]:
    width, _, depth = room
    cloth = _colour(rng, (0.1, 0.75), (0.3, 0.95))
    wood = _wood(rng)
    light = _colour(rng, (0.02, 0.25), (0.8, 1.0))
    boxes: list[list[_Panel]] = []
    x = float(rng.uniform(0.1, 0.55)) * (width - 1.9)
    if rng.random() < 0.5:
        z = depth - 2.1
        boxes += [
            _box(x, 0.0, z, 1.7, 0.3, 2.0, wood),
            _box(x, 0.3, z, 1.7, 0.22, 1.9, cloth),
            _box(x - 0.05, 0.0, depth - 0.12, 1.8, 1.1, 0.1, wood),
            _box(x + 0.15, 0.52, depth - 0.55, 0.6, 0.16, 0.35, light),
            _box(x + 0.95, 0.52, depth - 0.55, 0.6, 0.16, 0.35, light),
        ]
    else:
        z = depth - 1.0
        boxes += [
            _box(x, 0.12, z, 2.0, 0.32, 0.85, cloth),
            _box(x, 0.4, depth - 0.3, 2.0, 0.45, 0.22, _shade(cloth, 0.9)),
            _box(x - 0.18, 0.12, z, 0.2, 0.55, 0.85, cloth),
            _box(x + 1.98, 0.12, z, 0.2, 0.55, 0.85, cloth),
            _box(x + 0.2, 0.44, z + 0.3, 0.45, 0.35, 0.15, light),
        ]
    boxes += _table(rng, width, depth, wood)
    side = 0.02 if rng.random() < 0.5 else width - 0.62
    tall = float(rng.uniform(0.7, 2.2))
    boxes.append(_box(side, 0.0, depth * float(rng.uniform(0.35, 0.7)), 0.6, tall, float(rng.uniform(0.8, 1.4)), wood))
    lamp_x, lamp_z = float(rng.uniform(0.1, 0.9)) * width, depth - 0.5
    boxes.append(_box(lamp_x, 0.0, lamp_z, 0.04, 1.4, 0.04, (40, 40, 40)))
    boxes.append(_box(lamp_x - 0.17, 1.35, lamp_z - 0.15, 0.38, 0.3, 0.34, (255, 236, 190)))
    return boxes


def _table(rng: np.random.Generator, width: float, depth: float, wood: Colour) -> list[list[_Panel]]:
    x, z = float(rng.uniform(0.2, 0.7)) * (width - 1.2), depth * float(rng.uniform(0.35, 0.5))
    long, deep, high = float(rng.uniform(0.7, 1.3)), float(rng.uniform(0.5, 0.8)), float(rng.uniform(0.35, 0.75))
    top = _box(x, high, z, long, 0.05, deep, wood)
    legs = [
        _box(x + dx, 0.0, z + dz, 0.06, high, 0.06, _shade(wood, 0.8))
        for dx in (0.02, long - 0.08)
        for dz in (0.02, deep - 0.08)
    ]
    vase = _box(x + long * 0.4, high + 0.05, z + deep * 0.4, 0.12, 0.28, 0.12, _colour(rng, (0.4, 0.9), (0.4, 0.95)))
    return [*legs, top, vase]
