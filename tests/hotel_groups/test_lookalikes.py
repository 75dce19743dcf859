"""Which pictures of many hotels are one picture: copies of a placeholder are, pictures with little in them are not."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import drawn, jpeg, no_image_available, scaled
from PIL import Image, ImageDraw, ImageFont
from plain_pictures import calm_sea, clear_sky, logo, night, pale_wall

from image_assets.fingerprints import fingerprint
from image_assets.hotel_groups.lookalikes import lookalikes

NAMES = ["Alpha", "Bravo", "Delta", "Omega", "Gamma", "Sigma", "Kappa", "Theta"]
SIZES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.42, 0.35)


def photo_coming_soon() -> Image.Image:
    image = Image.new("RGB", (800, 600), (20, 20, 30))
    font = ImageFont.load_default(size=40)
    ImageDraw.Draw(image).text((200, 250), "PHOTO COMING SOON", fill=(240, 240, 240), font=font)
    return image


def webp(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "WEBP", quality=70)
    return data.getvalue()


def seen(*sent: bytes) -> np.ndarray:
    return np.stack([fingerprint(data).luma for data in sent])


def looks(lumas: np.ndarray) -> int:
    """How many pictures they are taken for."""
    return len(set(lookalikes([([f"{n:03}" for n in range(len(lumas))], lumas)]).values()))


@pytest.mark.parametrize(
    "image",
    [no_image_available(), photo_coming_soon(), logo("Hotel Alpha"), drawn(2)],
    ids=["no image", "coming soon", "logo", "picture"],
)
def test_a_picture_in_eight_sizes_and_many_qualities_is_one(image: Image.Image) -> None:
    sent = [jpeg(scaled(image, size), quality) for size in SIZES for quality in (95, 75, 40)]
    assert looks(seen(*sent, webp(image), webp(scaled(image, 0.5)))) == 1


@pytest.mark.parametrize("plain", [night, pale_wall, clear_sky, calm_sea])
def test_different_pictures_with_little_in_them_are_not_one(plain: Callable[[int], Image.Image]) -> None:
    lumas = seen(*(jpeg(plain(seed)) for seed in range(40)))
    assert np.abs(lumas[0] - lumas[1:].astype(float)).mean(axis=(1, 2)).min() < 5  # alike, on the whole
    assert looks(lumas) == 40


def test_faint_pictures_under_the_same_banner_are_not_one() -> None:
    sent = []
    for seed in range(40):
        image = drawn(seed).convert("L").point(lambda value: 6 + value // 16)
        draw = ImageDraw.Draw(image)
        draw.rectangle((0, 400, 640, 480), fill=220)
        draw.text((100, 420), "www.partner-hotels.example", fill=20, font=ImageFont.load_default(size=36))
        sent.append(jpeg(image))
    assert looks(seen(*sent)) == 40


def test_logos_with_one_symbol_and_different_names_are_not_one() -> None:
    assert looks(seen(*(jpeg(logo(f"Hotel {name}")) for name in NAMES))) == len(NAMES)


def test_pictures_that_say_too_little_are_one_when_their_thumbnails_are_equal() -> None:
    wall = seen(jpeg(pale_wall(1)))[0]
    other = wall.copy()
    other[3, 4] += 1
    assert lookalikes([(["a", "b", "c"], np.stack([wall, other, wall]))]) == {"a": "a", "b": "b", "c": "a"}


def between(share: float) -> np.ndarray:
    """A thumbnail on the way from one picture to another one."""
    one, other = seen(jpeg(drawn(1)), jpeg(drawn(2))).astype(float)
    return (one + share * (other - one)).round().astype(np.uint8)


@cache
def drifting() -> np.ndarray:
    """(40, 40, 40) thumbnails: each is alike to the next, and hardly any to those further away."""
    return np.stack([between(step / 100) for step in range(40)])


def test_pictures_that_drift_from_one_to_another_are_not_one() -> None:
    lumas = drifting()
    assert all(looks(lumas[step : step + 2]) == 1 for step in range(39))
    told = lookalikes([([f"{n:02}" for n in range(40)], lumas)])
    of_one = [lumas[[int(sha256) for sha256, first in told.items() if first == look]] for look in set(told.values())]
    assert len(of_one) > 2
    # All of a look are alike to one of it.
    assert all(any(all(looks(np.stack([a, b])) == 1 for b in look) for a in look) for look in of_one)


def test_nor_are_they_when_one_class_leads_to_the_next() -> None:
    names, lumas = [f"{n:02}" for n in range(40)], drifting()
    told = lookalikes([(names[n : n + 4], lumas[n : n + 4]) for n in range(0, 37, 2)])
    for look in set(told.values()):
        members = [int(sha256) for sha256, first in told.items() if first == look]
        assert max(members) - min(members) < 20


def test_copies_in_different_classes_are_one_through_a_copy_in_both() -> None:
    lumas = seen(*(jpeg(no_image_available(), quality) for quality in (95, 80, 60, 40)))
    classes = [(["b", "c"], lumas[:2]), (["a", "b", "d"], np.stack([lumas[2], lumas[0], lumas[3]]))]
    assert lookalikes(classes) == dict.fromkeys("abcd", "a")


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from([95, 75, 50])), min_size=1, max_size=8))
def test_every_content_gets_one_look_named_by_its_smallest_content(versions: list[tuple[int, int]]) -> None:
    names = [f"{n:02}" for n in range(len(versions))]
    told = lookalikes([(names, np.stack([version(*each) for each in versions]))])
    firsts = {seed: f"{[s for s, _ in versions].index(seed):02}" for seed, _ in versions}
    assert told == {name: firsts[seed] for name, (seed, _) in zip(names, versions, strict=True)}


@cache
def version(seed: int, quality: int) -> np.ndarray:
    return seen(jpeg(drawn(seed), quality))[0]
