"""The demo's pictures: copies of one picture are one image group under the talk's rule, different pictures are not."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from demo.drawn_scenes import draw_scene
from demo.edits import Edit, edited
from demo.hotels import HOTELS
from demo.partner_server import picture_file
from demo.photographs import Picture, photograph, photograph_folder
from demo.scenario import Trouble, two_weeks
from image_assets.fingerprints import Fingerprint, fingerprint
from image_assets.image_groups import DEFAULT_POLICY, group_images

SOURCES = [
    pytest.param(
        photograph_folder(),
        id="photographs",
        marks=pytest.mark.skipif(photograph_folder() is None, reason="the photographs are not installed"),
    ),
    pytest.param(None, id="drawn scenes"),
]


@cache
def _fingerprint(picture: Picture, edit: Edit, folder: Path | None) -> Fingerprint:
    return fingerprint(picture_file(picture, edit, folder))


# Bilbao mixes two hotels; Porto, Paris and København have pictures taken anew, pale ones and sideways ones.
@pytest.mark.parametrize("folder", SOURCES)
@pytest.mark.parametrize("town", ["bilbao-casco", "porto", "paris", "københavn"])
def test_the_expected_image_groups_come_out(town: str, folder: Path | None) -> None:
    hotel_id = next(hotel.hotel_id for hotel in HOTELS if hotel.town == town)
    for week in two_weeks():
        shown = [
            offer
            for partner, accommodation in week.hotels[hotel_id]
            for offer in week.catalogues[partner].offers
            if offer.accommodation_id == accommodation and offer.trouble in (None, Trouble.ONCE_500)
        ]
        groups = group_images([_fingerprint(offer.picture, offer.edit, folder) for offer in shown], DEFAULT_POLICY)
        assert all(len({shown[index].picture for index in group}) == 1 for group in groups)
        assert len(groups) == len({offer.picture for offer in shown})


def test_a_drawn_scene_is_the_same_each_time_and_another_for_each_seed() -> None:
    assert draw_scene(3, 300).tobytes() == draw_scene(3, 300).tobytes()
    assert draw_scene(3, 300).tobytes() != draw_scene(4, 300).tobytes()


@pytest.mark.parametrize("seed", range(0, 36, 6))
def test_a_drawn_scene_is_no_flat_colour(seed: int) -> None:
    pixels = np.asarray(draw_scene(seed, 300).convert("L"), dtype=np.float64)
    assert pixels.std() > 15


def test_an_edit_crops_half_from_each_side_and_never_enlarges() -> None:
    image = draw_scene(1, 600)
    with Image.open(io.BytesIO(edited(image, Edit(crop=0.2, long_side=4000)))) as file:
        assert file.size == (round(image.width * 0.8), round(image.height * 0.8))
        middle = image.crop((image.width // 10, image.height // 10, image.width * 9 // 10, image.height * 9 // 10))
        difference = np.abs(np.asarray(file, np.int16) - np.asarray(middle.resize(file.size), np.int16))
    assert difference.mean() < 4


def test_a_sideways_picture_looks_as_before_once_its_orientation_is_obeyed() -> None:
    image = draw_scene(2, 600)
    with Image.open(io.BytesIO(edited(image, Edit(sideways=True)))) as file:
        assert file.size == (image.height, image.width)
        upright = ImageOps.exif_transpose(file)
    assert upright.size == image.size
    assert np.abs(np.asarray(upright, np.int16) - np.asarray(image, np.int16)).mean() < 4


def test_a_watermark_changes_only_the_corner_it_is_in() -> None:
    image = draw_scene(2, 900)
    plain = np.asarray(Image.open(io.BytesIO(edited(image, Edit()))), np.int16)
    marked = np.asarray(Image.open(io.BytesIO(edited(image, Edit(watermark="© costa-stays")))), np.int16)
    difference = np.abs(plain - marked).max(axis=2)
    top, bottom = difference[: image.height * 4 // 5], difference[image.height * 4 // 5 :]
    assert top.max() < 40 < bottom.max()


@pytest.mark.parametrize("folder", SOURCES)
def test_a_mirrored_picture_is_the_mirror_image(folder: Path | None) -> None:
    as_taken = photograph(Picture("cafe-bar"), folder)
    assert ImageOps.mirror(photograph(Picture("cafe-bar", mirrored=True), folder)).tobytes() == as_taken.tobytes()
