"""The ledger's own work at size: what a week costs when nothing changed, and when 1 % of the hotels did.

    python benchmarks/ledger_at_scale.py [--hotels 5000 20000]

Each size has an embedded PostgreSQL of its own, filled by SQL (`_scaled_ledger`) with 44 images a hotel. Then every
stage's queries are asked as its asset asks them, all partners and all of 64 shards: for a week whose catalogues are the
same, for one in which 1 % of the hotels have another picture, and, where a queue is drawn, with everything queued.
Pictures are neither fetched nor rendered. The first size is the baseline: the last column says how many times its cost
the largest size takes, which for work that follows the change is at most as many times as there are more hotels, and
for a page of a queue once.

Each stage runs in a process of its own. Reported are its seconds, the processor seconds of the server and of the
process, the rows that PostgreSQL read for it (sequentially or by an index), the process' peak memory, and how often a
table of the whole was read sequentially. The exit code is 1 when a stage did not find exactly what had changed.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import uuid4

import psutil
from _peak_memory import peak_mib
from _scaled_ledger import (
    CHANGED_ONE_IN,
    IMAGES_A_HOTEL,
    PARTNERS,
    accommodations,
    catalogue_rows,
    fill_catalogues,
    fill_galleries,
)

from image_assets.catalogue_diffs.offered import offered_catalogues
from image_assets.certification import certification
from image_assets.commands.garbage import collect_garbage
from image_assets.hotel_groups.asset import mark_placeholders
from image_assets.image_groups import image_group_id
from image_assets.image_groups.asset import batches
from image_assets.image_release.manifest import lost_hotels, write_manifest
from image_assets.image_release.publishing import point_to, release_keys
from image_assets.image_release.release_tables import Tally, published_batches
from image_assets.image_release.summary import ReleaseSummary, summary_json
from image_assets.methods import Methods
from image_assets.partitions import shard_keys
from image_assets.pending_work import notice_newest_release, pending_work
from image_assets.priorities.ranking import rank
from image_assets.raw_images.verdicts import LIMIT_REASONS
from image_assets.renditions import load_recipes, rendition_key
from image_assets.shards import loaded_release, shard_of, stage_digest, whole_release
from resources.environment import PROJECT
from resources.ledger import (
    Connection,
    Ledger,
    catalogues,
    fetch_queue,
    fetch_results,
    grouping,
    images,
    overview,
    publishing,
    ranking,
    release_loading,
    releases,
    rendering,
    shards,
    tombstones,
)
from resources.ledger.embedded import embedded_postgres
from resources.ledger.fetch_results import FetchResult
from resources.ledger.grouping import GroupedHotel, HotelContents, LinkRow
from resources.ledger.images import FingerprintRow
from resources.ledger.releases import Publication
from resources.ledger.rendering import RenditionRow, Unrendered
from resources.ledger.schema import migrate
from resources.object_store import ObjectStore, open_store

ALL_HOTELS = 800_000
SHARDS = shard_keys(64)
METHODS = Methods(load_recipes(PROJECT / "renditions.yaml"))
RECIPES = METHODS.recipe_digests
PAGES = 20  # drawn of a queue that holds everything
ROWS_A_BATCH = 20_000


@dataclass(frozen=True)
class World:
    """A filled ledger and its store, in one of its weeks; for a process that opens them anew."""

    database_url: str
    folder: str
    hotels: int
    week: int = 0
    changed: bool = False

    @property
    def store(self) -> ObjectStore:
        return open_store(f"file://{self.folder}/store")

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.database_url)

    @property
    def release_id(self) -> str:
        return f"week-{self.week}"

    @property
    def changes(self) -> int:
        """Hotels that have another picture this week."""
        return self.hotels // CHANGED_ONE_IN if self.changed else 0


# --- the stages: each returns how many things it found to do


def offer(world: World) -> int:
    """The week's files, as far as anybody lists them: catalogues are staged from the ledger's own rows."""
    for partner_id in PARTNERS:
        world.store.put(f"catalogues/{partner_id}/{world.week}.csv", b"")
    text = StringIO()
    csv.writer(text).writerow(("hotel_id", "partner_id", "accommodation_id"))
    csv.writer(text).writerows(row[1:] for row in accommodations(world.hotels))
    world.store.put(f"data-releases/{world.release_id}.csv", text.getvalue().encode())
    return 0


def diff_catalogues(world: World) -> int:
    found = 0
    with world.ledger.connect() as connection, world.ledger.connect() as source:
        for partner_id, catalogue in offered_catalogues(world.store).newest.items():
            catalogues.open_staging(connection, catalogue)
            catalogues.stage_entries(connection, partner_id, catalogue_rows(source, partner_id, world.changed))
            catalogues.reject_duplicates(connection, catalogue, "")
            counts = catalogues.diff(connection, partner_id)
            catalogues.apply(connection, catalogue, counts)
            found += counts.new + counts.updated + counts.deleted
    return found


def tick(world: World) -> int:
    """One look of a sensor at what is pending."""
    notice_newest_release(world.store, world.ledger)
    pending = pending_work(world.store, world.ledger, METHODS, SHARDS, timedelta(hours=6))
    return len(pending.work)


def fetch_pictures(world: World) -> int:
    return sum(fetched_of(world, partner_id, 1_000_000) for partner_id in PARTNERS)


def fetch_some(world: World) -> int:
    return fetched_of(world, PARTNERS[0], PAGES)


def fetched_of(world: World, partner_id: str, pages: int) -> int:
    """Draw at most so many pages of a partner's queue, and record another picture for each URL."""
    found = 0
    with world.ledger.connect() as connection:
        fetch_queue.requeue_for_screening(
            connection,
            partner_id,
            METHODS.screening_of(partner_id),
            sorted(LIMIT_REASONS),
            METHODS.limits.minimum_short,
            METHODS.limits.minimum_long,
            METHODS.limits.max_pixels,
            METHODS.limits.formats,
            False,
        )
        fetch_queue.count_queued(connection, partner_id)
        fetch_queue.queued_in_store(connection, partner_id, None, 1000)
        while pages and (hosts := fetch_queue.queued_hosts(connection, partner_id, None, 100)):
            pages -= 1
            queued = fetch_queue.queued_fetches(connection, partner_id, {}, dict.fromkeys(hosts, 256))
            results = [
                FetchResult(each.fetch_key, "available", None, 1, 200, uuid4().hex * 2, "JPEG", 1024, 768, 250_000)
                for each in queued
            ]
            fetch_results.record_fetches(connection, partner_id, results, METHODS.fingerprint)
            found += len(results)
        fetch_results.outcomes(connection, partner_id)
    return found


