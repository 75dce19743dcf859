"""What must come out, worked out from the scenario alone, and the comparison with what did.

Two pictures are expected in one image group when they show the same `Picture`. Which copy of a group is published
is the ranking's business; the renditions are expected to be made once for each published content.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from demo.edits import Edit
from demo.outcome import Diff, Member, WeekOutcome
from demo.photographs import Picture
from demo.scenario import Catalogue, Offer, Trouble, Week

Key = TypeVar("Key")

RECIPES = 14
_ATTEMPTS = 3

# trouble -> (outcome, requests of one round)
_FATES: Mapping[Trouble | None, tuple[str, int]] = {
    None: ("available", 1),
    Trouble.ONCE_500: ("available", 2),
    Trouble.ALWAYS_500: ("failed", _ATTEMPTS),
    Trouble.NOT_FOUND: ("rejected", 1),
    Trouble.HTML: ("rejected", 1),
    Trouble.TRUNCATED: ("rejected", 1),
    Trouble.TOO_SMALL: ("rejected", 1),
    Trouble.BOMB: ("rejected", 1),
}


@dataclass(frozen=True)
class ExpectedWeek:
    """What a week must bring.

    fates: outcome by partner and URL path. fingerprinted: distinct contents up to this week. groups: hotel -> the
    groups' entries.
    """

    diffs: Mapping[str, Diff]
    fates: Mapping[tuple[str, str], str]
    requests: Mapping[str, int]
    fingerprinted: int
    hotels: int
    accommodations: int
    images: int
    rejected_rows: int
    unknown_accommodations: int
    groups: Mapping[str, frozenset[frozenset[Member]]]
    hotels_grouped: int
    hotels_ranked: int

    @property
    def duplicates(self) -> int:
        """Entries that are not published because a copy of them is."""
        return sum(len(group) - 1 for groups in self.groups.values() for group in groups)


@dataclass(frozen=True)
class Finding:
    """One comparison; `detail` says the difference when it does not hold."""

    what: str
    holds: bool
    detail: str = ""


def expected_weeks(weeks: tuple[Week, ...], host: str) -> list[ExpectedWeek]:
    """What each of the weeks, played one after the other from nothing, must bring."""
    expected: list[ExpectedWeek] = []
    fates: dict[tuple[str, str], str] = {}
    grouped: set[tuple[str, frozenset[tuple[Picture, Edit]]]] = set()
    ranked: set[tuple[str, frozenset[tuple[Member, int, Picture, Edit]]]] = set()
    fingerprinted: set[tuple[Picture, Edit]] = set()
    known: Mapping[str, Catalogue] = {}
    for week in weeks:
        requests: dict[str, int] = {}
        for partner_id in week.handed_in:
            requests |= _fetch(known.get(partner_id), week.catalogues[partner_id], fates)
        fingerprinted |= {
            (offer.picture, offer.edit)
            for partner_id, catalogue in week.catalogues.items()
            for offer in catalogue.offers
            if fates[partner_id, offer.path] == "available"
        }
        galleries = {hotel_id: _available(week, hotel_id, fates) for hotel_id in week.hotels}
        contents = {
            (hotel_id, frozenset((offer.picture, offer.edit) for _, offer in shown))
            for hotel_id, shown in galleries.items()
        }
        members = {
            (
                hotel_id,
                frozenset((_member(p, offer, host), offer.position, offer.picture, offer.edit) for p, offer in shown),
            )
            for hotel_id, shown in galleries.items()
        }
        expected.append(
            ExpectedWeek(
                diffs={p: _diff(known.get(p), week.catalogues[p]) for p in week.handed_in},
                fates=dict(fates),
                requests=requests,
                fingerprinted=len(fingerprinted),
                hotels=len(week.hotels),
                accommodations=sum(map(len, week.hotels.values())),
                images=sum(map(len, galleries.values())),
                rejected_rows=len(week.unusable_rows),
                unknown_accommodations=_unknown(week),
                groups={hotel_id: _groups(shown, host) for hotel_id, shown in galleries.items()},
                hotels_grouped=len(contents - grouped),
                hotels_ranked=len(members - ranked),
            )
        )
        grouped |= contents
        ranked |= members
        known = week.catalogues
    return expected


def _fetch(before: Catalogue | None, now: Catalogue, fates: dict[tuple[str, str], str]) -> dict[str, int]:
    """Play the fetching of a new catalogue: brings `fates` up to date, returns the requests by path."""
    old = {offer.path: offer for offer in before.offers} if before else {}
    new = {offer.path: offer for offer in now.offers}
    for path in old.keys() - new.keys():
        del fates[now.partner_id, path]
    requests = {}
    for path, offer in new.items():
        settled = path in old and old[path].version == offer.version and fates[now.partner_id, path] != "failed"
        if not settled:
            fates[now.partner_id, path], requests[path] = _FATES[offer.trouble]
    return requests


def _diff(before: Catalogue | None, now: Catalogue) -> Diff:
    old = {offer.path: offer.version for offer in before.offers} if before else {}
    new = {offer.path: offer.version for offer in now.offers}
    both = old.keys() & new.keys()
    updated = sum(old[path] != new[path] for path in both)
    return Diff(
        new=len(new.keys() - old.keys()),
        updated=updated,
        deleted=len(old.keys() - new.keys()),
        unchanged=len(both) - updated,
        rejected=len(now.bad_rows),
    )


def _unknown(week: Week) -> int:
    """Accommodations of the data release that no catalogue in force has a picture of."""
    offered = {
        (partner_id, offer.accommodation_id)
        for partner_id, catalogue in week.catalogues.items()
        for offer in catalogue.offers
    }
    return len({known for accommodations in week.hotels.values() for known in accommodations} - offered)


def _available(week: Week, hotel_id: str, fates: Mapping[tuple[str, str], str]) -> list[tuple[str, Offer]]:
    return [
        (partner_id, offer)
        for partner_id, accommodation_id in week.hotels[hotel_id]
        for offer in week.catalogues[partner_id].offers
        if offer.accommodation_id == accommodation_id and fates[partner_id, offer.path] == "available"
    ]


def _member(partner_id: str, offer: Offer, host: str) -> Member:
    return Member(partner_id, offer.accommodation_id, host + offer.path)


def _groups(shown: list[tuple[str, Offer]], host: str) -> frozenset[frozenset[Member]]:
    by_picture: defaultdict[Picture, set[Member]] = defaultdict(set)
    for partner_id, offer in shown:
        by_picture[offer.picture].add(_member(partner_id, offer, host))
    return frozenset(map(frozenset, by_picture.values()))


def compare(expected: ExpectedWeek, found: WeekOutcome, published_before: frozenset[str], host: str) -> list[Finding]:
    """Hold an outcome against what was expected; `published_before` are contents of earlier releases."""
    return list(_findings(expected, found, published_before, host))


def _findings(
    expected: ExpectedWeek, found: WeekOutcome, published_before: frozenset[str], host: str
) -> Iterator[Finding]:
    yield _equal("the release is published and current", found.release_id, found.current_release)
    yield _same_entries("what each new catalogue changed", expected.diffs, found.diffs)
    outcomes = {(partner, url.removeprefix(host)): fetch.outcome for (partner, url), fetch in found.fetches.items()}
    yield _same_entries("how each picture's fetching ended", expected.fates, outcomes)
    unexplained = [url for (_, url), f in found.fetches.items() if f.outcome != "available" and not f.reason]
    yield _equal("every lost picture has a reason", [], unexplained)
    yield _same_entries("requests for each URL", expected.requests, found.requests)
    yield _equal("contents fingerprinted, each once", expected.fingerprinted, found.fingerprinted)
    yield _equal("hotels", expected.hotels, found.hotels)
    yield _equal("accommodations in the data release", expected.accommodations, found.accommodations)
    yield _equal("accommodations that nobody offers", expected.unknown_accommodations, found.unknown_accommodations)
    yield _equal("refused rows of the data release", expected.rejected_rows, found.rejected_rows)
    yield _equal("available images of the hotels", expected.images, found.images)
    groups: defaultdict[str, set[frozenset[Member]]] = defaultdict(set)
    for group in found.groups:
        groups[group.hotel_id].add(group.members)
    yield _same_entries("image groups of each hotel", expected.groups, groups)
    yield _equal("duplicates removed", expected.duplicates, found.duplicates)
    yield _equal("hotels grouped", expected.hotels_grouped, found.computed.get("image_groups", 0))
    yield _equal("hotels ranked", expected.hotels_ranked, found.computed.get("priorities", 0))
    made = RECIPES * len(found.published - published_before)
    yield _equal("renditions made", made, found.computed.get("renditions", 0))
    without = [group.sha256 for group in found.groups if len(set(group.renditions)) != RECIPES]
    yield _equal(f"{RECIPES} renditions of every published image", [], without)
    yield _equal("every rendition is in the store", (), found.missing)
    yield _equal("the gallery is there", True, found.gallery.is_file())


def _equal(what: str, expected: object, found: object) -> Finding:
    return Finding(what, expected == found, "" if expected == found else f"expected {expected!r}, found {found!r}")


def _same_entries(what: str, expected: Mapping[Key, object], found: Mapping[Key, object]) -> Finding:
    """Compare entry by entry, so that the difference can be read."""
    wrong = [
        f"{key}: expected {expected.get(key)!r}, found {found.get(key)!r}"
        for key in sorted(expected.keys() | found.keys(), key=repr)
        if expected.get(key) != found.get(key)
    ]
    return Finding(what, not wrong, "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""))
