"""`corpus build`: pairs from a folder or from the pipeline's own pictures, in the ledger, the same every time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from corpus.stock import METHODS, load_hotels, write_photographs
from end_to_end.fresh_worlds import fresh_world
from partner_site import partner_site
from pictures import centre_crop, drawn, jpeg
from PIL import Image

from image_assets.corpus.building import BuiltCorpus, NoPictures, build_corpus
from image_assets.corpus.evaluating import evaluate_corpus
from image_assets.dedup_quality.corpus import is_held_out, picture_key
from image_assets.image_groups import ALIGNED_POLICY
from resources.ledger import Ledger
from resources.ledger.corpus import corpus_pairs, corpus_pictures, origins, previews
from resources.ledger.decisions import record_decision
from resources.object_store import ObjectStore

PAIRS = (60, 90)


def build(ledger: Ledger, store: ObjectStore, folder: Path | None, seed: int = 0) -> BuiltCorpus:
    return build_corpus(ledger, store, METHODS, folder, 100, seed, print, PAIRS)


def rows(ledger: Ledger) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    with ledger.connect() as connection:
        return list(corpus_pictures(connection, METHODS.fingerprint)), list(corpus_pairs(connection))


def test_a_folder_becomes_pairs_with_all_fingerprints_in_the_ledger(
    ledger: Ledger, store: ObjectStore, tmp_path: Path
) -> None:
    folder = write_photographs(tmp_path / "photos", 8)
    built = build(ledger, store, folder)
    pictures, pairs = rows(ledger)
    assert (built.pictures, built.left_out) == (8, ())
    assert (built.same, built.different) == (sum(p[4] for p in pairs), sum(not p[4] for p in pairs))
    assert len(pictures) == 8 + built.copies
    assert {end for pair in pairs for end in pair[:2]} == {picture[0] for picture in pictures}
    with ledger.connect() as connection:
        assert all(
            preview[:2] == b"\xff\xd8" for preview in previews(connection, [str(p[0]) for p in pictures]).values()
        )


def test_building_again_gives_the_same_rows_and_another_seed_others(
    ledger: Ledger, store: ObjectStore, tmp_path: Path
) -> None:
    folder = write_photographs(tmp_path / "photos", 8)
    build(ledger, store, folder)
    first = rows(ledger)
    build(ledger, store, folder)
    assert rows(ledger) == first
    build(ledger, store, folder, seed=1)
    assert rows(ledger) != first
    assert len(rows(ledger)[1]) == len(first[1])


def test_what_cannot_be_read_is_left_out_and_told(ledger: Ledger, store: ObjectStore, tmp_path: Path) -> None:
    folder = write_photographs(tmp_path / "photos", 6)
    (folder / "notes.txt").write_text("no picture")
    (folder / "again.jpg").write_bytes((folder / "0.jpg").read_bytes())
    built = build(ledger, store, folder)
    assert built.pictures == 6
    assert [line.partition(":")[0] for line in built.left_out] == ["notes.txt"]


def test_each_origin_keeps_its_own_pairs(ledger: Ledger, store: ObjectStore, tmp_path: Path) -> None:
    one, other = write_photographs(tmp_path / "one", 6), write_photographs(tmp_path / "other", 6, first=50)
    build(ledger, store, one)
    build(ledger, store, other)
    build(ledger, store, one)
    with ledger.connect() as connection:
        assert [count.origin for count in origins(connection)] == [str(one.resolve()), str(other.resolve())]


def test_of_a_large_folder_whole_hotels_are_drawn_until_there_are_enough_pictures(
    ledger: Ledger, store: ObjectStore, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for hotel in range(4):
        write_photographs(folder / f"h{hotel}", 3, first=3 * hotel)
    built = build_corpus(ledger, store, METHODS, folder, 5, 0, print, PAIRS)
    assert (built.offered, built.pictures) == (12, 6)
    with ledger.connect() as connection:
        assert len({picture.hotel_id for picture in corpus_pictures(connection, METHODS.fingerprint)}) == 2


def test_the_pipelines_own_pictures_are_those_one_partner_offers_of_a_hotel_without_placeholders(
    postgres_url: str,
) -> None:
    hotels = {f"h{hotel}": [jpeg(drawn(10 * hotel + n)) for n in range(4)] for hotel in range(4)}
    others = {"h0": [jpeg(centre_crop(drawn(n), 0.1)) for n in range(3)]}
    for hotel, blank in zip(hotels, ("white", "snow"), strict=False):
        hotels[hotel].insert(1, jpeg(Image.new("RGB", (640, 480), blank)))
    with fresh_world(postgres_url) as world, partner_site() as site:
        sha256s = load_hotels(world, site, hotels, others)
        built = build(world.ledger, world.store, None)
        pictures, pairs = rows(world.ledger)
    assert (built.origin, built.pictures) == ("the pipeline", 16)
    taken = {str(picture[1]) for picture in pictures}
    assert taken == {sha256 for of_hotel in sha256s.values() for n, sha256 in enumerate(of_hotel) if n != 1} | {
        sha256s[hotel][1] for hotel in ("h2", "h3")
    }
    assert {picture[3] for picture in pictures} == set(hotels)
    assert "same hotel" in {pair[5] for pair in pairs}


def test_the_policy_has_no_say_in_the_pairs_that_it_is_judged_by(postgres_url: str) -> None:
    """A picture that its partner offers twice is a mistake of the policy that merges it, until people say otherwise."""
    hotels = {f"h{hotel}": [jpeg(drawn(10 * hotel + n)) for n in range(6)] for hotel in range(2)}
    hotels["h0"] += [jpeg(centre_crop(drawn(n), 0.1)) for n in range(6)]
    with fresh_world(postgres_url) as world, partner_site() as site:
        sha256s = load_hotels(world, site, hotels)["h0"]
        build(world.ledger, world.store, None)
        lenient, strict = (
            replace(METHODS, policy=replace(ALIGNED_POLICY, threshold=threshold)) for threshold in (0.1, 0.99)
        )
        with_one = rows(world.ledger)
        for methods in (lenient, strict):
            build_corpus(world.ledger, world.store, methods, None, 100, 0, print, PAIRS)
            assert rows(world.ledger) == with_one
        twice = [(a, b) for a, b in zip(sha256s[:6], sha256s[6:], strict=True) if is_held_out(a) == is_held_out(b)]
        different = {frozenset((str(pair[0]), str(pair[1]))) for pair in with_one[1] if not pair[4]}
        assert twice
        assert all(frozenset((picture_key(a), picture_key(b))) in different for a, b in twice)
        before = evaluate_corpus(world.ledger, world.store, METHODS).certificate
        with world.ledger.connect() as connection:
            for a, b in zip(sha256s[:6], sha256s[6:], strict=True):
                record_decision(connection, *sorted((a, b)), same=True, note=None)
        after = evaluate_corpus(world.ledger, world.store, METHODS).certificate
    held_out = sum(is_held_out(a) for a, _ in twice)
    assert held_out
    assert before.confused_pictures.hits == held_out
    assert after.confused_pictures.hits == 0


def test_an_empty_pipeline_says_what_to_do(ledger: Ledger, store: ObjectStore) -> None:
    with pytest.raises(NoPictures, match="run the pipeline first, or name a folder"):
        build(ledger, store, None)


def test_too_few_pictures_change_nothing(ledger: Ledger, store: ObjectStore, tmp_path: Path) -> None:
    folder = write_photographs(tmp_path / "photos", 6)
    build(ledger, store, folder)
    first = rows(ledger)
    for file in sorted(folder.iterdir())[3:]:
        file.unlink()
    with pytest.raises(NoPictures, match="at least four"):
        build(ledger, store, folder)
    assert rows(ledger) == first