def fingerprint(world: World) -> int:
    return sum(fingerprinted_of(world, partner_id, 1_000_000) for partner_id in PARTNERS)


def fingerprint_some(world: World) -> int:
    return fingerprinted_of(world, PARTNERS[0], PAGES)


def fingerprinted_of(world: World, partner_id: str, pages: int) -> int:
    """Record a fingerprint of noise for at most so many pages of a partner's queue."""
    method, found, after = METHODS.fingerprint, 0, ""
    with world.ledger.connect() as connection:
        tombstones.keep_method(connection, method)
        images.requeue_for_method(connection, partner_id, method)
        images.count_queued_fingerprints(connection, partner_id)
        while pages and (page := images.queued_fingerprints(connection, partner_id, method, 256, after)):
            pages, after = pages - 1, page[-1]
            rows = [
                FingerprintRow(sha256, 1024, 768, 500, 120, 60, 40, os.urandom(288), os.urandom(1600))
                for sha256 in page
            ]
            images.record_fingerprints(connection, partner_id, method, rows, [])
            found += len(page)
        images.record_method(connection, partner_id, method)
    return found


def freeze_images(world: World) -> int:
    """The data release staged, and what it sees of the catalogues."""
    with world.ledger.connect() as connection:
        release_loading.open_staging(connection, world.release_id)
        release_loading.stage_accommodations(connection, world.release_id, accommodations(world.hotels))
        release_loading.reject_repeated_accommodations(connection, world.release_id, "")
        release_loading.freeze_images(connection, world.release_id, METHODS.fingerprint)
    return 0


