"""The features of a picture say what their names promise."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from image_assets.fingerprints import Features
from image_assets.fingerprints.features import extract_features


def features(image: Image.Image) -> Features:
    return extract_features(image, image.convert("L"))


def test_blur_takes_sharpness_away_step_by_step(draw) -> None:
    scene = draw(1024, 768, 1)
    blurred = [features(scene.filter(ImageFilter.GaussianBlur(radius))).sharpness for radius in (0, 1, 2, 4, 8)]
    assert blurred == sorted(blurred, reverse=True)
    assert blurred[-1] < 0.2 * blurred[0]


def test_copies_of_other_sizes_are_as_sharp(draw) -> None:
    scene = draw(1536, 1152, 2).filter(ImageFilter.GaussianBlur(1))
    sharpness = [
        features(scene.resize((width, width * 3 // 4), Image.Resampling.LANCZOS)).sharpness
        for width in (512, 700, 1000, 1536)
    ]
    assert max(sharpness) < 1.2 * min(sharpness)


def test_enlarging_a_small_picture_does_not_sharpen_it(draw) -> None:
    small = draw(192, 144, 2)
    enlarged = small.resize((1536, 1152), Image.Resampling.BICUBIC)
    assert features(enlarged).sharpness < 1.1 * features(small).sharpness


def test_brightness_is_the_mean_luma(draw) -> None:
    scene = draw(384, 288, 3)
    assert features(scene).brightness == pytest.approx(np.asarray(scene.convert("L")).mean(), abs=1e-6)
    darker = features(ImageEnhance.Brightness(scene).enhance(0.5)).brightness
    assert darker == pytest.approx(features(scene).brightness / 2, abs=1)


def test_contrast_is_the_standard_deviation_of_the_luma(draw) -> None:
    scene = draw(384, 288, 4)
    assert features(scene).contrast == pytest.approx(np.asarray(scene.convert("L")).std(), abs=1e-6)
    assert features(ImageEnhance.Contrast(scene).enhance(0.5)).contrast < 0.6 * features(scene).contrast


def test_colourfulness_follows_the_published_formula(draw) -> None:
    scene = draw(128, 128, 5)
    red, green, blue = np.asarray(scene).astype(float).reshape(-1, 3).T
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    expected = math.hypot(red_green.std(), yellow_blue.std()) + 0.3 * math.hypot(red_green.mean(), yellow_blue.mean())
    assert features(scene).colourfulness == pytest.approx(expected, abs=1e-6)


def test_a_grey_picture_has_no_colour_and_a_paler_one_less(draw) -> None:
    scene = draw(300, 200, 6)
    assert features(scene.convert("L").convert("RGB")).colourfulness == 0.0
    assert features(ImageEnhance.Color(scene).enhance(0.4)).colourfulness < 0.6 * features(scene).colourfulness


@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (2000, 1), (3, 5)])
def test_the_smallest_and_thinnest_pictures_have_features(draw, size: tuple[int, int]) -> None:
    measured = features(draw(*size))
    assert all(math.isfinite(value) and value >= 0 for value in dataclasses.astuple(measured))
