"""Scaling against Pillow's Lanczos in floating point, in one step from the full size."""

from __future__ import annotations

import numpy as np
import pytest
from cykooz_resizer import CpuExtensions, Resizer
from PIL import Image
from PIL.Image import Resampling
from rendered_scenes import scene

from image_assets.renditions.scaling import WHOLE, Halvings, scaled


def halvings(image: Image.Image) -> Halvings:
    return Halvings((float(image.width), float(image.height)), [image])


def in_one_step(image: Image.Image, target: tuple[int, int]) -> np.ndarray:
    values = np.asarray(image, dtype=np.float32)
    channels = [Image.fromarray(values[..., c]).resize(target, Resampling.LANCZOS) for c in range(3)]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1).clip(0, 255)


def decibels(image: Image.Image, right: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, ((np.asarray(image, dtype=float) - right) ** 2).mean())))


@pytest.mark.parametrize("width", [1500, 1280, 1024, 960, 800, 640, 480, 400, 320, 240, 160, 150, 75])
def test_scaling_by_halvings_cannot_be_told_from_scaling_at_once(width: int) -> None:
    image = scene(1599, 1203)
    target = width, width * 1203 // 1599
    assert decibels(scaled(halvings(image), WHOLE, target), in_one_step(image, target)) > 38


def test_sizes_come_out_alike_whatever_was_scaled_before() -> None:
    image = scene(900, 700)
    together = halvings(image)
    for target in ((100, 78), (640, 498), (225, 175), (450, 350)):
        assert scaled(together, WHOLE, target) == scaled(halvings(image), WHOLE, target)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (3, 1), (1, 900)])
def test_the_smallest_pictures_are_scaled(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (10, 20, 30))
    for target in (size, (1, 1), (5, 7)):
        assert scaled(halvings(image), WHOLE, target).tobytes() == bytes([10, 20, 30]) * (target[0] * target[1])


def test_the_picture_stays_as_it_is() -> None:
    image = scene(300, 200)
    before = image.tobytes()
    scaled(halvings(image), WHOLE, (100, 67))
    assert image.tobytes() == before


def test_a_part_is_scaled_as_if_it_were_cut_out() -> None:
    image = scene(1200, 800)
    part = scaled(halvings(image), (0.25, 0.5, 0.5, 0.25), (200, 67))
    assert decibels(part, in_one_step(image.crop((300, 400, 900, 600)), (200, 67))) > 30


def test_every_processor_scales_alike() -> None:
    image = scene(801, 601)
    results = []
    for extensions in (CpuExtensions.none, Resizer().cpu_extensions):
        resizer = Resizer()
        resizer.cpu_extensions = extensions
        results.append(scaled(Halvings((801.0, 601.0), [image], resizer), WHOLE, (333, 250)).tobytes())
    assert results[0] == results[1]
