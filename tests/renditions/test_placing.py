"""Which part of an image is shown in which size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rendered_scenes import encoded, opened

from image_assets.renditions import Recipe, render
from image_assets.renditions.placing import fitted_size, part_shown, placed

sides = st.integers(1, 5000)
SQUARE = Recipe("square", 100, 100, crop="centre")


def test_sizes_follow_the_talks_integer_rule() -> None:
    assert fitted_size(1600, 1200, 75, 75) == (75, 56)
    assert fitted_size(1200, 1600, 75, 75) == (56, 75)
    assert fitted_size(1000, 667, 320, 240) == (320, 213)
    assert fitted_size(5000, 3, 75, 75) == (75, 1)
    assert fitted_size(320, 240, 320, 240) == (320, 240)


@given(sides, sides, sides, sides)
def test_a_fitted_size_fits_keeps_the_shape_and_never_grows(w: int, h: int, box_w: int, box_h: int) -> None:
    width, height = fitted_size(w, h, box_w, box_h)
    assert 1 <= width <= min(w, box_w)
    assert 1 <= height <= min(h, box_h)
    assert (width, height) == (w, h) or width == box_w or height == box_h
    # To the integer below, the shape is kept.
    assert abs(width * h - height * w) < max(w, h) or 1 in (width, height)


@given(sides, sides, sides, sides, st.booleans())
def test_a_crop_fills_the_box_or_has_its_shape(w: int, h: int, box_w: int, box_h: int, enlarge: bool) -> None:
    part, size = placed(w, h, Recipe("c", box_w, box_h, crop="centre", enlarge=enlarge))
    assert part[0] == w or part[1] == h
    assert part[0] <= w
    assert part[1] <= h
    assert abs(part[0] * box_h - part[1] * box_w) < max(box_w, box_h) or 1 in part
    assert size == (box_w, box_h) if enlarge or (w >= box_w and h >= box_h) else size in ((box_w, box_h), part)


def test_a_picture_smaller_than_the_box_is_cropped_to_its_shape_and_not_enlarged() -> None:
    assert placed(60, 40, SQUARE) == ((40, 40), (40, 40))
    assert placed(300, 200, SQUARE) == ((200, 200), (100, 100))


def test_a_centre_crop_keeps_the_middle() -> None:
    plain = Image.new("RGB", (10, 10))
    assert part_shown(plain, (300, 200), (200, 200), "centre") == (50, 0)
    assert part_shown(plain, (200, 301), (200, 200), "centre") == (0, 50)


@pytest.mark.parametrize("turned", [False, True], ids=["wide", "tall"])
@pytest.mark.parametrize("place", [0.1, 0.35, 0.8])
def test_an_interesting_crop_keeps_what_is_interesting(place: float, turned: bool) -> None:
    random = np.random.default_rng(3)
    room = np.full((200, 800, 3), 190.0) + random.normal(0, 1, (200, 800, 3))
    left = round(place * 700)
    room[60:160, left : left + 100] = random.integers(0, 255, (10, 10, 3)).repeat(10, axis=0).repeat(10, axis=1)
    image = Image.fromarray(room.clip(0, 255).astype(np.uint8))
    image = image.transpose(Image.Transpose.TRANSPOSE) if turned else image
    data = encoded(image)
    busy = {
        crop: np.asarray(opened(render(data, [Recipe("c", 100, 100, crop=crop)])["c"]).convert("L"), float).std()
        for crop in ("centre", "interesting")
    }
    assert busy["interesting"] > 20
    assert busy["interesting"] >= busy["centre"]


def test_without_anything_interesting_the_middle_is_kept() -> None:
    assert part_shown(Image.new("RGB", (160, 80), (90, 90, 90)), (1600, 800), (800, 800), "interesting") == (400, 0)
