"""Incremental equals full: after any history, the manifest is that of a fresh ledger which saw only the end of it.

The partners' servers give the same answers to both: a picture behind a URL changes together with the entry's version.
What people decided on pairs of pictures is part of the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
from end_to_end.fresh_worlds import PARTNERS, fresh_world, newest_files
from end_to_end.world import World
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from partner_site import PartnerSite, partner_site
from pictures import centre_crop, drawn, jpeg, no_image_available, scaled
from PIL import Image

from image_assets.commands.deciding import DecisionRefused, decide
from image_assets.hotel_groups import PlaceholderPolicy
from image_assets.pending_work import INGEST
from resources.ledger.decisions import pair_decisions, record_decision

ACCOMMODATIONS = ("0123", "$abc", "Ünï/cødé")
LISTED = tuple((partner, accommodation) for partner in PARTNERS for accommodation in ACCOMMODATIONS)
HOTELS = ("H1", "h 2", "Ü3")
FEW_HOTELS = PlaceholderPolicy(hotels=2)
INGEST_STAGES = ("catalogue_diffs", "raw_images", "fingerprints")


@dataclass(frozen=True)
class Offer:
    """A partner's catalogue; `again`: under the name of its last one."""

    partner: str
    entries: tuple[tuple[str, int, int | None, str | None], ...]  # accommodation, image, position, caption
    versions: tuple[int, ...]  # of each image
    again: bool


@dataclass(frozen=True)
class Release:
    """A data release: (hotel, partner, accommodation) each; `again`: under the name of the last one."""

    rows: tuple[tuple[str, str, str], ...]
    again: bool


@dataclass(frozen=True)
class Work:
    """The first pieces of what is pending are done, of a partner's work only the first stages; None: all is done."""

    pieces: int | None
    stages: int


@dataclass(frozen=True)
class Verdict:
    """Somebody decides on two images of version 0, if they are known and nothing contradicts."""

    first: int
    second: int
    same: bool


Event = Offer | Release | Work | Verdict


def image_answers() -> list[Callable[[int], bytes | int]]:
    """What a partner's server answers for each of its images, by the entry's version."""

    def picture(seed: int, edit: Callable[[Image.Image], Image.Image] = lambda image: image) -> Callable[[int], bytes]:
        return cache(lambda version: jpeg(edit(drawn(seed + 100 * version, 480, 360))))

    @cache
    def placeholder(version: int) -> bytes:
        """The same picture in each version, encoded anew: shown by more than two hotels, it is left out."""
        return jpeg(scaled(no_image_available(), 1 - version / 10), quality=90 - 9 * version)

    def too_small(version: int) -> bytes:
        return jpeg(drawn(version, 240, 180))

    def page(version: int) -> bytes:
        return b"<html>no picture</html>"

    return [
        picture(0),
        picture(0, lambda image: scaled(image, 0.75)),
        picture(0, lambda image: centre_crop(image, 0.2)),
        picture(1),
        picture(1, lambda image: scaled(image, 0.9)),
        picture(2),
        lambda version: picture(3)(version) if version != 1 else 404,
        lambda version: 404,
        lambda version: 500,
        cache(too_small),
        page,
        placeholder,
        lambda version: placeholder(version + 1),
    ]


ANSWERS = image_answers()


def offers() -> st.SearchStrategy[Offer]:
    entry = st.tuples(
        st.sampled_from(ACCOMMODATIONS),
        st.integers(0, len(ANSWERS) - 1),
        st.none() | st.integers(1, 4),
        st.sampled_from((None, "pool", "Zimmer «süß»")),
    )
    return st.builds(
        Offer,
        partner=st.sampled_from(PARTNERS),
        entries=st.lists(entry, min_size=3, max_size=10, unique_by=lambda e: e[:2]).map(tuple),
        versions=st.tuples(*[st.integers(0, 2)] * len(ANSWERS)),
        again=st.booleans(),
    )


