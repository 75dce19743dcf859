"""Pairs that are made: copies of each picture by each edit, and different pictures, the hard ones first."""

from __future__ import annotations

from collections import Counter

import numpy as np
from dedup_quality.corpus_pictures import picture, sha256
from pictures import drawn, jpeg

from image_assets.dedup_quality.corpus import CorpusPicture
from image_assets.dedup_quality.drawn_edits import EDITS, MIRRORED
from image_assets.dedup_quality.making import (
    ALIKE_EDITS,
    ANY,
    NEAREST,
    SAME_HOTEL,
    Copy,
    Original,
    alike_copies,
    different_pairs,
    made_pictures,
    planned_copies,
    same_pairs,
)
from image_assets.fingerprints import fingerprint, pack_hashes, pack_luma

SOURCES = [sha256(f"picture {number}") for number in range(40)]


def test_every_edit_has_as_many_copies() -> None:
    copies = planned_copies(SOURCES, seed=1, pairs=300)
    assert len(set(copies)) == len(copies)
    assert Counter(copy.edit for copy in copies) == dict.fromkeys(EDITS, -(-300 // len(EDITS)))


def test_few_pictures_are_drawn_several_times_but_never_without_end() -> None:
    copies = planned_copies(SOURCES[:3], seed=1, pairs=5000)
    assert Counter((copy.source, copy.edit) for copy in copies).most_common(1)[0][1] == 10


def test_another_seed_chooses_other_copies_and_the_same_seed_the_same() -> None:
    assert planned_copies(SOURCES, 1, 300) == planned_copies(SOURCES[::-1], 1, 300)
    assert planned_copies(SOURCES, 1, 300) != planned_copies(SOURCES, 2, 300)


def test_a_picture_and_its_copies_are_measured_as_the_pipeline_measures() -> None:
    data = jpeg(drawn(3))
    original = Original(sha256("a file"), "h1", "a file")
    copies = planned_copies([original.sha256], seed=1, pairs=len(EDITS))
    first, *rest = made_pictures(original, data, copies, 1, "dhash")
    measured = fingerprint(data)
    assert first.picture.crop_hashes == pack_hashes(measured.crop_hashes)
    assert first.picture.luma == pack_luma(measured.luma)
    assert [made.picture.edit for made in rest] == [copy.edit for copy in copies]
    assert {made.picture.source for made in rest} == {original.sha256}
    again = made_pictures(original, data, copies, 1, "dhash")
    assert [made.picture for made in again] == [first.picture, *(made.picture for made in rest)]
    labels = same_pairs(copies, "a test")
    keys = {made.picture.key for made in rest}
    assert {(pair.a if pair.b == first.picture.key else pair.b) for pair in labels} == keys


def test_what_is_edited_alike_gets_the_same_stamp_at_the_same_place_and_other_copies_do_not() -> None:
    first, second = (sha256(f"picture {number}") for number in (1, 2))
    alike = [Copy(source, "logo", alike=True).drawn(1) for source in (first, second)]
    assert alike[0] == alike[1]
    assert Copy(first, "logo").drawn(1) != Copy(second, "logo").drawn(1)
    assert Copy(first, "logo", alike=True).key != Copy(first, "logo").key
    copies = alike_copies([second, first])
    assert Counter(copy.edit for copy in copies) == dict.fromkeys(ALIKE_EDITS, 2)
    assert set(ALIKE_EDITS) <= set(EDITS) - {MIRRORED}


def originals(count: int, hotels: int) -> list[CorpusPicture]:
    return [picture(f"picture {number}", hotel_id=f"h{number % hotels}") for number in range(count)]


def test_pictures_of_one_hotel_are_paired_first_then_the_nearest_then_any_and_the_hardest_edited_alike() -> None:
    pictures = originals(40, hotels=4)
    by_key = {made.key: made for made in pictures}
    alike = {copy.key: copy for copy in alike_copies([made.source for made in pictures])}
    pairs = different_pairs(pictures, [], seed=1, origin="a test", pairs=80)
    assert Counter(pair.detail for pair in pairs) == {
        SAME_HOTEL: 30,
        NEAREST: 15,
        ANY: 15,
        f"{SAME_HOTEL}, edited alike": 20,
    }
    for pair in pairs[:60]:
        if pair.detail != ANY:
            assert (by_key[pair.a].hotel_id == by_key[pair.b].hotel_id) == (pair.detail == SAME_HOTEL)
    for plain, edited in zip(pairs[:20], pairs[60:], strict=True):
        ends = [alike[edited.a], alike[edited.b]]
        assert {end.source for end in ends} == {by_key[plain.a].source, by_key[plain.b].source}
        assert ends[0].edit == ends[1].edit
    assert not any(pair.same for pair in pairs)


def test_the_nearest_pictures_are_those_whose_thumbnails_correlate_most() -> None:
    pictures = originals(30, hotels=30)
    twin = pictures[7]
    noisy = np.frombuffer(twin.luma, dtype=np.uint8).astype(int) * 9 // 10 + 10
    alike = picture("twin")
    alike = CorpusPicture(
        alike.key, alike.source, "", None, "twin", alike.crop_hashes, noisy.astype(np.uint8).tobytes()
    )
    first = different_pairs([*pictures, alike], [], seed=1, origin="a test", pairs=40)[0]
    assert {first.a, first.b} == {twin.key, alike.key}
    assert first.detail == NEAREST


def test_few_pictures_are_paired_again_with_their_copies_and_no_pair_comes_twice() -> None:
    pictures = originals(8, hotels=8)
    copies = planned_copies([made.source for made in pictures], seed=1, pairs=100)
    pairs = different_pairs(pictures, copies, seed=1, origin="a test", pairs=400)
    assert len({(pair.a, pair.b) for pair in pairs}) == len(pairs) == 400
    mirrored = {copy.key for copy in copies if copy.edit == MIRRORED}
    assert mirrored.isdisjoint({end for pair in pairs for end in (pair.a, pair.b)})
    assert len(different_pairs(pictures, [], seed=1, origin="a test", pairs=400)) == 28 + 100
