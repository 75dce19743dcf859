"""What is missing: the one answer to "is there anything to do", asked by sensors and by `run --until-idle`.

Belongs here: comparing what the store offers with what the ledger has, for every partition. It reads, and changes
nothing. Does not belong here: Dagster's runs (sensors look whether a partition is being worked on already).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from shlex import quote

from image_assets.catalogue_diffs.offered import OfferedCatalogues, offered_catalogues
from image_assets.certification import certification
from image_assets.hotel_groups.offered import OfferedReleases, offered_releases
from image_assets.image_release.publishing import is_current
from image_assets.methods import Methods, input_digest
from image_assets.shards import stage_digest
from resources.ledger import Connection, Ledger, fetch_queue, pending, releases, shards
from resources.ledger.catalogues import CatalogueVersion
from resources.ledger.decisions import decisions_digest
from resources.ledger.operations import FAILED_SHARE, NOT_ACCEPTED, POLICY_CERTIFIED, Gate, gates
from resources.ledger.pending import CatalogueOutcome, PartnerState
from resources.ledger.releases import DataRelease
from resources.object_store import ObjectStore

INGEST = "ingest_catalogue"
LOAD = "load_data_release"
BUILD = "build_hotel_shard"
PUBLISH = "publish_image_release"

# When the newest catalogue is held or unreadable, what was queued before it still goes on.
AFTER_DIFF = ("raw_images", "fingerprints")


@dataclass(frozen=True)
class Work:
    """One partition that is not up to date. `size` orders the queue; `assets` empty means the whole job."""

    job: str
    partition_key: str
    input_digest: str
    size: int
    assets: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Names this work: the same until it is done or its input changes."""
        return f"{self.job}:{self.partition_key}:{self.input_digest}"


@dataclass(frozen=True)
class PendingWork:
    """What can run now, what waits for something else (a line each), and what is stopped until somebody acts."""

    work: list[Work] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unnoticed: bool = False  # the newest release has not been written down by its sensor yet


