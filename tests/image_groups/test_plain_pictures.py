"""Pictures with little to see: skies, seas, walls, dark rooms, logos and plans that look alike and are not the same."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pytest
from drawn_kinds import FEW_LINES, NOTHING_TO_SEE, no_image_available, ramp, sign, sky, wall
from pictures import jpeg, scaled
from PIL import Image, ImageEnhance

from image_assets.fingerprints import Fingerprint, fingerprint
from image_assets.image_groups import ALIGNED_POLICY, group_images, same_picture

Drawing = Callable[[int], Image.Image]

SEEDS = range(16)
SIZES = ((320, 240), (400, 300), (480, 360), (600, 450), (640, 480), (800, 600), (1024, 768), (1200, 900))


def seen(image: Image.Image, quality: int = 88) -> Fingerprint:
    return fingerprint(jpeg(image, quality))


def cut(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """Shares of the width and the height cut off at each side."""
    width, height = image.size
    return image.crop(
        (round(width * left), round(height * top), round(width * (1 - right)), round(height * (1 - bottom)))
    )


def merged(fingerprints: list[Fingerprint]) -> list[tuple[int, int]]:
    pairs = combinations(range(len(fingerprints)), 2)
    return [(a, b) for a, b in pairs if same_picture(fingerprints[a], fingerprints[b], ALIGNED_POLICY).same]


@pytest.mark.parametrize("draw", (NOTHING_TO_SEE | FEW_LINES).values(), ids=(NOTHING_TO_SEE | FEW_LINES).keys())
def test_different_pictures_of_a_plain_kind_are_kept_apart(draw: Drawing) -> None:
    assert merged([seen(draw(seed)) for seed in SEEDS]) == []


@pytest.mark.parametrize("draw", (NOTHING_TO_SEE | FEW_LINES).values(), ids=(NOTHING_TO_SEE | FEW_LINES).keys())
def test_a_different_picture_of_a_plain_kind_stays_apart_when_it_is_cut_and_brighter(draw: Drawing) -> None:
    whole = [seen(draw(seed)) for seed in range(8)]
    for seed in range(8):
        edited = seen(ImageEnhance.Brightness(cut(draw(seed), 0.1, 0, 0, 0.1)).enhance(1.1), 60)
        assert not any(same_picture(whole[other], edited).same for other in range(8) if other != seed)


@pytest.mark.parametrize("draw", (NOTHING_TO_SEE | FEW_LINES).values(), ids=(NOTHING_TO_SEE | FEW_LINES).keys())
def test_a_plain_picture_is_recognised_in_another_quality_and_size(draw: Drawing) -> None:
    for seed in range(4):
        original, copies = seen(draw(seed)), (seen(draw(seed), 50), seen(scaled(draw(seed), 0.5)))
        assert all(same_picture(original, copy).same for copy in copies)


@pytest.mark.parametrize("draw", FEW_LINES.values(), ids=FEW_LINES.keys())
def test_a_drawing_of_few_lines_is_recognised_cut_darker_and_strongly_compressed(draw: Drawing) -> None:
    for seed in range(4):
        image = draw(seed)
        copies = [
            cut(image, 0.05, 0.05, 0.05, 0.05),
            cut(image, 0.1, 0, 0, 0),
            ImageEnhance.Brightness(image).enhance(0.85),
        ]
        original = seen(image)
        assert all(same_picture(original, copy).same for copy in (seen(image, 30), *map(seen, copies)))


def test_a_sign_is_recognised_in_its_middle_which_shows_it_larger_and_so_sharper() -> None:
    for seed in range(8):
        assert same_picture(seen(sign(seed)), seen(cut(sign(seed), 0.2, 0.2, 0.2, 0.2))).same


def test_a_placeholder_drawn_in_eight_sizes_is_one_picture() -> None:
    assert group_images([seen(no_image_available(*size)) for size in SIZES]) == [list(range(len(SIZES)))]


@pytest.mark.parametrize("draw", [ramp, sky, wall])
def test_without_details_only_the_brightness_itself_says_that_two_pictures_are_the_same(draw: Drawing) -> None:
    original = draw(3)
    brighter = ImageEnhance.Brightness(original).enhance(1.2)
    assert same_picture(seen(original), seen(original, 70)).same
    assert not same_picture(seen(original), seen(brighter)).same


def test_one_thing_on_a_plain_wall_makes_it_another_picture() -> None:
    empty = wall(5)
    with_switch = empty.copy()
    with_switch.paste((120, 120, 120), (300, 150, 325, 175))
    assert not same_picture(seen(empty), seen(with_switch)).same


def test_pictures_of_one_colour_are_the_same_only_in_that_colour() -> None:
    greys = [seen(Image.new("RGB", (480, 360), (grey, grey, grey))) for grey in (0, 40, 128, 250, 255)]
    assert merged(greys) == []
    assert same_picture(greys[2], seen(Image.new("RGB", (300, 200), (128, 128, 128)), 40)).same
