"""The demo's play: consistent in itself, and readable by the pipeline's own readers."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from demo.catalogue_files import write_week
from demo.expectations import expected_weeks
from demo.hotels import HOTELS
from demo.outcome import Diff, Member
from demo.photographs import PICTURE_NAMES
from demo.scenario import Trouble, Week, two_weeks
from image_assets.catalogue_diffs import read_catalogue

HOST = "http://127.0.0.1:1"


def _offers(week: Week) -> list[tuple[str, str, str]]:
    return [
        (partner, offer.accommodation_id, offer.path)
        for partner, catalogue in week.catalogues.items()
        for offer in catalogue.offers
    ]


def test_every_offer_has_a_url_of_its_own() -> None:
    for week in two_weeks():
        paths = [path for _, _, path in _offers(week)]
        assert len(paths) == len(set(paths))


def test_every_picture_exists() -> None:
    names = {
        offer.picture.name
        for week in two_weeks()
        for catalogue in week.catalogues.values()
        for offer in catalogue.offers
    }
    assert names <= set(PICTURE_NAMES)


def test_every_offered_accommodation_is_in_exactly_one_hotel() -> None:
    for week in two_weeks():
        listed = [known for accommodations in week.hotels.values() for known in accommodations]
        offered = {(partner, accommodation) for partner, accommodation, _ in _offers(week)}
        assert len(listed) == len(set(listed))
        assert offered <= set(listed)


def test_accommodations_that_nobody_offers_are_counted() -> None:
    # An annex from the start; in week two also the hotel of which a partner has dropped every picture.
    assert [week.unknown_accommodations for week in expected_weeks(two_weeks(), HOST)] == [1, 2]


def test_all_troubles_are_played_in_week_one() -> None:
    first, _ = two_weeks()
    assert {offer.trouble for catalogue in first.catalogues.values() for offer in catalogue.offers} == {None, *Trouble}


def test_week_two_changes_what_the_story_says() -> None:
    _, second = expected_weeks(two_weeks(), HOST)
    assert second.diffs == {
        "atlas": Diff(new=2, updated=3, deleted=0, unchanged=51),
        "costa-stays": Diff(new=3, updated=0, deleted=0, unchanged=31),
        "viajes-ñandú": Diff(new=0, updated=0, deleted=4, unchanged=25),
    }


def test_week_two_asks_only_for_what_is_new_changed_or_has_failed() -> None:
    first, second = expected_weeks(two_weeks(), HOST)
    assert not any("nordlicht" in path for path in second.requests)
    new_or_changed = sum(diff.new + diff.updated for diff in second.diffs.values())
    failed = sum(outcome == "failed" for outcome in first.fates.values())
    assert len(second.requests) == new_or_changed + failed


def test_unchanged_hotels_are_not_expected_to_be_computed_again() -> None:
    first, second = expected_weeks(two_weeks(), HOST)
    assert first.hotels_grouped == first.hotels_ranked == len(HOTELS)
    assert 0 < second.hotels_grouped < len(HOTELS)


def test_the_moved_accommodation_takes_its_pictures_along() -> None:
    expected = expected_weeks(two_weeks(), HOST)

    def hotels_showing(accommodation: str, groups: dict[str, frozenset[frozenset[Member]]]) -> set[str]:
        return {
            hotel_id
            for hotel_id, shown in groups.items()
            if any(member.accommodation_id == accommodation for group in shown for member in group)
        }

    arenal, abando = HOTELS[0].hotel_id, HOTELS[1].hotel_id
    assert hotels_showing("bilbao-hot2", dict(expected[0].groups)) == {arenal}
    assert hotels_showing("bilbao-hot2", dict(expected[1].groups)) == {abando}


@pytest.mark.parametrize("number", [0, 1])
def test_the_pipeline_reads_the_catalogues_as_they_are_meant(number: int, tmp_path: Path) -> None:
    week = two_weeks()[number]
    *catalogues, release = write_week(tmp_path, week, HOST)
    assert release.parent.name == "data-releases"
    assert {path.parent.name for path in catalogues} == week.handed_in
    for path in catalogues:
        catalogue = week.catalogues[path.parent.name]
        batches = list(read_catalogue(io.BytesIO(path.read_bytes()), path.name))
        # Rows that repeat an earlier one are found in the ledger, not by the reader.
        read = {(entry.accommodation_id, entry.url) for batch in batches for entry in batch.entries}
        assert read == {(offer.accommodation_id, HOST + offer.path) for offer in catalogue.offers}
        repeated = sum(len(batch.entries) for batch in batches) - len(read)
        assert sum(len(batch.rejects) for batch in batches) + repeated == len(catalogue.bad_rows)


def test_the_same_play_is_written_to_the_same_bytes(tmp_path: Path) -> None:
    first, _ = two_weeks()
    one = write_week(tmp_path / "one", first, HOST)
    two = write_week(tmp_path / "two", two_weeks()[0], HOST)
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert gzip.decompress(one[0].read_bytes()).startswith(b'{"accommodation_id": "at-1001"')