def releases() -> st.SearchStrategy[Release]:
    """Every accommodation of every partner in some hotel, few in none: what changes is then seen."""
    hotels = st.lists(st.sampled_from((*HOTELS, *HOTELS, None)), min_size=len(LISTED), max_size=len(LISTED))
    rows = hotels.map(lambda found: tuple((h, *listed) for h, listed in zip(found, LISTED, strict=True) if h))
    return st.builds(Release, rows=rows.filter(bool), again=st.booleans())


def histories() -> st.SearchStrategy[list[Event]]:
    """Events in any order, a data release last."""
    work = st.builds(Work, pieces=st.none() | st.integers(1, 6), stages=st.integers(1, 3))
    image = st.integers(0, len(ANSWERS) - 1)
    verdict = st.builds(Verdict, image, image, st.booleans())
    events = st.lists(st.one_of(offers(), offers(), work, releases(), verdict), min_size=5, max_size=9)
    return st.builds(lambda first, others, last: [first, *others, last], offers(), events, releases())


class History:
    """Plays events in a world; versions of catalogues and releases count up in name order."""

    def __init__(self, world: World, site: PartnerSite):
        self.world = world
        self.site = site
        self.catalogues = dict.fromkeys(PARTNERS, 0)
        self.releases = 0

    def play(self, event: Event) -> None:
        match event:
            case Offer():
                self.catalogues[event.partner] += not (event.again and self.catalogues[event.partner])
                self.world.offer(event.partner, f"v{self.catalogues[event.partner]:03}", self.entries(event))
            case Release():
                self.releases += not (event.again and self.releases)
                self.world.release(f"r{self.releases:03}", event.rows)
                self.world.pending()  # the sensor sees it
            case Verdict():
                self.decide(event)
            case Work(pieces=None):
                self.world.settle()
            case Work():
                self.work(event)

    def entries(self, offer: Offer) -> list[dict[str, Any]]:
        found = []
        for accommodation, image, position, caption in offer.entries:
            version = offer.versions[image]
            url = self.site.serve(f"/{PARTNERS.index(offer.partner)}/{image}.jpg", ANSWERS[image](version))
            entry = {"accommodation_id": accommodation, "url": url, "position": position, "caption": caption}
            # Version 0 is left out: entries without a version are the usual ones.
            found.append({**entry, **({"version": str(version)} if version else {})})
        return found

    def decide(self, event: Verdict) -> None:
        pictures = [ANSWERS[image](0) for image in (event.first, event.second)]
        first, second = (hashlib.sha256(p).hexdigest() if isinstance(p, bytes) else "0" * 64 for p in pictures)
        with suppress(DecisionRefused):
            decide(self.world.ledger, event.same, first, second, None)

    def work(self, event: Work) -> None:
        for work in self.world.pending().work[: event.pieces]:
            assets = (work.assets or INGEST_STAGES)[: event.stages] if work.job == INGEST else work.assets
            self.world.materialise(replace(work, assets=assets))


def in_the_end(world: World) -> tuple[list[dict[str, Any]], bytes]:
    """The manifest, as rows and as bytes, once nothing is left to do."""
    world.settle()
    pending = world.pending()
    assert (pending.work, pending.waiting, pending.stopped, pending.problems) == ([], [], [], [])
    return world.manifest(), world.manifest_bytes()


def assert_incremental_equals_full(postgres_url: str, history: Sequence[Event]) -> None:
    with partner_site() as site:
        with fresh_world(postgres_url) as world:
            world.methods = replace(world.methods, placeholders=FEW_HOTELS)
            played = History(world, site)
            for event in history:
                played.play(event)
            rows, manifest = in_the_end(world)
            files = {key: world.store.get(key) for key in newest_files(world.store)}
            with world.ledger.connect() as connection:
                decided = pair_decisions(connection)
        with fresh_world(postgres_url) as world:
            world.methods = replace(world.methods, placeholders=FEW_HOTELS)
            for key, content in files.items():
                world.store.put(key, content)
            with world.ledger.connect() as connection:
                for decision in decided:
                    record_decision(connection, decision.a, decision.b, decision.same, None)
            full_rows, full_manifest = in_the_end(world)
    assert rows == full_rows
    assert manifest == full_manifest