def pending_work(
    store: ObjectStore, ledger: Ledger, methods: Methods, shard_keys: list[str], release_wait: timedelta
) -> PendingWork:
    """Everything that is missing now, largest first within each job, jobs in the order of the data."""
    # Releases are listed first: a catalogue written before a release is then always seen with it.
    offered = offered_releases(store)
    catalogues = offered_catalogues(store)
    with ledger.connect() as connection:
        closed = [gate for gate in gates(connection) if gate.closed]
        partners = _pending_catalogues(connection, catalogues, methods, closed)
        release = _pending_release(connection, store, offered, catalogues, methods, shard_keys, release_wait, closed)
    return PendingWork(
        work=sorted(partners.work, key=lambda w: (-w.size, w.partition_key)) + release.work,
        waiting=release.waiting,
        stopped=partners.stopped + release.stopped,
        problems=catalogues.problems + offered.problems,
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


def _pending_catalogues(
    connection: Connection, offered: OfferedCatalogues, methods: Methods, closed: list[Gate]
) -> PendingWork:
    states = pending.partner_states(connection)
    outcomes = pending.catalogue_outcomes(connection, [(c.partner_id, c.version) for c in offered.newest.values()])
    due = fetch_queue.partners_to_recheck(connection, methods.recheck_after)
    failing = {g.partition_key: g for g in closed if g.gate == FAILED_SHARE}
    found = PendingWork()
    for partner_id in sorted(states.keys() | offered.newest.keys()):
        state = states.get(partner_id)
        catalogue = offered.newest.get(partner_id)
        new_catalogue = catalogue is not None and (
            state is None or (state.version, state.etag) != (catalogue.version, catalogue.etag)
        )
        queued = _queued(partner_id, state, methods) + int(partner_id in due)
        gate = failing.get(partner_id)
        if gate is not None and state is not None:
            if gate.input_digest == methods.failed_digest(partner_id, state.version, state.etag):
                found.stopped.append(
                    f"gate {FAILED_SHARE} of raw_images {partner_id}: {gate.message} "
                    f"To let it through: image-assets accept-failures {quote(partner_id)}"
                )
            else:  # another limit
                queued += 1
        if catalogue is not None and new_catalogue:
            reason = _stop_reason(catalogue, outcomes.get(partner_id), methods, closed)
            if reason is None:
                digest = input_digest(catalogue.version, catalogue.etag)
                found.work.append(Work(INGEST, partner_id, digest, queued))
                continue
            found.stopped.append(reason)
        if state is not None and queued:
            digest = input_digest(
                str(state.version),
                methods.screening_of(partner_id),
                methods.fingerprint,
                *(AFTER_DIFF if new_catalogue else ()),
            )
            found.work.append(Work(INGEST, partner_id, digest, queued, AFTER_DIFF))
    return found


def _shut(closed: list[Gate], asset: str, partition_key: str, digest: str, accept: str = "") -> list[str]:
    """A line for each gate that is closed for this very input, with how to `accept` it where that is possible."""
    release = partition_key.partition("|")[0]
    return [
        # It is the policy that is not certified, whatever the shard: all of them tell it in one line.
        f"gate {gate.gate} of {asset} {release if gate.gate == POLICY_CERTIFIED else partition_key}: {gate.message}"
        + (f" {accept}" if accept and gate.gate not in NOT_ACCEPTED else "")
        for gate in closed
        if (gate.asset, gate.partition_key, gate.input_digest) == (asset, partition_key, digest)
    ]


def _queued(partner_id: str, state: PartnerState | None, methods: Methods) -> int:
    if state is None:
        return 0
    changed = (state.screening, state.fingerprint_method) != (methods.screening_of(partner_id), methods.fingerprint)
    return state.queued_fetches + state.queued_fingerprints + int(changed)


def _stop_reason(
    catalogue: CatalogueVersion, outcome: CatalogueOutcome | None, methods: Methods, closed: list[Gate]
) -> str | None:
    if outcome is None or outcome.etag != catalogue.etag:
        return None
    if outcome.outcome == "unreadable":
        return f"catalogue {catalogue.object_key}: {outcome.message}"
    return next(iter(_shut(closed, "catalogue_diffs", catalogue.partner_id, methods.shrink_digest(catalogue))), None)


def _pending_release(
    connection: Connection,
    store: ObjectStore,
    offered: OfferedReleases,
    catalogues: OfferedCatalogues,
    methods: Methods,
    shard_keys: list[str],
    release_wait: timedelta,
    closed: list[Gate],
) -> PendingWork:
    """The next steps of the newest release; older ones are built by hand only."""
    newest = offered.newest
    if newest is None:
        return PendingWork()
    known = releases.data_release(connection, newest.release_id, release_wait)
    if known is None or known.etag != newest.etag:
        return PendingWork(unnoticed=True)
    if not known.decided:
        unsettled = [] if known.overdue else _unsettled(connection, known, catalogues, methods, closed)
        if unsettled:
            return PendingWork(
                waiting=[f"release {known.release_id}: waits for the catalogues of {', '.join(unsettled)}"]
            )
        return PendingWork(work=[Work(LOAD, known.release_id, input_digest(newest.etag), 0)])
    if known.outcome == "unreadable":
        return PendingWork(stopped=[f"data release {newest.object_key}: {known.message}"])
    decisions = decisions_digest(connection)
    if known.decisions != decisions:
        return PendingWork(work=[Work(LOAD, known.release_id, input_digest(newest.etag, decisions), 0)])
    return _pending_galleries(connection, store, known, methods, shard_keys, closed)


def _unsettled(
    connection: Connection, release: DataRelease, catalogues: OfferedCatalogues, methods: Methods, closed: list[Gate]
) -> list[str]:
    """Partners that still work on a catalogue that was there when the release was first seen."""
    states = pending.partner_states(connection)
    newest = catalogues.newest
    outcomes = pending.catalogue_outcomes(connection, [(c.partner_id, c.version) for c in newest.values()])
    unsettled = []
    for partner_id, awaited in sorted(release.awaited.items()):
        state, catalogue = states.get(partner_id), newest.get(partner_id)
        applied = None if state is None else f"{state.version}:{state.etag}"
        # Only the newest file is ever applied: where it is not the awaited one, that was replaced or taken away.
        settled = (
            catalogue is None
            or applied in (awaited, catalogue.digest)
            or _stop_reason(catalogue, outcomes.get(partner_id), methods, closed) is not None
        )
        if not settled or _queued(partner_id, state, methods):
            unsettled.append(partner_id)
    return sorted({*unsettled, *_fingerprinted_otherwise(states, methods)})


def _pending_galleries(
    connection: Connection,
    store: ObjectStore,
    release: DataRelease,
    methods: Methods,
    shard_keys: list[str],
    closed: list[Gate],
) -> PendingWork:
    found = PendingWork()
    digests = {
        stage: stage_digest(release, methods, stage) for stage in ("image_groups", "renditions", "image_release")
    }
    certified = certification(connection, methods)
    accept = f"To publish all the same: image-assets accept-release {quote(release.release_id)}"
    built = shards.built_shards(connection, release.release_id)
    for shard in shard_keys:
        if built.get((shard, "renditions")) == digests["renditions"]:
            continue
        key = f"{release.release_id}|{shard}"
        shut = [
            line
            for stage, digest in (
                ("image_groups", digests["image_groups"]),
                ("image_groups", certified.gate_digest(digests["image_groups"])),
                ("renditions", digests["renditions"]),
            )
            for line in _shut(closed, stage, key, digest, accept)
        ]
        found.stopped.extend(line for line in shut if line not in found.stopped)
        if not shut:
            # Another certificate makes another try: what failed without it counts no more.
            found.work.append(Work(BUILD, key, certified.gate_digest(digests["renditions"]), 0))
    if found.work and (behind := _fingerprinted_otherwise(pending.partner_states(connection), methods)):
        return PendingWork(
            waiting=[
                f"release {release.release_id}: waits for {methods.fingerprint} fingerprints of {', '.join(behind)}"
            ]
        )
    if found.work or found.stopped:
        return found
    published = releases.publication(connection, release.release_id)
    if published and published.input_digest == digests["image_release"] and is_current(store, published):
        return found
    found.stopped.extend(_shut(closed, "image_release", release.release_id, digests["image_release"], accept))
    if not found.stopped:
        found.work.append(Work(PUBLISH, release.release_id, digests["image_release"], 0))
    return found


def _fingerprinted_otherwise(states: dict[str, PartnerState], methods: Methods) -> list[str]:
    """Partners whose pictures have their fingerprints by another method than the present one."""
    return sorted(name for name, state in states.items() if state.fingerprint_method not in (None, methods.fingerprint))
