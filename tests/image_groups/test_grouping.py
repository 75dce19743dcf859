"""The rule for one pair, and the groups that follow from it, on drawings and on arbitrary hashes."""

import dataclasses
import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from image_assets.fingerprints import Fingerprint, fingerprint
from image_assets.image_groups import (
    ALIGNED_POLICY,
    DEFAULT_POLICY,
    TALK_POLICY,
    Policy,
    group_images,
    group_pictures,
    image_group_id,
    pair_scores,
    same_picture,
)

MIRRORED = dataclasses.replace(DEFAULT_POLICY, mirrored=True)


laws = settings(deadline=None, derandomize=True)  # the first call compiles, which no deadline allows for


def drawing(seed: int) -> Image.Image:
    """A picture of coarse and fine shapes, unlike that of any other seed."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize((480, 360))
    fine = Image.fromarray(random.integers(0, 256, (45, 60, 3), dtype=np.uint8)).resize((480, 360))
    return Image.blend(coarse, fine, 0.25)


def centre(image: Image.Image, horizontal_cut: float, vertical_cut: float) -> Image.Image:
    x, y = round(image.width * horizontal_cut / 2), round(image.height * vertical_cut / 2)
    return image.crop((x, y, image.width - x, image.height - y))


def mirror(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def seen(image: Image.Image, quality: int = 90) -> Fingerprint:
    """The fingerprint of the image as a partner would send it."""
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return fingerprint(data.getvalue())


def with_hashes(hashes: np.ndarray) -> Fingerprint:
    return Fingerprint(hashes, np.zeros((40, 40), dtype=np.uint8), 480, 360)


def brute_force_groups(hashes: np.ndarray, policy: Policy) -> list[list[int]]:
    """Components by repeated squaring of the adjacency matrix; shares nothing with the kernel."""
    distances = np.bitwise_count(hashes[:, None, :, None] ^ hashes[None, :, None, :]).min(axis=(2, 3))
    reachable = distances < policy.threshold
    for _ in range(len(hashes)):
        reachable = reachable @ reachable
    return sorted({tuple(np.flatnonzero(row).tolist()) for row in reachable})


@st.composite
def hotels(draw: st.DrawFn) -> np.ndarray:
    """(n, 36) hashes with many near and chained duplicates: a few random images, and copies with bits flipped."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    hashes = random.integers(0, 2**64, (draw(st.integers(1, 12)), 36), dtype=np.uint64)
    for copy in range(1, len(hashes)):
        flipped = draw(st.integers(0, 5))
        if flipped < 5:
            source = hashes[random.integers(0, copy), random.integers(0, 36)]
            for bit in random.choice(64, flipped, replace=False):
                source ^= np.uint64(1) << np.uint64(bit)
            hashes[copy, random.integers(0, 36)] = source
    return hashes


def as_sets(groups: list[list[int]]) -> set[frozenset[int]]:
    return {frozenset(group) for group in groups}


def test_reencoded_and_centre_cropped_copies_are_one_group_and_other_drawings_are_not() -> None:
    first, second = drawing(1), drawing(2)
    fingerprints = [
        seen(first),
        seen(second),
        seen(first, quality=30),
        seen(centre(first, 0.2, 0.2)),
        seen(second.resize((240, 180))),
        seen(drawing(3)),
        seen(centre(second, 0.0, 0.4), quality=60),
    ]
    assert group_images(fingerprints) == [[0, 2, 3], [1, 4, 6], [5]]


def test_forty_different_drawings_are_forty_groups() -> None:
    assert len(group_images([seen(drawing(seed)) for seed in range(40)])) == 40


def test_a_mirrored_copy_is_the_same_picture_only_when_the_policy_says_so() -> None:
    for seed in range(20):
        original = drawing(seed)
        pair = [seen(original), seen(mirror(centre(original, 0.1, 0.1)), 60)]
        assert group_images(pair, DEFAULT_POLICY) == [[0], [1]]
        assert group_images(pair, MIRRORED) == [[0, 1]]
        assert not same_picture(*pair, DEFAULT_POLICY).same
        assert same_picture(*pair, MIRRORED).same


def test_the_mirrored_policy_still_keeps_different_drawings_apart() -> None:
    assert len(group_images([seen(drawing(seed)) for seed in range(40)], MIRRORED)) == 40