def find_placeholders(world: World) -> int:
    with world.ledger.connect() as connection:
        mark_placeholders(connection, world.release_id, METHODS)
    return 0


def freeze_hotels(world: World) -> int:
    with world.ledger.connect() as connection:
        release = releases.data_release(connection, world.release_id)
        assert release is not None
        release_loading.freeze_hotels(connection, world.release_id, release.etag)
    return 0


def group_images(world: World) -> int:
    found = 0
    with world.ledger.connect() as connection:
        digest = stage_digest(loaded_release(connection, world.release_id), METHODS, "image_groups")
        for key in SHARDS:
            shard = shard_of(world.release_id, key, METHODS)
            tombstones.keep_hotels(connection, shard)
            todo = grouping.ungrouped_hotels(connection, shard)
            for hotels in batches(todo):
                contents = grouping.hotel_contents(connection, shard, hotels, METHODS.fingerprint)
                grouping.record_groups(connection, [in_pairs(hotel) for hotel in contents])
            counts = grouping.group_counts(connection, shard)
            assert grouping.ungrouped_images(connection, shard) == 0
            shards.record_shard(connection, shard, "image_groups", digest, counts.hotels, len(todo))
            found += len(todo)
    return found


def in_pairs(hotel: HotelContents) -> GroupedHotel:
    """Two neighbours are an image group, as everywhere in this world."""
    pairs = [hotel.sha256s[start : start + 2] for start in range(0, len(hotel.sha256s), 2)]
    ids = [image_group_id(hotel.hotel_id, pair) for pair in pairs]
    links = [
        LinkRow(group, *pair, "aligned", 0.97, (0, 0, 1, 1), False)
        for group, pair in zip(ids, pairs, strict=True)
        if len(pair) == 2
    ]
    return GroupedHotel(hotel.hotel_id, hotel.group_digest, dict(zip(ids, pairs, strict=True)), links, [], [], 0, 0)


def rank_images(world: World) -> int:
    found = 0
    with world.ledger.connect() as connection:
        digest = stage_digest(loaded_release(connection, world.release_id), METHODS, "priorities")
        for key in SHARDS:
            shard = shard_of(world.release_id, key, METHODS)
            tombstones.keep_hotels(connection, shard)
            todo = ranking.unranked_hotels(connection, shard)
            if todo:
                candidates = ranking.candidates(connection, shard, todo, METHODS.fingerprint)
                ranking.record_priorities(connection, shard, todo, rank(candidates.assign(trust=1.0)))
            shards.record_shard(
                connection, shard, "priorities", digest, shards.count_hotels(connection, shard), len(todo)
            )
            found += len(todo)
    return found


def render(world: World) -> int:
    """How many contents have new renditions; none is made."""
    found = 0
    with world.ledger.connect() as connection:
        digest = stage_digest(loaded_release(connection, world.release_id), METHODS, "renditions")
        for key in SHARDS:
            shard = shard_of(world.release_id, key, METHODS)
            tombstones.keep_hotels(connection, shard)
            tombstones.keep_renditions(connection, shard, RECIPES)
            todo = rendering.find_unrendered(connection, shard, RECIPES, METHODS.rendering)
            for page in rendering.unrendered_pages(connection, 256):
                rendering.record_renditions(connection, [row for each in page for row in rendered(each)], [], "")
            rendering.count_published_contents(connection, shard)
            rendering.rendition_failures(connection, shard, METHODS.rendering)
            rendering.recipe_sizes(connection, shard, RECIPES, {})
            shards.record_shard(connection, shard, "renditions", digest, shards.count_hotels(connection, shard), todo)
            found += todo
    return found


def rendered(content: Unrendered) -> Iterator[RenditionRow]:
    for number in content.recipes:
        recipe, (name, digest) = METHODS.recipes[number], RECIPES[number]
        key = rendition_key(recipe, content.sha256)
        yield RenditionRow(content.sha256, name, digest, key, 640, 480, 40_000, "jpeg", 85, False)


