"""The demo's judgement: it accepts the outcome it expects, and notices every single thing that is off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from demo import narration
from demo.expectations import RECIPES, Finding, compare, expected_weeks
from demo.outcome import Fetch, PublishedGroup, WeekOutcome
from demo.scenario import two_weeks

HOST = "http://127.0.0.1:1"
WEEKS = two_weeks()
EXPECTED = expected_weeks(WEEKS, HOST)


@pytest.fixture
def outcome(tmp_path: Path) -> WeekOutcome:
    """Week one as it should come out."""
    expected = EXPECTED[0]
    gallery = tmp_path / "gallery.html"
    gallery.touch()
    groups = tuple(
        PublishedGroup(hotel_id, position, f"{hotel_id}-{position}", members, tuple(map(str, range(RECIPES))))
        for hotel_id, galleries in expected.groups.items()
        for position, members in enumerate(sorted(galleries, key=repr), start=1)
    )
    return WeekOutcome(
        release_id=WEEKS[0].week_id,
        diffs=expected.diffs,
        fetches={
            (partner, HOST + path): Fetch(fate, None if fate == "available" else "http_500", 1)
            for (partner, path), fate in expected.fates.items()
        },
        requests=expected.requests,
        fingerprinted=expected.fingerprinted,
        hotels=expected.hotels,
        accommodations=expected.accommodations,
        images=expected.images,
        rejected_rows=expected.rejected_rows,
        unknown_accommodations=expected.unknown_accommodations,
        computed={
            "image_groups": expected.hotels_grouped,
            "priorities": expected.hotels_ranked,
            "renditions": RECIPES * len(groups),
        },
        groups=groups,
        missing=(),
        current_release=WEEKS[0].week_id,
        manifest=tmp_path / "manifest.parquet",
        gallery=gallery,
    )


def _wrong(found: WeekOutcome) -> list[Finding]:
    return [finding for finding in compare(EXPECTED[0], found, frozenset(), HOST) if not finding.holds]


def test_the_expected_outcome_is_accepted(outcome: WeekOutcome) -> None:
    assert _wrong(outcome) == []
    assert "As expected" in narration.verdict(WEEKS[0], compare(EXPECTED[0], outcome, frozenset(), HOST))


def _without(mapping: dict[object, object]) -> dict[object, object]:
    return dict(list(mapping.items())[1:])


def _merged(groups: tuple[PublishedGroup, ...]) -> tuple[PublishedGroup, ...]:
    return (replace(groups[0], members=groups[0].members | groups[1].members), *groups[2:])


def _lacking_a_rendition(groups: tuple[PublishedGroup, ...]) -> tuple[PublishedGroup, ...]:
    return (replace(groups[0], renditions=groups[0].renditions[1:]), *groups[1:])


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda o: replace(o, current_release="2026-W01"), id="another release is current"),
        pytest.param(lambda o: replace(o, diffs=_without(dict(o.diffs))), id="a catalogue was not read"),
        pytest.param(lambda o: replace(o, fetches=_without(dict(o.fetches))), id="a picture was not fetched"),
        pytest.param(lambda o: replace(o, requests={p: n + 1 for p, n in o.requests.items()}), id="too many requests"),
        pytest.param(lambda o: replace(o, requests={**o.requests, "/x": 1}), id="a request nobody wanted"),
        pytest.param(lambda o: replace(o, fingerprinted=o.images), id="the same bytes fingerprinted twice"),
        pytest.param(lambda o: replace(o, images=o.images - 1), id="an image lost"),
        pytest.param(lambda o: replace(o, groups=_merged(o.groups)), id="two pictures merged"),
        pytest.param(lambda o: replace(o, groups=o.groups[1:]), id="a picture not published"),
        pytest.param(lambda o: replace(o, groups=_lacking_a_rendition(o.groups)), id="a rendition not listed"),
        pytest.param(lambda o: replace(o, missing=("renditions/x",)), id="a rendition not in the store"),
        pytest.param(lambda o: replace(o, computed={**o.computed, "image_groups": 11}), id="a hotel not grouped"),
        pytest.param(lambda o: replace(o, computed={**o.computed, "renditions": 14}), id="renditions not made"),
        pytest.param(lambda o: replace(o, gallery=Path("/nowhere/gallery.html")), id="no gallery"),
    ],
)
def test_whatever_is_off_is_noticed(outcome: WeekOutcome, spoil: Callable[[WeekOutcome], WeekOutcome]) -> None:
    wrong = _wrong(spoil(outcome))
    assert wrong
    assert all(finding.detail for finding in wrong)


def test_a_lost_picture_without_a_reason_is_noticed(outcome: WeekOutcome) -> None:
    fetches = {key: replace(fetch, reason=None) for key, fetch in outcome.fetches.items()}
    assert [finding.what for finding in _wrong(replace(outcome, fetches=fetches))] == [
        "every lost picture has a reason"
    ]


def test_the_story_names_what_happened(outcome: WeekOutcome) -> None:
    text = narration.stage_by_stage(WEEKS[0], outcome, None)
    assert f"{EXPECTED[0].duplicates} duplicates removed" in text
    assert "failed: 2 × http_500" in text
    again = narration.stage_by_stage(WEEKS[1], replace(outcome, diffs={}), outcome)
    assert "no new catalogue" in again
    assert "Only what changed was done again" in again