def test_images_are_one_group_through_a_copy_that_resembles_both() -> None:
    left, right = np.uint64(0), np.uint64(0b111111)
    far = np.uint64(0xFFFF0000FFFF0000)
    chain = np.array([[left, far], [right, far ^ np.uint64(0xFF)], [np.uint64(0b111), ~far]], dtype=np.uint64)
    fingerprints = [with_hashes(row) for row in chain]
    assert group_images(fingerprints, TALK_POLICY) == [[0, 1, 2]]
    assert group_images(fingerprints[:2], TALK_POLICY) == [[0], [1]]


@pytest.mark.parametrize(("flipped", "same"), [(0, True), (3, True), (4, False)])
def test_hashes_agree_when_fewer_bits_than_the_threshold_differ(flipped: int, same: bool) -> None:
    random = np.random.default_rng(5)
    a, b = random.integers(0, 2**64, (2, 36), dtype=np.uint64)
    b[17] = a[4] ^ np.uint64(2**flipped - 1)
    match = same_picture(with_hashes(a), with_hashes(b), TALK_POLICY)
    assert match.same is same
    assert match.score == 1 - flipped / 64
    assert (match.window is not None) is same
    assert (group_images([with_hashes(a), with_hashes(b)], TALK_POLICY) == [[0, 1]]) is same


@pytest.mark.parametrize("policy", [TALK_POLICY, ALIGNED_POLICY])
def test_the_window_is_the_part_of_the_second_image_that_the_first_shows(policy: Policy) -> None:
    whole = seen(drawing(8))
    narrower = seen(centre(drawing(8), 0.2, 0.0))
    assert same_picture(whole, whole, policy).window == (0, 0, 1, 1)
    assert same_picture(narrower, whole, policy).window == pytest.approx((0.1, 0, 0.9, 1), abs=0.005)
    assert same_picture(whole, narrower, policy).window == pytest.approx((0, 0, 1, 1), abs=0.005)


@pytest.mark.parametrize("policy", [TALK_POLICY, ALIGNED_POLICY])
def test_a_hotel_without_images_has_no_groups(policy: Policy) -> None:
    assert group_images([]) == []
    assert group_pictures(np.empty((0, 36), np.uint64), np.empty((0, 40, 40), np.uint8), policy).groups == []


@laws
@given(hotels(), st.integers(1, 8))
def test_groups_equal_the_brute_force_components(hashes: np.ndarray, threshold: int) -> None:
    policy = dataclasses.replace(TALK_POLICY, threshold=threshold)
    groups = group_images([with_hashes(row) for row in hashes], policy)
    assert [tuple(group) for group in groups] == brute_force_groups(hashes, policy)


@laws
@given(hotels(), st.booleans())
def test_every_image_is_in_exactly_one_group_in_order(hashes: np.ndarray, mirrored: bool) -> None:
    policy = dataclasses.replace(TALK_POLICY, mirrored=mirrored)
    groups = group_images([with_hashes(row) for row in hashes], policy)
    assert sorted(index for group in groups for index in group) == list(range(len(hashes)))
    assert all(group == sorted(group) for group in groups)
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)


@laws
@given(hotels(), st.booleans(), st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order_of_the_images(hashes: np.ndarray, mirrored: bool, random) -> None:
    policy = dataclasses.replace(TALK_POLICY, mirrored=mirrored)
    order = list(range(len(hashes)))
    random.shuffle(order)
    fingerprints = [with_hashes(row) for row in hashes]
    shuffled = group_images([fingerprints[index] for index in order], policy)
    renamed = [[order[index] for index in group] for group in shuffled]
    assert as_sets(renamed) == as_sets(group_images(fingerprints, policy))


@laws
@given(hotels(), st.booleans())
def test_same_picture_is_symmetric_and_agrees_with_the_groups_of_two(hashes: np.ndarray, mirrored: bool) -> None:
    policy = dataclasses.replace(TALK_POLICY, mirrored=mirrored)
    first, last = with_hashes(hashes[0]), with_hashes(hashes[-1])
    there, back = same_picture(first, last, policy), same_picture(last, first, policy)
    assert (there.same, there.score) == (back.same, back.score)
    assert there.same == (len(group_images([first, last], policy)) == 1)


def test_the_aligned_rule_knows_a_picture_cut_from_one_side_framed_or_under_a_banner() -> None:
    original = drawing(1)
    width, height = original.size
    framed = Image.new("RGB", (width + 120, height + 90), "white")
    framed.paste(original, (60, 45))
    under_banner = original.copy()
    under_banner.paste((200, 30, 40), (0, height - 36, width, height))
    copies = [
        original.crop((0, 0, width, round(0.85 * height))),
        original.crop((round(0.2 * width), round(0.1 * height), width, height)),
        framed,
        under_banner,
    ]
    fingerprints = [seen(original), *(seen(copy, 70) for copy in copies), seen(drawing(2))]
    assert group_images(fingerprints, ALIGNED_POLICY) == [[0, 1, 2, 3, 4], [5]]
    window = same_picture(fingerprints[2], fingerprints[0], ALIGNED_POLICY).window
    assert window == pytest.approx((0.2, 0.1, 1, 1), abs=0.01)


@pytest.mark.parametrize("colour", ["white", "black"])
def test_different_drawings_in_the_same_frame_are_not_the_same_picture(colour: str) -> None:
    framed = []
    for seed, share in [(1, 0.2), (2, 0.2), (3, 0.2), (4, 0.05), (4, 0.2)]:
        original = drawing(seed)
        width, height = original.size
        frame = Image.new("RGB", (round(width * (1 + 2 * share)), round(height * (1 + 2 * share))), colour)
        frame.paste(original, (round(width * share), round(height * share)))
        framed.append(seen(frame))
    assert group_images(framed, ALIGNED_POLICY) == [[0], [1], [2], [3, 4]]


@st.composite
def drawn_hotels(draw: st.DrawFn) -> list[Fingerprint]:
    """Versions of a few drawings, cut, framed or mirrored."""
    versions = draw(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5)), min_size=1, max_size=8))
    return [version_of_drawing(seed, version) for seed, version in versions]


