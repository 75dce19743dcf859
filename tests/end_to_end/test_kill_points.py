"""SIGKILL at any moment, started again: the same manifest as undisturbed, nothing fetched twice, nothing left behind.

A child process does all pending work on a store and a database that outlive it; partners' sites live in the test.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from end_to_end.driven_world import drive
from end_to_end.fresh_worlds import fresh_database, world_at, write_partners
from end_to_end.killing import (
    assert_not_asked_again,
    assert_rows_have_their_objects,
    committed,
    weeks,
)
from homes import assert_no_process_of
from partner_site import PartnerSite, partner_site

from resources.ledger.leases import lease

CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["end_to_end.driven_world"])
PATIENCE_SECONDS = 240
WORLDS = 5  # among which the places are dealt out

# What can be seen from outside, in the order of the data: the keys of rows of the ledger or files of the store, and how
# many new ones to wait for at most.
SIGHTS: dict[str, tuple[str | Path, int]] = {
    "a staging table": ("SELECT relname::text FROM pg_class WHERE relname LIKE 'staged_%'", 1),
    "an applied catalogue": ("SELECT partner_id || version FROM partner_catalogues", 2),
    "a raw image": (Path("raw"), 2),
    "a fetch result": ("SELECT partner_id || fetch_key FROM fetch_results", 2),
    "a fingerprint": ("SELECT encode(sha256, 'hex') FROM fingerprints", 2),
    "a frozen release": ("SELECT release_id || frozen FROM data_releases WHERE frozen IS NOT NULL", 1),
    "a grouped hotel": ("SELECT hotel_id || group_digest FROM grouped_hotels", 1),
    "a ranked hotel": ("SELECT hotel_id || rank_digest FROM ranked_hotels", 1),
    "a rendition": (Path("renditions"), 20),
    "a rendition's row": ("SELECT key FROM renditions", 14),
    "a built shard": ("SELECT release_id || shard || stage FROM shard_builds", 4),
    "a file of the image release": (Path("image-releases"), 2),
}


class KilledWorld:
    """A world that is worked on by one child process after the other."""

    def __init__(self, database_url: str, folder: Path, site: PartnerSite):
        self.site = site
        self.folder = folder
        self.place = (f"file://{folder}/store", database_url, write_partners(folder / "partners.yaml"))
        self.world = world_at(*self.place)
        self.kills = 0

    def run(
        self,
        die_at: tuple[str, int] | None = None,
        until: Callable[[], bool] = lambda: False,
        trace: Path | None = None,
    ) -> bool:
        """Let a child work until it dies at a place, or is killed because `until` says so. Whether it ended."""
        child = CHILDREN.Process(target=drive, args=(*self.place, die_at, trace), daemon=True)
        child.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            while child.is_alive():
                assert time.monotonic() < deadline, "the child hangs"
                if until():
                    break
                child.join(0.002)
        finally:
            child.kill()
            child.join()
        assert child.exitcode in (0, -9), f"the child failed with {child.exitcode}"
        self.kills += child.exitcode != 0
        return child.exitcode == 0

    def seen(self, sight: str) -> set[str]:
        what, _ = SIGHTS[sight]
        if isinstance(what, Path):
            return {str(path) for path in (self.folder / "store" / what).rglob("*") if path.is_file()}
        with self.world.ledger.connect() as connection:
            return {row[0] for row in connection.execute(what).fetchall()}  # type: ignore[call-overload]

    def assert_nothing_is_left(self) -> None:
        pending = self.world.pending()
        assert (pending.work, pending.waiting, pending.stopped) == ([], [], [])
        with self.world.ledger.connect() as connection:
            leases = [row[0] for row in connection.execute("SELECT name FROM leases")]
            tables = connection.execute(
                "SELECT relname FROM pg_class WHERE relname ~ '^(staged|keyed|new)_' AND relkind = 'r'"
            ).fetchall()
        for name in leases:
            with lease(self.world.ledger, name, "test"):
                pass
        assert tables == []
        assert list((self.folder / "store" / ".writing").iterdir()) == []
        assert_no_process_of(self.folder)


@pytest.fixture(scope="module")
def module_site() -> Iterator[PartnerSite]:
    with partner_site() as site:
        yield site


@dataclass(frozen=True)
class Undisturbed:
    """A world where nobody is killed: the manifest of each week, and how often each place was passed in the first."""

    manifests: list[bytes]
    places: dict[str, int]


@pytest.fixture(scope="module")
def undisturbed(
    postgres_url: str, module_site: PartnerSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Undisturbed]:
    with fresh_database(postgres_url) as database_url:
        world = KilledWorld(database_url, tmp_path_factory.mktemp("undisturbed"), module_site)
        manifests = []
        traces = [world.folder / "first.json", world.folder / "second.json"]
        for begin, trace in zip(weeks(module_site), traces, strict=True):
            begin(world.world)
            assert world.run(trace=trace)
            world.assert_nothing_is_left()
            manifests.append(world.world.manifest_bytes())
        yield Undisturbed(manifests, json.loads(traces[0].read_text()))


@pytest.fixture
def killed(postgres_url: str, tmp_path: Path, module_site: PartnerSite) -> Iterator[KilledWorld]:
    with fresh_database(postgres_url) as database_url:
        yield KilledWorld(database_url, tmp_path, module_site)


def go_through(killed: KilledWorld, undisturbed: Undisturbed, run: Callable[[int, int], bool]) -> None:
    """Both weeks, by child after child until one ends by itself; `run` lets the n-th child of a week work."""
    ledger = killed.world.ledger
    for week, (begin, manifest) in enumerate(zip(weeks(killed.site), undisturbed.manifests, strict=True)):
        begin(killed.world)
        before = committed(ledger, killed.site)
        number, ended = 0, False
        while not ended:
            ended = run(week, number)
            number += 1
            now = committed(ledger, killed.site)
            assert_not_asked_again(before, now, killed.site)
            assert_rows_have_their_objects(ledger, killed.world.store)
            before = now
        killed.assert_nothing_is_left()
        assert killed.world.manifest_bytes() == manifest


def kill_at_places(killed: KilledWorld, undisturbed: Undisturbed, weeks_places: list[list[str]], seed: int) -> None:
    """Each week's children die at its places, one after the other, at one of the first passings.

    Later ones could be so late that the next places are not passed any more.
    """
    chosen = random.Random(seed)

    def run(week: int, number: int) -> bool:
        # The places further on come later: those before them are not passed any more.
        places = [place for place in undisturbed.places if place in weeks_places[week]]
        if number >= len(places):
            return killed.run()
        return killed.run(die_at=(places[number], chosen.randint(1, 1 + undisturbed.places[places[number]] // 12)))

    go_through(killed, undisturbed, run)


def kill_at_sights(killed: KilledWorld, undisturbed: Undisturbed, seed: int, kills_a_week: int) -> None:
    """The test kills from outside, as soon as it sees one more of something, wherever the child's threads are."""
    chosen = random.Random(seed)
    plans = []
    for _ in undisturbed.manifests:
        sights = sorted(chosen.sample(list(SIGHTS), kills_a_week), key=list(SIGHTS).index)
        plans.append([(sight, chosen.randint(1, SIGHTS[sight][1])) for sight in sights])

    def run(week: int, number: int) -> bool:
        if number >= len(plans[week]):
            return killed.run()
        sight, more = plans[week][number]
        before = killed.seen(sight)
        return killed.run(until=lambda: len(killed.seen(sight) - before) >= more)

    go_through(killed, undisturbed, run)


def test_a_process_killed_at_some_places_ends_in_the_same_manifest(
    killed: KilledWorld, undisturbed: Undisturbed
) -> None:
    places = list(undisturbed.places)
    first, second = "INSERT INTO fingerprint_queue", random.Random(1).choice(places)
    kill_at_places(killed, undisturbed, [[first, "put image-releases .json"], [second]], seed=1)
    assert killed.kills == 3


@pytest.mark.long
@pytest.mark.parametrize("world", range(WORLDS))
def test_a_process_killed_at_every_place_ends_in_the_same_manifest(
    killed: KilledWorld, undisturbed: Undisturbed, world: int
) -> None:
    places = list(undisturbed.places)
    weeks_places = [places[world::WORLDS], places[(world + 2) % WORLDS :: WORLDS]]
    kill_at_places(killed, undisturbed, weeks_places, seed=world)
    assert killed.kills >= len(places) // WORLDS + 2


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_a_process_killed_from_outside_ends_in_the_same_manifest(
    killed: KilledWorld, undisturbed: Undisturbed, seed: int
) -> None:
    kill_at_sights(killed, undisturbed, seed, kills_a_week=5)
    assert killed.kills >= 6
