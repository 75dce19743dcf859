"""What store and ledger look like when something is pending: written as runs would leave it, without any run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from fetch_queues import whole_queue

from image_assets.methods import Methods
from image_assets.partitions import SHARD_KEYS
from image_assets.pending_work import PendingWork, pending_work
from image_assets.renditions import load_recipes
from resources.environment import PROJECT
from resources.ledger import Ledger, catalogues
from resources.ledger.catalogues import CatalogueVersion
from resources.ledger.fetch_results import FetchResult, record_fetches
from resources.ledger.gates import Gate, record_gate
from resources.object_store import ObjectStore
from resources.partners import PartnerSettings

METHODS = Methods(load_recipes(PROJECT / "renditions.yaml"))
LONG = timedelta(hours=6)


def choosing(partner_id: str, **choices: Any) -> Methods:
    """The methods when partners.yaml chooses something for a partner."""
    return replace(METHODS, partners={partner_id: PartnerSettings(partner_id, **choices)})


def asked(pending: PendingWork) -> list[tuple[str, str]]:
    return [(work.job, work.partition_key) for work in pending.work]


def ask(store: ObjectStore, ledger: Ledger, methods: Methods = METHODS, wait: timedelta = LONG) -> PendingWork:
    return pending_work(store, ledger, methods, SHARD_KEYS, wait)


def offer(store: ObjectStore, partner_id: str, version: str = "w1", content: bytes = b"a") -> CatalogueVersion:
    """A catalogue in the store, as the ledger names it; nobody reads its content here."""
    key = f"catalogues/{partner_id}/{version}.jsonl"
    store.put(key, content)
    etag = next(item.etag for item in store.objects("catalogues") if item.key == key)
    return CatalogueVersion(partner_id, version, key, etag)


def apply(ledger: Ledger, catalogue: CatalogueVersion, images: int = 0, methods: Methods = METHODS) -> None:
    """What an ingest run leaves of a catalogue when it ends before fetching any of its `images`."""
    with ledger.connect() as connection:
        catalogues.open_staging(connection, catalogue)
        rows = [(n, "1", f"http://x/{n}", None, None, None, None, None, None) for n in range(images)]
        catalogues.stage_entries(connection, catalogue.partner_id, rows)
        catalogues.reject_duplicates(connection, catalogue, catalogue.object_key)
        catalogues.apply(connection, catalogue, catalogues.diff(connection, catalogue.partner_id))
        catalogues.close_staging(connection, catalogue.partner_id)
        connection.execute(
            "UPDATE partner_catalogues SET screening = %s, fingerprint_method = %s WHERE partner_id = %s",
            [methods.screening, methods.fingerprint, catalogue.partner_id],
        )


def fetch(ledger: Ledger, partner_id: str, outcome: str, sha256: str | None = None) -> None:
    """Give everything in the partner's queue one outcome."""
    with ledger.connect() as connection:
        results = [
            FetchResult(queued.fetch_key, outcome, None, 1, 200, sha256, "JPEG", 640, 480, 1)
            for queued in whole_queue(connection, partner_id)
        ]
        record_fetches(connection, partner_id, results, METHODS.fingerprint)


def hold(ledger: Ledger, catalogue: CatalogueVersion) -> None:
    with ledger.connect() as connection:
        record_gate(
            connection,
            Gate(
                "catalogue_diffs",
                catalogue.partner_id,
                "deleted_share",
                METHODS.shrink_digest(catalogue),
                False,
                "deletes much",
            ),
        )
        catalogues.record_outcome(connection, catalogue, "held", message="deletes much")


def unreadable(ledger: Ledger, catalogue: CatalogueVersion) -> None:
    with ledger.connect() as connection:
        catalogues.record_outcome(connection, catalogue, "unreadable", message="line 1 is no JSON")
