"""What holds of the groups of any hotel: on drawn pictures, cut, covered and darkened, with people's decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import drawn, jpeg
from PIL import Image, ImageOps

from image_assets.fingerprints import Fingerprint, fingerprint
from image_assets.image_groups import ALIGNED_POLICY, TALK_POLICY, Grouping, Policy, group_pictures, same_picture

laws = settings(deadline=None, derandomize=True)  # the first call compiles, which no deadline allows for
policies = st.sampled_from([ALIGNED_POLICY, replace(ALIGNED_POLICY, mirrored=True), TALK_POLICY])

Decision = tuple[int, int]

# Overlapping parts, of which the first and the last show too little in common: chains.
PARTS = [(0.0, 1.0), (0.0, 0.7), (0.1, 0.8), (0.2, 0.9), (0.3, 1.0)]
EDITS = ["none", "dark", "banner", "mirrored"]


@cache
def version(seed: int, part: int, edit: str) -> Fingerprint:
    image = drawn(seed)
    left, right = (round(share * image.width) for share in PARTS[part])
    image = image.crop((left, 0, right, image.height))
    if edit == "dark":
        image = image.point(lambda value: value * 2 // 3)
    if edit == "banner":
        image.paste((200, 30, 40), (0, image.height * 6 // 7, image.width, image.height))
    if edit == "mirrored":
        image = ImageOps.mirror(image)
    if edit.startswith("over "):
        image = Image.blend(image, drawn(int(edit.removeprefix("over "))).resize(image.size), 0.5)
    return fingerprint(jpeg(image))


# A picture that shines through another one resembles both: chains, and weak links.
versions = st.tuples(st.integers(1, 3), st.integers(0, len(PARTS) - 1), st.sampled_from([*EDITS, "over 2", "over 3"]))


@st.composite
def hotels(draw: st.DrawFn) -> tuple[list[Fingerprint], list[Decision], list[Decision]]:
    """Different images, and pairs of all but the last one that people put together, and apart."""
    images = [version(*each) for each in draw(st.lists(versions, min_size=2, max_size=9, unique=True))]
    others = list(combinations(range(len(images) - 1), 2))
    decided = draw(st.lists(st.sampled_from(others), unique=True, max_size=3)) if others else []
    same = draw(st.integers(0, min(1, len(decided))))
    return images, decided[:same], decided[same:]


def grouped(
    images: list[Fingerprint], policy: Policy, together: Sequence[Decision] = (), apart: Sequence[Decision] = ()
) -> Grouping:
    hashes = np.stack([image.crop_hashes for image in images])
    return group_pictures(hashes, np.stack([image.luma for image in images]), policy, together, apart)


@laws
@given(versions, versions, policies)
def test_the_verdict_on_two_images_is_the_same_both_ways_round(first, second, policy: Policy) -> None:
    there = same_picture(version(*first), version(*second), policy)
    back = same_picture(version(*second), version(*first), policy)
    assert (there.same, there.score, there.mirrored) == (back.same, back.score, back.mirrored)


@laws
@given(hotels(), policies, st.data())
def test_groups_flags_and_links_do_not_depend_on_the_order_of_the_images(hotel, policy: Policy, data) -> None:
    images, together, apart = hotel
    order = data.draw(st.permutations(range(len(images))))  # place -> image

    def placed(pairs: list[Decision]) -> list[Decision]:
        return [(order.index(a), order.index(b)) for a, b in pairs]

    here = grouped(images, policy, together, apart)
    there = grouped([images[image] for image in order], policy, placed(together), placed(apart))
    renamed = [frozenset(order[place] for place in group) for group in there.groups]
    assert set(renamed) == {frozenset(group) for group in here.groups}
    for flagged_here, flagged_there in ((here.weak, there.weak), (here.parted, there.parted)):
        assert {renamed[number] for number in flagged_there} == {frozenset(here.groups[n]) for n in flagged_here}
    assert {(frozenset((order[link.a], order[link.b])), link.score, link.mirrored) for link in there.links} == {
        (frozenset((link.a, link.b)), link.score, link.mirrored) for link in here.links
    }
    assert there.split == here.split


@laws
@given(hotels(), policies)
def test_an_added_image_never_splits_an_unflagged_group_of_others(hotel, policy: Policy) -> None:
    images, together, apart = hotel
    before = grouped(images[:-1], policy, together, apart)
    after = [set(group) for group in grouped(images, policy, together, apart).groups]
    for number, group in enumerate(before.groups):
        if number not in before.weak and number not in before.parted:
            assert any(set(group) <= larger for larger in after)


def test_the_drawn_pictures_make_whole_groups_weak_ones_and_split_ones() -> None:
    every = [version(seed, part, edit) for seed in (1, 2) for part in range(len(PARTS)) for edit in (*EDITS, "over 3")]
    found = [grouped(every[start::3], ALIGNED_POLICY) for start in range(3)]
    assert any(len(group) > 1 and n not in each.weak for each in found for n, group in enumerate(each.groups))
    assert any(each.weak for each in found)
