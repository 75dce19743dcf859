"""`image-assets gc` on millions of renditions: how fast it finds, marks and deletes, and how much memory it holds.

    python benchmarks/garbage.py [--contents 40000 160000]

Each size has an embedded PostgreSQL and a store on a folder of its own. Every content has 14 renditions; then one
recipe was removed, and one content in fifty is in the manifest of the kept release no more. What is unused lies in the
store (what is used does not: gc would only list it). The baseline in the same run is what one would write first: all
kept keys in a set, every key of the ledger looked up in it, and what is left deleted one by one. All that is measured
runs in a process of its own. If anything else than what is unused was deleted, the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from _peak_memory import peak_mib

from image_assets.commands.garbage import collect_garbage
from image_assets.image_release.manifest import MANIFEST_SCHEMA, contents_of, write_manifest
from image_assets.image_release.publishing import point_to, release_keys
from image_assets.methods import Methods
from image_assets.renditions import load_recipes, recipe_digest
from resources.environment import PROJECT
from resources.ledger import Ledger, garbage
from resources.ledger.embedded import embedded_postgres
from resources.ledger.releases import Publication, record_publication
from resources.ledger.schema import migrate
from resources.object_store import ObjectStore, open_store

ALL_RENDITIONS = 140_000_000  # of ten million published images
DROPPED_ONE_IN = 50
ONE_BY_ONE = 2_000
ROWS_A_BATCH = 10_000

RECIPES = load_recipes(PROJECT / "renditions.yaml")
REMOVED, *KEPT = RECIPES


@dataclass(frozen=True)
class Place:
    """A ledger and a store, for a process that opens them anew."""

    database_url: str
    folder: str

    def open(self) -> tuple[Ledger, ObjectStore]:
        return Ledger(self.database_url), open_store(f"file://{self.folder}")


@dataclass(frozen=True)
class Timed:
    """What was found or deleted, in how many seconds, and the peak of the process in MiB."""

    count: int
    seconds: float
    peak: float


# --- a world full of renditions


def fill(place: Place, contents: int) -> None:
    """The ledger's rows, and a published release of all contents but one in fifty by all recipes but one."""
    ledger, store = place.open()
    with ledger.connect() as connection:
        for recipe in RECIPES:
            connection.execute(
                """INSERT INTO renditions
                   SELECT sha256, %(recipe)s, %(digest)s,
                       format('renditions/%%s/%%s/%%s-%%s.jpg', %(recipe)s::text, left(hex, 2), hex, %(digest)s::text),
                       640, 480, 1, 'jpeg'
                   FROM generate_series(1, %(contents)s) AS n, LATERAL (SELECT sha256(n::text::bytea)),
                       LATERAL (SELECT encode(sha256, 'hex') AS hex)""",
                {"recipe": recipe.name, "digest": recipe_digest(recipe), "contents": contents},
            )
        connection.execute(
            """INSERT INTO raw_images (sha256, format, width, height, bytes)
               SELECT sha256(n::text::bytea), 'JPEG', 1024, 768, 1 FROM generate_series(1, %s) AS n""",
            [contents],
        )
        connection.execute("ANALYZE renditions, raw_images")
        published = [
            row[0]
            for row in connection.execute(
                "SELECT encode(sha256(n::text::bytea), 'hex') FROM generate_series(1, %s) AS n WHERE n %% %s > 0",
                [contents, DROPPED_ONE_IN],
            )
        ]
        path = Path(place.folder) / "manifest.parquet"
        digest = write_manifest(manifest_batches(published), path).digest
        release = Publication("2026-W45", "", digest, *release_keys("2026-W45", digest))
        store.put_file(release.manifest_key, path)
        store.put(release.summary_key, json.dumps({"recipes": {r.name: recipe_digest(r) for r in KEPT}}).encode())
        store.put(release.gallery_key, b"")
        record_publication(connection, release)
        point_to(store, release)


def manifest_batches(published: list[str]) -> Iterator[pa.RecordBatch]:
    """Ten pictures a hotel, each the only one of its group. Without the lists of renditions, which gc does not read."""
    for start in range(0, len(published), ROWS_A_BATCH):
        rows = [
            {
                "hotel_id": f"H{number // 10:08}",
                "position": number % 10 + 1,
                "image_group_id": sha256[:32],
                **(
                    member := {
                        "sha256": sha256,
                        "partner_id": "p",
                        "accommodation_id": "a",
                        "url": f"http://p/{sha256}",
                    }
                ),
                "width": 1024,
                "height": 768,
                "score": 0.5,
                "members": [member],
                "renditions": [],
            }
            for number, sha256 in enumerate(published[start : start + ROWS_A_BATCH], start)
        ]
        yield pa.RecordBatch.from_pylist(rows, schema=MANIFEST_SCHEMA)


def write_unused(place: Place) -> int:
    """The files of all renditions that are unused. How many."""
    ledger, _ = place.open()
    count = 0
    with ledger.connect() as connection:
        folders = set()
        for (key,) in connection.execute(
            """SELECT key FROM renditions WHERE recipe = %s OR sha256 IN (
                   SELECT sha256(n::text::bytea)
                   FROM generate_series(%s, (SELECT count(*) FROM raw_images), %s) AS n)""",
            [REMOVED.name, DROPPED_ONE_IN, DROPPED_ONE_IN],
        ):
            file = Path(place.folder) / key
            if file.parent not in folders:
                file.parent.mkdir(parents=True, exist_ok=True)
                folders.add(file.parent)
            file.write_bytes(b"x")
            count += 1
    return count


# --- what is measured, each in a process of its own


