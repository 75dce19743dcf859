"""SIGKILL at any moment, started again: the same manifest as undisturbed, nothing fetched twice, nothing left behind.

A child process does all pending work on a store and a database that outlive it; partners' sites live in the test.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from end_to_end.driven_world import drive
from end_to_end.fresh_worlds import PARTNERS, fresh_database, fresh_world, newest_files, world_at, write_partners
from end_to_end.world import World
from partner_site import PartnerSite, partner_site
from pictures import centre_crop, drawn, jpeg, scaled

from resources.ledger.operations import lease
from resources.object_store import raw_image_key

CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["end_to_end.driven_world"])
PATIENCE_SECONDS = 240

# What a watcher in another process can see, in the order of the data: a query on the ledger, or a folder of the store.
SIGHTS = {
    "a staging table": "SELECT count(*) FROM pg_class WHERE relname LIKE 'staged_%'",
    "an applied catalogue": "SELECT count(*) FROM catalogue_entries",
    "a raw image": Path("raw"),
    "a fetch result": "SELECT count(*) FROM fetch_results",
    "a fingerprint": "SELECT count(*) FROM fingerprints",
    "a frozen release": "SELECT count(*) FROM release_images",
    "a grouped hotel": "SELECT count(*) FROM grouped_hotels",
    "a ranked hotel": "SELECT count(*) FROM ranked_hotels",
    "a rendition": Path("renditions"),
    "a rendition's row": "SELECT count(*) FROM renditions",
    "a built shard": "SELECT count(*) FROM shard_builds",
    "a file of the image release": Path("image-releases"),
}


def weeks(site: PartnerSite) -> list[Callable[[World], None]]:
    """Two weeks of catalogues and releases; in the second, partners add, change and drop pictures, hotels change."""
    a, b, c = (f"/{number}" for number in range(3))
    kept = [site.serve(f"{a}/{seed}.jpg", jpeg(drawn(seed))) for seed in range(4)]
    gone = site.serve(f"{a}/gone.jpg", jpeg(drawn(10)))
    small = [site.serve(f"{b}/{seed}.jpg", jpeg(scaled(drawn(seed), 0.6))) for seed in range(5)]
    cropped = [site.serve(f"{c}/{seed}.jpg", jpeg(centre_crop(drawn(seed), 0.2))) for seed in (1, 6, 7)]
    trouble = [site.serve(f"{c}/no.jpg", 404), site.serve(f"{c}/broken.jpg", 500), site.serve(f"{c}/x.jpg", b"<html>")]

    def first(world: World) -> None:
        offer(world, "w1", {"alpha": [*kept[:3], gone], "$gamma": small[:4], "Ünï": [*cropped[:2], *trouble]})
        world.release("r1", [("H1", "alpha", "1"), ("H1", "$gamma", "1"), ("H2", "Ünï", "1"), ("H3", "alpha", "0123")])

    def second(world: World) -> None:
        # The picture behind the first one's URL changes.
        site.serve(f"{a}/0.jpg", jpeg(drawn(20)))
        offer(world, "w2", {"alpha": kept, "$gamma": small[1:], "Ünï": [*cropped, *trouble]}, {kept[0]: "2"})
        world.release("r2", [("H1", "alpha", "1"), ("H2", "$gamma", "1"), ("H2", "Ünï", "1"), ("H3", "alpha", "0123")])

    return [first, second]


def offer(world: World, version: str, urls: dict[str, list[str]], changed: Mapping[str, str] | None = None) -> None:
    """Each partner's first picture also belongs to a second accommodation."""
    for partner, listed in urls.items():
        entries = [("1", url) for url in listed] + [("0123", listed[0])]
        world.offer(
            partner,
            version,
            [
                {"accommodation_id": accommodation, "url": url, "version": (changed or {}).get(url, "1")}
                for accommodation, url in entries
            ],
        )


