"""`image-assets gc`: find what nothing refers to any more, mark it, and delete what stayed so for the grace.

Belongs here: which releases are kept, and the order of the steps. Does not belong here: the queries (ledger.garbage and
its neighbours) and the rule that makes deleting safe beside running work (ledger.tombstones).

Kept is all that the newest RELEASES_KEPT published releases and the current one list in their manifests; all that
loaded releases need by the present methods and recipes; and the originals that any catalogue entry stands for. Users'
own files (catalogues, data releases) and what is told about them (outcomes, rejected rows, gates) are never touched.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from image_assets.image_release.manifest import contents_of
from image_assets.image_release.publishing import CURRENT, RELEASES_KEPT, current_release
from image_assets.methods import Methods
from image_assets.shards import STAGES, stage_digest, whole_release
from resources.ledger import Connection, Ledger, garbage, kept_objects, releases, unused_results
from resources.ledger.garbage import Found
from resources.ledger.leases import lease
from resources.ledger.releases import Publication
from resources.object_store import ObjectStore

DEFAULT_GRACE = timedelta(days=7)

_OURS = re.compile(r"renditions/[^/]+/[0-9a-f]{2}/[0-9a-f]{64}-[0-9a-f]{12}\.\w+|raw/[0-9a-f]{2}/[0-9a-f]{64}")


class GarbageError(RuntimeError):
    """What must be kept cannot be told, so nothing was collected; the message says why."""


@dataclass(frozen=True)
class Collected:
    """What gc found (before it deleted), which releases it kept, and what it deleted; 0 in a dry run."""

    kept: tuple[str, ...]
    found: tuple[Found, ...]
    deleted_objects: int = 0
    deleted_rows: int = 0


def collect_garbage(
    store: ObjectStore,
    ledger: Ledger,
    methods: Methods,
    grace: timedelta = DEFAULT_GRACE,
    delete: bool = False,
    originals: bool = False,
) -> Collected:
    """Find what is unused; with `delete`, mark it and delete what was marked for longer than `grace`.

    Unused originals are found and marked, but deleted only with `originals`: what was fetched is kept until somebody
    says otherwise. Raises GarbageError, and LeaseHeld when another gc is at work.
    """
    with lease(ledger, garbage.LEASE, f"gc-{os.getpid()}") if delete else nullcontext(), ledger.connect() as connection:
        # First of all: nothing that a run begins to rely on from here on is older than this.
        due = garbage.due_before(connection, grace)
        publications = _kept_publications(connection, store)
        loaded = releases.loaded_releases(connection)
        kept_objects.open_findings(connection)
        for generation, published in enumerate(publications, start=1):
            _keep(connection, store, generation, published)
        wholes = [whole_release(release.release_id, methods) for release in loaded]
        kept_objects.keep_loaded(connection, wholes, methods.recipe_digests)
        garbage.find_renditions(connection)
        garbage.find_originals(connection)
        garbage.find_files(connection, list(_other_files(store, publications, grace)))
        for page in _old_objects(store, grace):
            garbage.find_unknown(connection, page)
        rows_found = [
            *unused_results.found_hotels(connection, methods.grouping, methods.ranking, due),
            *unused_results.found_methods(connection, methods.fingerprint, due),
            *unused_results.found_failures(connection, methods.rendering),
        ]
        found = (*garbage.found_objects(connection, due), *(each for each in rows_found if each.count))
        kept = tuple(published.release_id for published in publications)
        if not delete:
            return Collected(kept, found)

        present = [
            (release.release_id, stage, stage_digest(release, methods, stage)) for release in loaded for stage in STAGES
        ]
        unused_results.forget_other_builds(connection, present)
        garbage.mark_objects(connection)
        kinds = [garbage.RENDITION, garbage.RELEASE_FILE, garbage.UNKNOWN, *([garbage.ORIGINAL] if originals else [])]
        objects = garbage.delete_objects(connection, kinds, due, store.delete_all)
        rows = (
            unused_results.collect_hotels(connection, methods.grouping, methods.ranking, due)
            + unused_results.collect_methods(connection, methods.fingerprint, due)
            + unused_results.delete_failures(connection, methods.rendering)
        )
        return Collected(kept, found, objects, rows)


def _kept_publications(connection: Connection, store: ObjectStore) -> list[Publication]:
    pointer = current_release(store)
    current = pointer["manifest"] if pointer else None
    publications = kept_objects.kept_publications(connection, RELEASES_KEPT, current)
    if current is not None and current not in {published.manifest_key for published in publications}:
        raise GarbageError(
            f"{CURRENT} of the store points to {current}, which this ledger does not know as published: is it the "
            "ledger of this store (DATABASE_URL)? If it is, `image-assets run --until-idle` publishes again."
        )
    return publications


def _keep(connection: Connection, store: ObjectStore, generation: int, published: Publication) -> None:
    try:
        summary = json.loads(store.get(published.summary_key))
        with store.open(published.manifest_key) as manifest:
            kept_objects.keep_publication(connection, generation, summary["recipes"], contents_of(manifest))
    except (FileNotFoundError, ValueError, KeyError, pa.ArrowInvalid) as error:
        raise GarbageError(
            f"release {published.release_id} is kept, but what it refers to cannot be read: "
            f"{' '.join(str(error).split())}. Publish it again: materialise its assets of group `release` in the UI."
        ) from error


def _other_files(
    store: ObjectStore, publications: list[Publication], grace: timedelta
) -> Iterator[tuple[str, str, int]]:
    """(key, release, bytes) of the files of image releases, older than the grace, that are not kept."""
    kept = {CURRENT}
    for published in publications:
        kept |= {published.manifest_key, published.summary_key, published.gallery_key}
    before = datetime.now(UTC) - grace
    for page in store.pages(["image-releases"]):
        for item in page:
            if item.key not in kept and item.written_at < before and item.key.count("/") == 3:
                yield item.key, item.key.split("/")[1], item.size


def _old_objects(store: ObjectStore, grace: timedelta) -> Iterator[list[tuple[str, int]]]:
    """(key, bytes) of renditions and originals in the store that were written before the grace, page by page."""
    before = datetime.now(UTC) - grace
    folders = (folder for prefix in (*store.folders("renditions"), "raw") for folder in store.folders(prefix))
    for page in store.pages(folders):
        yield [(item.key, item.size) for item in page if item.written_at < before and _OURS.fullmatch(item.key)]


def report_lines(collected: Collected, delete: bool, originals: bool, grace: str) -> Iterator[str]:
    """What people read: the releases kept, what is unused by kind, and what was or would be done."""
    yield f"kept releases: {', '.join(collected.kept) or 'none is published'}"
    if not collected.found:
        yield "nothing is unused"
    else:
        yield f"{'unused':<44} {'number':>12} {'bytes':>16} {'new':>12} {'waiting':>12} {'due':>12} {'due bytes':>16}"
    for each in collected.found:
        name = f"{each.kind} {each.detail}".rstrip()
        yield (
            f"{name:<44} {each.count:>12,} {each.bytes:>16,} {each.new:>12,} {each.waiting:>12,} {each.due:>12,} "
            f"{each.due_bytes:>16,}"
        )
    if any(each.kind == garbage.ORIGINAL for each in collected.found) and not originals:
        yield "Originals are deleted only with --originals: what was fetched is kept."
    if delete:
        yield f"Deleted {collected.deleted_objects:,} objects and {collected.deleted_rows:,} rows that were due."
        yield f"What was new is marked; it is due in {grace}, if it is still unused then: run this again."
    else:
        yield "Nothing was changed. With --delete, what is due goes, and what is new is marked:"
        yield f"it is due in {grace}, if it is still unused then."