def find(place: Place) -> Timed:
    """A dry run: all that gc does to find what is unused."""
    ledger, store = place.open()
    began = time.perf_counter()
    outcome = collect_garbage(store, ledger, Methods(tuple(KEPT)), timedelta(0))
    seconds = time.perf_counter() - began
    return Timed(sum(each.count for each in outcome.found if each.kind == garbage.RENDITION), seconds, peak_mib())


def delete(place: Place, step: str) -> Timed:
    """`gc --delete` without grace, of which one step is timed: `mark_objects` or `delete_objects` of the ledger."""
    ledger, store = place.open()
    work, seconds = getattr(garbage, step), 0.0

    def timed(*arguments: Any) -> Any:
        nonlocal seconds
        began = time.perf_counter()
        try:
            return work(*arguments)
        finally:
            seconds = time.perf_counter() - began

    setattr(garbage, step, timed)
    outcome = collect_garbage(store, ledger, Methods(tuple(KEPT)), timedelta(0), delete=True)
    return Timed(outcome.deleted_objects, seconds, peak_mib())


def find_with_a_set(place: Place) -> Timed:
    """The baseline of finding."""
    ledger, store = place.open()
    began = time.perf_counter()
    unused = keys_not_in_a_set(ledger, store)
    return Timed(len(unused), time.perf_counter() - began, peak_mib())


def delete_one_by_one(place: Place) -> Timed:
    """The baseline of deleting, on some: the row, then the object."""
    ledger, store = place.open()
    unused = keys_not_in_a_set(ledger, store)[:ONE_BY_ONE]
    with ledger.connect() as connection:
        began = time.perf_counter()
        for key in unused:
            connection.execute(
                """DELETE FROM renditions
                   WHERE sha256 = decode(substring(%s FROM '/([0-9a-f]{64})-'), 'hex') AND key = %s""",
                [key, key],
            )
            store.delete(key)
        return Timed(len(unused), time.perf_counter() - began, peak_mib())


def keys_not_in_a_set(ledger: Ledger, store: ObjectStore) -> list[str]:
    pointer = json.loads(store.get("image-releases/current.json"))
    recipes = json.loads(store.get(pointer["summary"]))["recipes"]
    with store.open(pointer["manifest"]) as manifest:
        kept = {
            f"renditions/{name}/{sha256[:2]}/{sha256}-{digest}.jpg"
            for published, _ in contents_of(manifest)
            for sha256 in published
            for name, digest in recipes.items()
        }
    with ledger.connect() as connection, connection.transaction(), connection.cursor("all_keys") as cursor:
        cursor.itersize = ROWS_A_BATCH
        return [key for (key,) in cursor.execute("SELECT key FROM renditions") if key not in kept]


def alone(measure: Callable[..., Timed], *arguments: Any) -> Timed:
    """Call it in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def measure_size(contents: int) -> bool:
    """Measure and print one size. Whether exactly what is unused was deleted."""
    with tempfile.TemporaryDirectory(prefix="image-assets-bench-") as folder, embedded_postgres(Path(folder)) as url:
        migrate(url)
        place = Place(url, f"{folder}/store")
        fill(place, contents)
        rows = contents * len(RECIPES)
        in_a_set = alone(find_with_a_set, place)
        found = alone(find, place)
        objects = write_unused(place)
        one_by_one = alone(delete_one_by_one, place)
        listed = alone(find, place)
        marked = alone(delete, place, "mark_objects")
        deleted = alone(delete, place, "delete_objects")
        ledger, store = place.open()
        with ledger.connect() as connection:
            left = connection.execute("SELECT count(*) FROM renditions").fetchone()
        right = (
            in_a_set.count == found.count == objects == one_by_one.count + deleted.count
            and left == (rows - objects,)
            and next(store.objects("renditions"), None) is None
        )
    listing = listed.seconds - found.seconds  # nothing was there to be listed the first time
    peak = max(each.peak for each in (found, listed, marked, deleted))
    faster = in_a_set.seconds / found.seconds
    rate, plain_rate = deleted.count / deleted.seconds, one_by_one.count / one_by_one.seconds
    find_minutes, delete_hours = (
        ALL_RENDITIONS / rows * found.seconds / 60,
        ALL_RENDITIONS / rows * objects / rate / 3600,
    )
    print(f"{rows:,} renditions in the ledger, {objects:,} of them unused")
    print(f"  with a set:        {rows / in_a_set.seconds:>9,.0f} rows/s, peak {in_a_set.peak:,.0f} MiB")
    print(
        f"  gc finds:          {rows / found.seconds:>9,.0f} rows/s, {faster:.1f} times as fast, peak {peak:,.0f} MiB"
    )
    print(f"  gc lists a folder: {deleted.count / listing:>9,.0f} objects/s")
    print(f"  gc marks:          {deleted.count / marked.seconds:>9,.0f} objects/s")
    print(f"  one by one:        {plain_rate:>9,.0f} objects/s deleted")
    print(f"  gc deletes:        {rate:>9,.0f} objects/s, {rate / plain_rate:.1f} times as fast")
    print(
        f"  at these rates, of {ALL_RENDITIONS:,}: {find_minutes:.0f} min to find, {delete_hours:.1f} h to delete them"
    )
    print("  what is left is exactly what is used" if right else "  WRONG: something else than what is unused went")
    return right


def main() -> int:
    """Measure all sizes."""
    options = argparse.ArgumentParser(description="image-assets gc on millions of renditions")
    options.add_argument("--contents", type=int, nargs="+", default=[40_000, 160_000])
    right = [measure_size(contents) for contents in options.parse_args().contents]
    return 0 if all(right) else 1


if __name__ == "__main__":
    raise SystemExit(main())
