"""Our resize against Pillow's, which it must equal in every bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.Image import Resampling

from image_assets.renditions.scaling import Source, resize


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """Black and white pixels between all others: sums then leave the range of a byte on both sides."""
    random = np.random.default_rng(seed)
    pixels = random.integers(-100, 356, (height, width, 3)).clip(0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def assert_as_pillow(image: Image.Image, extent: tuple[float, float], target: tuple[int, int]) -> None:
    ours = resize(Source(image), extent, target)
    pillows = image.resize(target, Resampling.LANCZOS, box=(0, 0, *extent))
    assert (ours.mode, ours.size) == ("RGB", target)
    assert ours.tobytes() == pillows.tobytes()


@pytest.mark.parametrize("target", [(1024, 768), (960, 720), (640, 480), (403, 300), (75, 56), (1080, 810)])
def test_sizes_that_recipes_ask_for_equal_pillows_bit_for_bit(target: tuple[int, int]) -> None:
    assert_as_pillow(noise(1080, 810), (1080, 810), target)


sides = st.integers(1, 120)


@settings(max_examples=200)
@given(sides, sides, sides, sides, st.sampled_from([0.0, 0.25, 0.5, 0.75]), st.integers(0, 9))
@example(1, 1, 1, 1, 0.0, 0)
@example(120, 1, 7, 1, 0.5, 1)
@example(1, 120, 1, 7, 0.5, 1)
@example(30, 120, 20, 20, 0.0, 2)
def test_any_shape_scaled_down_equals_pillows_bit_for_bit(
    width: int, height: int, target_width: int, target_height: int, cut: float, seed: int
) -> None:
    target = (min(width, target_width), min(height, target_height))
    assert_as_pillow(noise(width, height, seed), (width - cut, height - cut), target)


def test_one_source_gives_many_sizes_and_stays_as_it_is() -> None:
    image = noise(200, 150)
    before, source = image.tobytes(), Source(image)
    first = resize(source, (200, 150), (100, 75)).tobytes()
    resize(source, (200, 150), (50, 37))
    assert resize(source, (200, 150), (100, 75)).tobytes() == first
    assert image.tobytes() == before