def publish(world: World) -> int:
    """Manifest and gates, without a look into the store. How many image groups are withheld."""
    manifest, before = Path(world.folder, "manifest.parquet"), Path(world.folder, "before.parquet")
    with world.ledger.connect() as connection:
        whole = whole_release(world.release_id, METHODS)
        tombstones.keep_hotels(connection, whole)
        tombstones.keep_renditions(connection, whole, RECIPES)
        tally = Tally()
        pages = publishing.published_pages(connection, whole, RECIPES)
        facts = write_manifest(published_batches(pages, len(METHODS.recipes), tally), manifest)
        for _ in rendering.published_renditions(connection, whole, RECIPES):
            pass
        grouping.group_counts(connection, whole)
        assert facts.hotels == world.hotels
        if before.exists():
            assert lost_hotels(before, manifest) == (0, world.hotels)
        summary = ReleaseSummary(
            world.release_id,
            facts.digest,
            *(0 for _ in range(8)),
            recipes=dict(RECIPES),
        )
        digest = stage_digest(loaded_release(connection, world.release_id), METHODS, "image_release")
        published = Publication(world.release_id, digest, facts.digest, *release_keys(world.release_id, facts.digest))
        world.store.put_file(published.manifest_key, manifest)
        manifest.rename(before)
        world.store.put(published.summary_key, summary_json(summary))
        point_to(world.store, published)
        releases.record_publication(connection, published)
        if oldest := releases.kept_from(connection, 3):
            releases.drop_releases_before(connection, oldest)
    return tally.withheld


def look_at_status(world: World) -> int:
    """What `status`, `doctor` and the end of `run` ask, beside what is pending."""
    with world.ledger.connect() as connection:
        overview.partners_overview(connection)
        overview.releases_overview(connection, SHARDS)
        overview.failed_images(connection)
        overview.refused_images(connection)
        certification(connection, METHODS)
    return 0


def collect(world: World) -> int:
    """`gc --delete`: find what is unused and mark it; nothing is old enough to go. How many objects it deleted."""
    return collect_garbage(world.store, world.ledger, METHODS, delete=True).deleted_objects


# --- measuring


@dataclass(frozen=True)
class Figures:
    """What a stage cost: seconds, processor seconds, rows that the server read, MiB; and tables read as a whole."""

    found: int
    seconds: float
    server: float
    client: float
    rows: int
    peak: float
    scans: dict[str, float]


Outcome = tuple[int, float, float, float]


def run_alone(stage: Callable[[World], int], world: World) -> Outcome:
    """(found, seconds, processor seconds, peak MiB), in a process of its own."""
    began, used = time.perf_counter(), time.process_time()
    found = stage(world)
    return found, time.perf_counter() - began, time.process_time() - used, peak_mib()


