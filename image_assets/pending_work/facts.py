"""What the store offers and what the ledger has: all that pending work is found from, read once.

Does not belong here: any conclusion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from image_assets.catalogue_diffs.offered import OfferedCatalogues, offered_catalogues
from image_assets.certification import Certification, certification
from image_assets.hotel_groups.offered import OfferedReleases, ReleaseFile, offered_releases
from image_assets.image_release.publishing import is_current
from image_assets.methods import Methods
from resources.ledger import Connection, Ledger, fetch_queue, pending, releases, shards
from resources.ledger.decisions import decisions_digest
from resources.ledger.gates import Gate, all_gates
from resources.ledger.pending import CatalogueOutcome, PartnerState
from resources.ledger.releases import DataRelease, Publication
from resources.object_store import ObjectStore


@dataclass(frozen=True)
class ReleaseFacts:
    """What is known of the newest release.

    known: as its sensor wrote it down, if it did. decisions: digest of all that people decide now. built: (shard,
    stage) -> the input digest it is up to date with. current: whether `current.json` points to what was published.
    """

    file: ReleaseFile
    known: DataRelease | None
    decisions: str
    certified: Certification
    built: Mapping[tuple[str, str], str]
    published: Publication | None
    current: bool


@dataclass(frozen=True)
class Facts:
    """The methods as they are chosen now, what the store offers, and what the ledger has.

    partners: every partner the ledger knows. outcomes: partner -> what came of its newest catalogue, if that was read.
    to_recheck: partners with pictures that are due to be revalidated. closed: the closed gates. release: of the newest
    one in the store, if there is any.
    """

    methods: Methods
    catalogues: OfferedCatalogues
    releases: OfferedReleases
    partners: Mapping[str, PartnerState]
    outcomes: Mapping[str, CatalogueOutcome]
    to_recheck: set[str]
    closed: Sequence[Gate]
    release: ReleaseFacts | None


def read_facts(
    store: ObjectStore, ledger: Ledger, methods: Methods, release_wait: timedelta, rechecks_by: datetime | None
) -> Facts:
    """Read them all; a release that was first seen longer than `release_wait` ago is overdue.

    What is to be revalidated is what is due now, or was `rechecks_by` then.
    """
    # Releases are listed first: a catalogue written before a release is then always seen with it.
    offered = offered_releases(store)
    catalogues = offered_catalogues(store)
    newest = [(catalogue.partner_id, catalogue.version) for catalogue in catalogues.newest.values()]
    with ledger.connect() as connection:
        return Facts(
            methods=methods,
            catalogues=catalogues,
            releases=offered,
            partners=pending.partner_states(connection),
            outcomes=pending.catalogue_outcomes(connection, newest),
            to_recheck=fetch_queue.partners_to_recheck(connection, methods.recheck_after, rechecks_by),
            closed=[gate for gate in all_gates(connection) if gate.closed],
            release=_release_facts(connection, store, methods, offered.newest, release_wait),
        )


def _release_facts(
    connection: Connection, store: ObjectStore, methods: Methods, file: ReleaseFile | None, wait: timedelta
) -> ReleaseFacts | None:
    if file is None:
        return None
    published = releases.publication(connection, file.release_id)
    return ReleaseFacts(
        file=file,
        known=releases.data_release(connection, file.release_id, wait),
        decisions=decisions_digest(connection),
        certified=certification(connection, methods),
        built=shards.built_shards(connection, file.release_id),
        published=published,
        current=published is not None and is_current(store, published),
    )
