"""SIGKILL at any moment, started again: the same manifest as undisturbed, nothing fetched twice, nothing left behind.

A child process does all pending work on a store and a database that outlive it; partners' sites live in the test.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from end_to_end.driven_world import drive
from end_to_end.fresh_worlds import fresh_database, fresh_world, world_at, write_partners
from end_to_end.killing import (
    assert_no_process_with,
    assert_not_asked_again,
    assert_rows_have_their_objects,
    committed,
    weeks,
)
from partner_site import PartnerSite, partner_site

from resources.ledger.operations import lease

CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["end_to_end.driven_world"])
PATIENCE_SECONDS = 240

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

    def run(self, kill_at: int | None = None, until: Callable[[], bool] = lambda: False) -> bool:
        """Let a child work; killed at its own `kill_at`-th event, or as soon as `until` says so. Whether it ended."""
        child = CHILDREN.Process(target=drive, args=(*self.place, kill_at), daemon=True)
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
        assert_no_process_with(str(self.folder))


@pytest.fixture(scope="module")
def module_site() -> Iterator[PartnerSite]:
    with partner_site() as site:
        yield site


@pytest.fixture(scope="module")
def undisturbed(postgres_url: str, module_site: PartnerSite) -> list[bytes]:
    """The manifest of each week of a world where nobody is killed."""
    manifests = []
    with fresh_world(postgres_url) as world:
        for begin in weeks(module_site):
            begin(world)
            world.settle()
            assert not world.pending().stopped
            manifests.append(world.manifest_bytes())
    return manifests


@pytest.fixture
def killed(postgres_url: str, tmp_path: Path, module_site: PartnerSite) -> Iterator[KilledWorld]:
    with fresh_database(postgres_url) as database_url:
        yield KilledWorld(database_url, tmp_path, module_site)


def go_through(killed: KilledWorld, undisturbed: list[bytes], run: Callable[[int], bool]) -> None:
    """Both weeks, by child after child until one ends by itself; `run` starts the next of a week's children."""
    ledger = killed.world.ledger
    for begin, manifest in zip(weeks(killed.site), undisturbed, strict=True):
        begin(killed.world)
        before = committed(ledger, killed.site)
        number, ended = 0, False
        while not ended:
            ended = run(number)
            number += 1
            now = committed(ledger, killed.site)
            assert_not_asked_again(before, now, killed.site)
            assert_rows_have_their_objects(ledger, killed.world.store)
            before = now
        killed.assert_nothing_is_left()
        assert killed.world.manifest_bytes() == manifest


def kill_at_random_events(
    killed: KilledWorld, undisturbed: list[bytes], seed: int, kills_a_week: int, most: int
) -> None:
    """Children die before or after a statement or an object: at the very place, the same in every run."""
    chosen = random.Random(seed)
    go_through(
        killed,
        undisturbed,
        lambda number: killed.run(kill_at=chosen.randint(1, most) if number < kills_a_week else None),
    )


def kill_at_random_sights(killed: KilledWorld, undisturbed: list[bytes], seed: int, kills_a_week: int) -> None:
    """The test kills from outside, as soon as it sees one more of something, wherever the child's threads are."""
    chosen = random.Random(seed)
    plan: list[tuple[str, int]] = []

    def run(number: int) -> bool:
        if number == 0:
            order = list(SIGHTS)
            sights = sorted(chosen.sample(order, kills_a_week), key=order.index)
            plan[:] = [(sight, chosen.randint(1, SIGHTS[sight][1])) for sight in sights]
        if number >= len(plan):
            return killed.run()
        sight, more = plan[number]
        before = killed.seen(sight)
        return killed.run(until=lambda: len(killed.seen(sight) - before) >= more)

    go_through(killed, undisturbed, run)


def test_a_process_killed_at_a_few_random_events_ends_in_the_same_manifest(
    killed: KilledWorld, undisturbed: list[bytes]
) -> None:
    kill_at_random_events(killed, undisturbed, seed=1, kills_a_week=1, most=400)
    assert killed.kills == 2


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 6))
def test_a_process_killed_at_many_random_events_ends_in_the_same_manifest(
    killed: KilledWorld, undisturbed: list[bytes], seed: int
) -> None:
    kill_at_random_events(killed, undisturbed, seed, kills_a_week=5, most=200)
    assert killed.kills >= 8


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_a_process_killed_from_outside_ends_in_the_same_manifest(
    killed: KilledWorld, undisturbed: list[bytes], seed: int
) -> None:
    kill_at_random_sights(killed, undisturbed, seed, kills_a_week=5)
    assert killed.kills >= 6
