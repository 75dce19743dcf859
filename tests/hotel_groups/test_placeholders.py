"""What near-identical pictures have in common, and which are placeholders."""

from __future__ import annotations

import io
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import drawn, jpeg, no_image_available, scaled
from PIL import Image

from image_assets.fingerprints import fingerprint
from image_assets.hotel_groups.lookalikes import lookalikes
from image_assets.hotel_groups.placeholders import PlaceholderPolicy, looks


def webp(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "WEBP", quality=70)
    return data.getvalue()


def copies(image: Image.Image) -> np.ndarray:
    """Thumbnails of one picture in the sizes, qualities and formats in which servers send it."""
    sent = [jpeg(scaled(image, factor), quality) for factor in (1.0, 0.7, 0.5) for quality in (95, 75, 40)]
    return np.stack([fingerprint(data).luma for data in (*sent, webp(image))])


@pytest.mark.parametrize("image", [no_image_available(), drawn(1), drawn(2)], ids=["placeholder", "one", "two"])
def test_any_two_copies_of_a_picture_share_a_key_and_look_alike(image: Image.Image) -> None:
    lumas = copies(image)
    keys = looks(lumas).keys
    assert all((keys[a] == keys[b]).any() for a, b in combinations(range(len(keys)), 2))
    names = [f"{n:02}" for n in range(len(lumas))]
    assert set(lookalikes([(names, lumas)]).values()) == {"00"}


def test_different_pictures_share_no_key_and_do_not_look_alike() -> None:
    lumas = np.stack([fingerprint(jpeg(drawn(seed))).luma for seed in range(60)])
    keys = looks(lumas).keys
    assert all(len(np.unique(keys[:, number])) == 60 for number in (0, 1))
    assert len(set(lookalikes([([f"{n:02}" for n in range(60)], lumas)]).values())) == 60


@given(st.lists(st.integers(0, 255), min_size=16, max_size=16))
def test_a_first_key_never_equals_a_second_one(means: list[int]) -> None:
    luma = np.kron(np.array(means, dtype=np.uint8).reshape(4, 4), np.ones((10, 10), dtype=np.uint8))
    first, second = looks(luma[None]).keys[0].tolist()
    assert 0 <= first < 2**48 <= second


def test_a_picture_of_one_colour_is_blank_and_a_dim_one_is_not() -> None:
    noise = np.random.default_rng(1).normal(0, 1.0, (2, 480, 640))
    plain = [
        Image.fromarray((3 + noise[0]).clip(0).astype(np.uint8)),
        Image.fromarray((250 + noise[1]).astype(np.uint8)),
    ]
    dim = drawn(1).convert("L").point(lambda value: value // 12)
    seen = looks(np.stack([fingerprint(jpeg(image)).luma for image in (*plain, dim)]))
    assert seen.blank.tolist() == [True, True, False]


@pytest.mark.parametrize(("hotels", "most"), [(0, 5), (26, 5), (27, 6), (999, 19), (1000, 20), (1_000_000, 200)])
def test_the_hotels_that_may_share_a_picture_grow_with_the_release(hotels: int, most: int) -> None:
    assert PlaceholderPolicy().most_hotels(hotels) == most
