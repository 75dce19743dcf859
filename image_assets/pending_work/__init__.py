"""What is missing: the one answer to "is there anything to do", asked by sensors and by `run --until-idle`.

`facts` reads what the store offers and what the ledger has, once; `catalogues` and `release` compare the two, as pure
functions; `work` is what they find. Nothing here changes anything but `notice_newest_release`. Does not belong here:
Dagster's runs (sensors look whether a partition is being worked on already).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from image_assets.catalogue_diffs.offered import offered_catalogues
from image_assets.hotel_groups.offered import offered_releases
from image_assets.methods import Methods
from image_assets.pending_work.catalogues import pending_catalogues
from image_assets.pending_work.facts import read_facts
from image_assets.pending_work.release import pending_release
from image_assets.pending_work.work import AFTER_DIFF, BUILD, INGEST, LOAD, PUBLISH, PendingWork, Work
from resources.ledger import Ledger, releases
from resources.object_store import ObjectStore

__all__ = [
    "AFTER_DIFF",
    "BUILD",
    "INGEST",
    "LOAD",
    "PUBLISH",
    "PendingWork",
    "Work",
    "notice_newest_release",
    "pending_work",
]


def pending_work(
    store: ObjectStore,
    ledger: Ledger,
    methods: Methods,
    shard_keys: Sequence[str],
    release_wait: timedelta,
    rechecks_by: datetime | None = None,
) -> PendingWork:
    """Everything that is missing now: partners, largest first, then the next steps of the newest release.

    Rechecks that became due later than `rechecks_by` are left out.
    """
    facts = read_facts(store, ledger, methods, release_wait, rechecks_by)
    partners = pending_catalogues(facts)
    release = pending_release(facts, shard_keys)
    return PendingWork(
        work=partners.work + release.work,
        waiting=release.waiting,
        stopped=partners.stopped + release.stopped,
        problems=facts.catalogues.problems + facts.releases.problems,
        unnoticed=release.unnoticed,
    )


def notice_newest_release(store: ObjectStore, ledger: Ledger) -> str | None:
    """Write down when the newest release was first seen, with the catalogues that were there: it waits for these.

    Returns its id.
    """
    newest = offered_releases(store).newest
    if newest is None:
        return None
    awaited = {partner: catalogue.digest for partner, catalogue in offered_catalogues(store).newest.items()}
    with ledger.connect() as connection:
        releases.notice_release(connection, newest.release_id, newest.object_key, newest.etag, awaited)
    return newest.release_id