def offered(partner: str, images: Sequence[int], *versions: int, position: int | None = None) -> Offer:
    """A catalogue with these images in the first accommodation; `versions` of the first images, the others have 0."""
    entries = tuple((ACCOMMODATIONS[0], image, position, None) for image in images)
    return Offer(partner, entries, (*versions, *[0] * (len(ANSWERS) - len(versions))), again=False)


def released(*hotels: str, again: bool = False) -> Release:
    """A data release: the hotel of each partner's first accommodation."""
    return Release(tuple((h, p, ACCOMMODATIONS[0]) for h, p in zip(hotels, PARTNERS, strict=True)), again)


ALL_DONE = Work(None, 3)
# Pictures dropped, changed, changed back, lost by a change; orders turned; hotels that swap their accommodations;
# people who decide, and decide otherwise; a placeholder that becomes one, in other encodings, and is one no more.
EVENTFUL: list[Event] = [
    offered(PARTNERS[0], [0, 3, 5, 6, 7, 11], position=1),
    offered(PARTNERS[1], [1, 2, 4, 8, 12]),
    offered(PARTNERS[2], [0, 3, 9, 10]),
    released("H1", "H1", "H2"),
    ALL_DONE,
    Verdict(0, 3, same=True),
    Verdict(1, 2, same=False),
    offered(PARTNERS[2], [0, 3, 9, 10, 11], *[0] * 11, 2),
    released("H1", "h 2", "Ü3"),
    ALL_DONE,
    Verdict(0, 3, same=False),
    Verdict(0, 5, same=True),
    offered(PARTNERS[0], [0, 5, 6], 1, 0, 0, 0, 0, 0, 1),
    offered(PARTNERS[1], [1, 2], position=2),
    released("H2", "H1", "H2"),
    Work(3, 2),
    offered(PARTNERS[0], [0, 5, 6], position=3),
    released("H1", "H2", "H2", again=True),
    ALL_DONE,
    offered(PARTNERS[2], [3, 9], 0, 0, 0, 1),
    released("H1", "H1", "H2"),
]
EACH = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@given(history=histories())
@example(history=EVENTFUL)
@settings(EACH, max_examples=2)
def test_after_some_histories_the_manifest_is_that_of_a_fresh_ledger(postgres_url: str, history: list[Event]) -> None:
    assert_incremental_equals_full(postgres_url, history)


@pytest.mark.long
@given(history=histories())
@settings(EACH, max_examples=30)
def test_after_many_histories_the_manifest_is_that_of_a_fresh_ledger(postgres_url: str, history: list[Event]) -> None:
    assert_incremental_equals_full(postgres_url, history)


def test_a_picture_that_was_not_fingerprinted_when_a_release_was_frozen_is_in_the_next_one(
    world: World, site: PartnerSite
) -> None:
    first, second = (site.serve(f"/{seed}.jpg", jpeg(drawn(seed))) for seed in (1, 2))
    rows = [("H1", "alpha", "1"), ("H1", "$gamma", "1")]
    world.offer("alpha", "w1", [{"accommodation_id": "1", "url": first}])
    world.settle()
    world.release("r1", rows)
    world.pending()  # the sensor sees it: it waits for alpha alone
    world.offer("$gamma", "w1", [{"accommodation_id": "1", "url": second}])
    ingest, load = world.pending().work
    world.materialise(replace(ingest, assets=INGEST_STAGES[:2]))
    world.materialise(load)
    world.settle()
    assert world.galleries() == {"H1": [first]}
    assert not world.pending().stopped

    world.release("r2", rows)
    world.settle()
    assert not world.pending().stopped
    assert sorted(world.galleries()["H1"]) == [first, second]