class Meter:
    """Measures stages from outside: what the server did for each."""

    def __init__(self, world: World, connection: Connection):
        self._world, self._connection = world, connection
        pid = Path(world.folder, "postgres", "postmaster.pid").read_text().split("\n", 1)[0]
        self._server = psutil.Process(int(pid))
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["image_assets.commands.garbage", "image_assets.hotel_groups.asset"])

    def measure(self, stage: Callable[[World], int], world: World) -> Figures:
        rows, scanned, processor = self._rows(), self._scanned(), self._processor()
        with ProcessPoolExecutor(1, self._context) as pool:
            found, seconds, client, peak = pool.submit(run_alone, stage, world).result()
        sizes = {table: rows for table, (_, rows) in self._scanned().items()}
        scans = {
            table: (read - scanned.get(table, (0, 0))[0]) / sizes[table]
            for table, (read, _) in self._scanned().items()
            if sizes[table] > world.hotels / 2
        }
        server = self._processor() - processor
        return Figures(
            found,
            seconds,
            server,
            client,
            self._rows() - rows,
            peak,
            {table: times for table, times in scans.items() if times >= 0.5},
        )

    def _processor(self) -> float:
        """Of all sessions and their workers that have ended; ours is at rest."""
        while self._connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        ).fetchone() != (1,):
            time.sleep(0.01)
        time.sleep(0.1)  # until the last one is reaped
        times = self._server.cpu_times()
        return times.children_user + times.children_system

    def _rows(self) -> int:
        row = self._connection.execute(
            "SELECT tup_returned FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
        assert row is not None
        return int(row[0])

    def _scanned(self) -> dict[str, tuple[int, int]]:
        """table -> (rows read sequentially so far, rows it has); partitions of releases count for their parent."""
        rows = self._connection.execute(
            """SELECT coalesce(inhparent::regclass::text, pg_class.relname), sum(seq_tup_read)::bigint,
                   max(greatest(reltuples, 1))::bigint
               FROM pg_stat_user_tables AS stat JOIN pg_class ON pg_class.oid = relid
               LEFT JOIN pg_inherits ON inhrelid = relid
               WHERE schemaname = 'image_ledger' AND (inhparent IS NOT NULL OR pg_class.relname !~ '_[0-9a-f]{32}')
               GROUP BY 1"""
        )
        return {table: (read, number) for table, read, number in rows}


NOTHING, SOME, EVERYTHING = "nothing changed", "1 % changed", "all queued"

WEEK: dict[str, Callable[[World], int]] = {
    "catalogue diffs": diff_catalogues,
    "sensor tick, after them": tick,
    "fetch queue and results": fetch_pictures,
    "fingerprint queue": fingerprint,
    "release: images frozen": freeze_images,
    "release: placeholders": find_placeholders,
    "release: hotels frozen": freeze_hotels,
    "sensor tick, to build": tick,
    "image_groups": group_images,
    "priorities": rank_images,
    "renditions": render,
    "image_release": publish,
    "sensor tick, idle": tick,
    "status and doctor": look_at_status,
    "gc": collect,
}
QUEUED: dict[str, Callable[[World], int]] = {
    "sensor tick": tick,
    f"{PAGES} pages fetched": fetch_some,
    f"{PAGES} pages fingerprinted": fingerprint_some,
}


def expected(world: World, stage: str) -> int:
    """What a stage of a week must find to do."""
    if stage.startswith("sensor tick"):
        by_moment = {
            # Catalogues that changed are followed by fetching; the release is loaded when all of them are settled.
            "sensor tick, after them": min(len(PARTNERS), world.changes) or 1,
            "sensor tick, to build": len(SHARDS),
            "sensor tick, idle": 0,
            "sensor tick": len(PARTNERS),
        }
        return by_moment[stage]
    if stage in QUEUED:
        queued = world.hotels * IMAGES_A_HOTEL // len(PARTNERS)
        return min(PAGES * 256, queued if stage.endswith("fetched") else 2 * queued)
    every = {"catalogue diffs", "fetch queue and results", "fingerprint queue", "image_groups", "priorities"}
    return world.changes if stage in every else 0


def measure_size(hotels: int) -> tuple[dict[tuple[str, str], Figures], bool]:
    """All figures of one size, and whether every stage found what it had to."""
    with tempfile.TemporaryDirectory(prefix="image-assets-bench-") as folder, embedded_postgres(Path(folder)) as url:
        migrate(url)
        world = World(url, folder, hotels)
        figures: dict[tuple[str, str], Figures] = {}
        right = True
        with world.ledger.connect() as connection:
            connection.execute("ALTER SYSTEM SET autovacuum = off")  # its work would count for some stage or other
            connection.execute("SELECT pg_reload_conf()")
            began = time.perf_counter()
            fill_catalogues(connection, hotels, METHODS)
            first_release(world, connection)
            (size,) = connection.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
            print(
                f"{hotels:,} hotels, {hotels * IMAGES_A_HOTEL:,} catalogue entries: {size / 2**30:.1f} GiB, "
                f"filled in {time.perf_counter() - began:.0f} s",
                flush=True,
            )
            print_header()
            meter = Meter(world, connection)
            for week, state in ((1, NOTHING), (2, SOME)):
                world = World(url, folder, hotels, week, changed=state == SOME)
                offer(world)
                for name, stage in WEEK.items():
                    right &= measure_stage(meter, figures, world, state, name, stage)
                connection.execute("VACUUM ANALYZE")
            queue_everything(connection)
            for name, stage in QUEUED.items():
                right &= measure_stage(meter, figures, world, EVERYTHING, name, stage)
        return figures, right


def measure_stage(
    meter: Meter,
    figures: dict[tuple[str, str], Figures],
    world: World,
    state: str,
    name: str,
    stage: Callable[[World], int],
) -> bool:
    """Measure and print one stage; whether it found what it had to."""
    measured = figures[state, name] = meter.measure(stage, world)
    wanted = expected(world, name) if name != "renditions" else measured.found
    print_figures(state, name, measured)
    if measured.found != wanted:
        print(f"  WRONG: found {measured.found:,} instead of {wanted:,}")
    return measured.found == wanted


def first_release(world: World, connection: Connection) -> None:
    """The release of the week before, loaded by its own queries, its galleries filled."""
    offer(world)
    notice_newest_release(world.store, world.ledger)
    for stage in (freeze_images, find_placeholders, freeze_hotels):
        stage(world)
    fill_galleries(connection, world.release_id, METHODS)


def queue_everything(connection: Connection) -> None:
    """As on the first day: every entry to be fetched, as many contents to be fingerprinted."""
    connection.execute(
        """INSERT INTO fetch_queue (partner_id, fetch_key, url)
           SELECT partner_id, fetch_key, url FROM catalogue_entries"""
    )
    connection.execute(
        """INSERT INTO fingerprint_queue
           SELECT partner_id, sha256(fetch_key::text::bytea) FROM catalogue_entries"""
    )
    connection.execute("VACUUM ANALYZE fetch_queue, fingerprint_queue")


def print_header() -> None:
    print(
        f"  {'':<16} {'stage':<26} {'found':>8} {'seconds':>8} {'server':>8} {'client':>8} {'rows read':>12} "
        f"{'MiB':>6}  whole tables read",
        flush=True,
    )


def print_figures(state: str, name: str, figures: Figures) -> None:
    scans = ", ".join(f"{table} {times:.0f}x" for table, times in sorted(figures.scans.items()))
    print(
        f"  {state:<16} {name:<26} {figures.found:>8,} {figures.seconds:>8.2f} {figures.server:>8.2f} "
        f"{figures.client:>8.2f} {figures.rows:>12,} {figures.peak:>6.0f}  {scans}",
        flush=True,
    )


def print_growth(sizes: list[int], measured: list[dict[tuple[str, str], Figures]]) -> None:
    """How many times the cost of the smallest size the largest one takes, and the largest one for all hotels."""
    first, last = measured[0], measured[-1]
    print(f"{sizes[-1] / sizes[0]:.1f} times as many hotels; extrapolated in proportion to {ALL_HOTELS:,}:")
    print(f"  {'':<16} {'stage':<26} {'processor':>10} {'rows read':>10} {'peak':>6} {'minutes':>8}")
    for key, figures in last.items():
        before = first[key]
        processor = (figures.server + figures.client) / max(before.server + before.client, 0.01)
        minutes = (figures.server + figures.client) * ALL_HOTELS / sizes[-1] / 60
        print(
            f"  {key[0]:<16} {key[1]:<26} {processor:>9.1f}x {figures.rows / max(before.rows, 1):>9.1f}x "
            f"{figures.peak / before.peak:>5.1f}x {minutes if key[0] != EVERYTHING else 0:>8.1f}"
        )


def main() -> int:
    """Measure all sizes."""
    options = argparse.ArgumentParser(description="the ledger's own work at size")
    options.add_argument("--hotels", type=int, nargs="+", default=[5_000, 20_000])
    sizes = options.parse_args().hotels
    outcomes = [measure_size(hotels) for hotels in sizes]
    if len(sizes) > 1:
        print_growth(sizes, [figures for figures, _ in outcomes])
    return 0 if all(right for _, right in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