@dataclass(frozen=True)
class Committed:
    """The fetch results that were in the ledger at a moment, and the requests that the sites had counted."""

    versions: dict[str, str]
    entries: set[tuple[str, str]]
    results: list[tuple[str, str, str, str]]  # partner, fetch key, url, outcome
    requests: Counter[str] = field(default_factory=Counter)


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

    def seen(self, sight: str) -> int:
        what = SIGHTS[sight]
        if isinstance(what, Path):
            return sum(path.is_file() for path in (self.folder / "store" / what).rglob("*"))
        with self.world.ledger.connect() as connection:
            return int(connection.execute(what).fetchall()[0][0])  # type: ignore[call-overload]

    def committed(self) -> Committed:
        requests = Counter(self.site.requests)
        with self.world.ledger.connect() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            versions = connection.execute("SELECT partner_id, version FROM partner_catalogues").fetchall()
            entries = connection.execute("SELECT partner_id, fetch_key::text, url FROM catalogue_entries").fetchall()
            results = connection.execute("SELECT partner_id, fetch_key::text, outcome FROM fetch_results").fetchall()
        urls = {(partner, key): url for partner, key, url in entries}
        return Committed(
            dict(versions),
            set(urls),
            [(partner, key, urls[partner, key], outcome) for partner, key, outcome in results],
            requests,
        )

    def assert_not_asked_again(self, before: Committed) -> None:
        """Nothing that was committed `before` was requested since, unless a new catalogue asks for it."""
        now = self.committed()
        for partner, key, url, outcome in before.results:
            if now.versions[partner] != before.versions[partner] and (
                outcome == "failed" or (partner, key) not in now.entries
            ):
                continue
            path = url.removeprefix(self.site.url(""))
            assert self.site.requests[path] == before.requests[path], f"{url} was {outcome} and is requested again"

    def assert_rows_have_their_objects(self) -> None:
        with self.world.ledger.connect() as connection:
            contents = connection.execute("SELECT encode(sha256, 'hex') FROM raw_images").fetchall()
            renditions = connection.execute("SELECT key FROM renditions").fetchall()
            published = connection.execute("SELECT manifest_key, summary_key, gallery_key FROM published_releases")
            keys = [raw_image_key(row[0]) for row in contents] + [row[0] for row in renditions]
            assert self.world.store.missing([*keys, *(key for row in published for key in row)]) == []

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
        deadline = time.monotonic() + 30
        while workers := processes_with(str(self.folder)):
            assert time.monotonic() < deadline, workers
            psutil.wait_procs(workers, timeout=1)


def processes_with(word: str) -> list[psutil.Process]:
    """Processes whose environment or command holds `word`."""

    def holds(process: psutil.Process) -> bool:
        try:
            words = [*process.cmdline(), *process.environ().values()]
            return process.status() != psutil.STATUS_ZOMBIE and any(word in each for each in words)
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter() if holds(process)]


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
            manifests.append(world.manifest_bytes())
    return manifests


@pytest.fixture
def killed(postgres_url: str, tmp_path: Path, module_site: PartnerSite) -> Iterator[KilledWorld]:
    with fresh_database(postgres_url) as database_url:
        yield KilledWorld(database_url, tmp_path, module_site)


def go_through(killed: KilledWorld, undisturbed: list[bytes], run: Callable[[int], bool]) -> None:
    """Both weeks, by child after child until one ends by itself; `run` starts the next of a week's children."""
    for begin, manifest in zip(weeks(killed.site), undisturbed, strict=True):
        begin(killed.world)
        before = killed.committed()
        number, ended = 0, False
        while not ended:
            ended = run(number)
            number += 1
            killed.assert_not_asked_again(before)
            killed.assert_rows_have_their_objects()
            before = killed.committed()
        assert killed.world.manifest_bytes() == manifest
        killed.assert_nothing_is_left()


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
            sights = sorted(chosen.choices(order, k=kills_a_week), key=order.index)
            plan[:] = [(sight, chosen.randint(1, 3)) for sight in sights]
        if number >= len(plan):
            return killed.run()
        sight, more = plan[number]
        before = killed.seen(sight)
        return killed.run(until=lambda: killed.seen(sight) >= before + more)

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
    assert killed.kills >= 5