@cache
def version_of_drawing(seed: int, version: int) -> Fingerprint:
    original = drawing(seed)
    width, height = original.size
    framed = Image.new("RGB", (width + 80, height + 80), "black")
    framed.paste(original, (40, 40))
    return seen(
        [
            original,
            original.crop((width // 5, 0, width, height)),
            original.crop((0, 0, width, height * 4 // 5)),
            framed,
            mirror(original),
            original.resize((200, 150)),
        ][version]
    )


@laws
@given(drawn_hotels(), st.booleans(), st.randoms(use_true_random=False))
def test_aligned_groups_and_scores_do_not_depend_on_order_or_company(
    hotel: list[Fingerprint], mirrored: bool, random
) -> None:
    policy = dataclasses.replace(ALIGNED_POLICY, mirrored=mirrored)
    order = list(range(len(hotel)))
    random.shuffle(order)
    shuffled = group_images([hotel[index] for index in order], policy)
    assert as_sets([[order[i] for i in group] for group in shuffled]) == as_sets(group_images(hotel, policy))
    first, last = hotel[0], hotel[-1]
    there, back = same_picture(first, last, policy), same_picture(last, first, policy)
    assert (there.same, there.score, there.mirrored) == (back.same, back.score, back.mirrored)
    assert same_picture(first, first, policy).score == 1.0
    together = pair_scores(
        np.stack([each.crop_hashes for each in hotel]),
        np.stack([each.luma for each in hotel]),
        np.array([[0, len(hotel) - 1]]),
        policy,
    )
    assert together[0] == there.score


@pytest.mark.parametrize("policy", [TALK_POLICY, ALIGNED_POLICY])
def test_groups_are_the_same_when_compiled_loops_run_in_many_threads(policy: Policy) -> None:
    hotel = [version_of_drawing(seed, version) for seed in (1, 2) for version in range(4)]
    with ThreadPoolExecutor(4) as pool:
        groups = list(pool.map(lambda _: group_images(hotel, policy), range(8)))
    assert all(each == groups[0] for each in groups)


def test_a_policy_with_an_impossible_threshold_is_refused() -> None:
    with pytest.raises(ValueError, match="threshold is 0"):
        dataclasses.replace(TALK_POLICY, threshold=0.0)


def test_a_group_id_depends_on_the_hotel_and_its_smallest_sha256_alone() -> None:
    small, large, larger = ("1" * 64, "e" * 64, "f" * 64)
    assert image_group_id("h1", [large, small]) == image_group_id("h1", [small, larger])
    assert image_group_id("h1", [bytes.fromhex(small)]) == image_group_id("h1", [small])
    assert image_group_id("h1", [small]) != image_group_id("h2", [small])
    assert image_group_id("h1", [small]) != image_group_id("h1", [large])
    assert image_group_id("Ünï/cødé", [small]) == "48ef87c7428da2c865ec"


@pytest.mark.parametrize("sha256s", [[], ["abc"], ["x" * 64], [b"short"]])
def test_a_group_id_needs_at_least_one_true_sha256(sha256s: list[bytes | str]) -> None:
    with pytest.raises(ValueError):
        image_group_id("h1", sha256s)


def test_importing_the_room_does_not_load_numba() -> None:
    code = "import sys, image_assets.image_groups; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
