"""The 36 crop hashes equal imagehash's, bit for bit."""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from image_assets.fingerprints import (
    ALGORITHMS,
    crop_boxes,
    crop_hashes,
    method_version,
    pack_hashes,
    unpack_hashes,
)

MODES = ["RGB", "L", "P", "RGBA", "CMYK", "LA", "I;16", "1", "I", "F", "YCbCr", "PA"]


def noise(width: int, height: int, mode: str, seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    if mode == "I;16":
        return Image.fromarray(rng.integers(0, 400, (height, width), dtype=np.uint16))
    image = Image.fromarray(rng.integers(0, 256, (height, width, 4), dtype=np.uint8))
    if mode == "PA":
        return image.convert("RGB").convert("P").convert("PA")
    return image if mode == "RGBA" else image.convert("RGB").convert(mode)


def hash_each_crop(image: Image.Image, algorithm: str) -> NDArray[np.uint64]:
    hash_crop = getattr(imagehash, algorithm)
    return np.array([int(str(hash_crop(image.crop(box))), 16) for box in crop_boxes(*image.size)], dtype=np.uint64)


@pytest.mark.parametrize("mode", MODES)
def test_dhash_equals_imagehash_at_odd_sizes(mode: str) -> None:
    rng = np.random.default_rng(MODES.index(mode))
    for seed, (width, height) in enumerate(np.exp(rng.uniform(0, 6.2, (16, 2))).astype(int).tolist()):
        image = noise(width, height, mode, seed)
        np.testing.assert_array_equal(crop_hashes(image), hash_each_crop(image, "dhash"), f"{mode} {width}x{height}")


@pytest.mark.parametrize(
    "size",
    [(1, 1), (1, 300), (300, 1), (2, 3), (8, 9), (9, 8), (18, 16), (640, 480), (480, 640), (500, 500), (401, 803)],
)
def test_dhash_equals_imagehash_at_tiny_long_and_tall_sizes(size: tuple[int, int]) -> None:
    for seed in range(3):
        image = noise(*size, "RGB", seed)
        np.testing.assert_array_equal(crop_hashes(image), hash_each_crop(image, "dhash"))


@pytest.mark.long
@pytest.mark.parametrize("algorithm", ["dhash", "phash"])
def test_a_thousand_images_of_odd_sizes_and_modes_hash_as_imagehash_does(algorithm: str) -> None:
    rng = np.random.default_rng(7)
    for seed, (width, height) in enumerate(np.exp(rng.uniform(0, 6.2, (1000, 2))).astype(int).tolist()):
        image = noise(width, height, MODES[seed % len(MODES)], seed)
        expected = hash_each_crop(image, algorithm)
        np.testing.assert_array_equal(crop_hashes(image, algorithm), expected, f"{image.mode} {width}x{height}")


def test_dhash_equals_imagehash_on_drawn_scenes(draw) -> None:
    for seed, size in enumerate([(1024, 768), (768, 1024), (601, 599)]):
        scene = draw(*size, seed)
        np.testing.assert_array_equal(crop_hashes(scene), hash_each_crop(scene, "dhash"))


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != "dhash"])
def test_other_algorithms_equal_imagehash(draw, algorithm: str) -> None:
    for seed, size in enumerate([(1, 1), (32, 32), (33, 50), (320, 240), (199, 401)]):
        scene = draw(*size, seed)
        np.testing.assert_array_equal(crop_hashes(scene, algorithm), hash_each_crop(scene, algorithm))


def test_the_horizontal_cut_is_outer_and_the_vertical_cut_inner() -> None:
    boxes = crop_boxes(200, 100)
    assert len(boxes) == 36
    assert boxes[0] == (0, 0, 200, 100)
    assert boxes[1] == (0, 5, 200, 95)
    assert boxes[5] == (0, 25, 200, 75)
    assert boxes[6] == (10, 0, 190, 100)
    assert boxes[35] == (50, 25, 150, 75)


def test_half_of_a_cut_is_rounded_down_to_a_whole_pixel() -> None:
    assert [box[0] for box in crop_boxes(99, 99)[::6]] == [0, 4, 9, 14, 19, 24]
    assert [box[1] for box in crop_boxes(99, 7)[:6]] == [0, 0, 0, 1, 1, 1]


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_crops_are_symmetric_and_never_empty(width: int, height: int) -> None:
    for left, top, right, bottom in crop_boxes(width, height):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert (left, top) == (width - right, height - bottom)


def test_the_first_bit_of_a_hash_is_the_highest() -> None:
    brighter_at_first = Image.new("L", (9, 8))
    brighter_at_first.paste(255, (1, 0, 2, 1))
    assert int(crop_hashes(brighter_at_first)[0]) == 1 << 63


def test_hashing_leaves_the_image_as_it_was(draw) -> None:
    scene = draw(120, 90)
    before = scene.tobytes()
    crop_hashes(scene)
    assert (scene.mode, scene.tobytes()) == ("RGB", before)


@pytest.mark.parametrize("algorithm", ["colorhash", "hex_to_hash", "", "DHASH"])
def test_an_unknown_algorithm_is_refused_by_name(draw, algorithm: str) -> None:
    with pytest.raises(ValueError, match=r"unknown hash algorithm .*dhash, "):
        crop_hashes(draw(20, 20), algorithm)
    with pytest.raises(ValueError, match="unknown hash algorithm"):
        method_version(algorithm)


def test_every_algorithm_has_its_own_method_version() -> None:
    assert method_version("dhash") == "dhash-2"
    assert len({method_version(algorithm) for algorithm in ALGORITHMS}) == len(ALGORITHMS)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=36, max_size=36))
def test_packed_hashes_come_back_and_are_big_endian(values: list[int]) -> None:
    packed = pack_hashes(np.array(values, dtype=np.uint64))
    assert packed == b"".join(value.to_bytes(8, "big") for value in values)
    unpacked = unpack_hashes(memoryview(packed))
    assert unpacked.dtype == np.uint64
    assert unpacked.tolist() == values


def test_hashes_of_another_shape_or_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(36,\)"):
        pack_hashes(np.zeros((6, 6), dtype=np.uint64))
    with pytest.raises(ValueError, match="must be 288"):
        unpack_hashes(bytes(287))
