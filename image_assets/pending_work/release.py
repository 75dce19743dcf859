"""The next steps of the newest data release: waiting for catalogues, loading, building shards, publishing.

Pure. Older releases are built by hand only. Does not belong here: the catalogues themselves (`catalogues`).
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from image_assets.methods import input_digest
from image_assets.pending_work.catalogues import queued_images, stop_reason
from image_assets.pending_work.facts import Facts, ReleaseFacts
from image_assets.pending_work.work import BUILD, LOAD, PUBLISH, PendingWork, Work
from image_assets.shards import stage_digest
from resources.ledger.gates import NOT_ACCEPTED, POLICY_CERTIFIED
from resources.ledger.releases import DataRelease


def pending_release(facts: Facts, shard_keys: Sequence[str]) -> PendingWork:
    """What can be done for the newest release now, or what it waits for, or what stops it."""
    newest = facts.release
    if newest is None:
        return PendingWork()
    file, known = newest.file, newest.known
    if known is None or known.etag != file.etag:
        return PendingWork(unnoticed=True)
    if not known.decided:
        unsettled = [] if known.overdue else _unsettled(facts, known)
        if unsettled:
            return _waiting(known, f"the catalogues of {', '.join(unsettled)}")
        return PendingWork(work=[Work(LOAD, known.release_id, input_digest(file.etag))])
    if known.outcome == "unreadable":
        return PendingWork(stopped=[f"data release {file.object_key}: {known.message}"])
    if known.decisions != newest.decisions:
        return PendingWork(work=[Work(LOAD, known.release_id, input_digest(file.etag, newest.decisions))])
    shards = _pending_shards(facts, newest, known, shard_keys)
    if shards.work and (behind := _fingerprinted_otherwise(facts)):
        return _waiting(known, f"{facts.methods.fingerprint} fingerprints of {', '.join(behind)}")
    if shards.work or shards.stopped:
        return shards
    return _pending_publication(facts, newest, known)


def _waiting(release: DataRelease, what: str) -> PendingWork:
    return PendingWork(waiting=[f"release {release.release_id}: waits for {what}"])


def _unsettled(facts: Facts, release: DataRelease) -> list[str]:
    """Partners that still work on a catalogue that was there when the release was first seen."""
    unsettled = set(_fingerprinted_otherwise(facts))
    for partner_id, awaited in release.awaited.items():
        state, catalogue = facts.partners.get(partner_id), facts.catalogues.newest.get(partner_id)
        applied = None if state is None else f"{state.version}:{state.etag}"
        # Only the newest file is ever applied: where it is not the awaited one, that was replaced or taken away.
        settled = (
            catalogue is None or applied in (awaited, catalogue.digest) or stop_reason(facts, catalogue) is not None
        )
        if not settled or queued_images(facts, partner_id):
            unsettled.add(partner_id)
    return sorted(unsettled)


def _fingerprinted_otherwise(facts: Facts) -> list[str]:
    """Partners whose pictures have their fingerprints by another method than the present one."""
    present = (None, facts.methods.fingerprint)
    return sorted(name for name, state in facts.partners.items() if state.fingerprint_method not in present)


def _pending_shards(facts: Facts, newest: ReleaseFacts, release: DataRelease, shard_keys: Sequence[str]) -> PendingWork:
    """The shards that are not rendered as the methods are now, or the gates that stop them."""
    found = PendingWork()
    grouped, rendered = (stage_digest(release, facts.methods, stage) for stage in ("image_groups", "renditions"))
    certified = newest.certified
    for shard in shard_keys:
        if newest.built.get((shard, "renditions")) == rendered:
            continue
        key = f"{release.release_id}|{shard}"
        shut = [
            line
            for stage, digest in (
                ("image_groups", grouped),
                ("image_groups", certified.gate_digest(grouped)),
                ("renditions", rendered),
            )
            for line in _shut(facts, release, stage, key, digest)
        ]
        found.stopped.extend(line for line in shut if line not in found.stopped)
        if not shut:
            # Another certificate makes another try: what failed without it counts no more.
            found.work.append(Work(BUILD, key, certified.gate_digest(rendered)))
    return found


def _pending_publication(facts: Facts, newest: ReleaseFacts, release: DataRelease) -> PendingWork:
    digest = stage_digest(release, facts.methods, "image_release")
    if newest.current and newest.published is not None and newest.published.input_digest == digest:
        return PendingWork()
    if shut := _shut(facts, release, "image_release", release.release_id, digest):
        return PendingWork(stopped=shut)
    return PendingWork(work=[Work(PUBLISH, release.release_id, digest)])


def _shut(facts: Facts, release: DataRelease, asset: str, partition_key: str, digest: str) -> list[str]:
    """A line for each gate that is closed for this very input, with how to accept it where that is possible."""
    accept = f" To publish all the same: image-assets accept-release {quote(release.release_id)}"
    return [
        # It is the policy that is not certified, whatever the shard: all of them tell it in one line.
        f"gate {gate.gate} of {asset} {release.release_id if gate.gate == POLICY_CERTIFIED else partition_key}: "
        f"{gate.message}{'' if gate.gate in NOT_ACCEPTED else accept}"
        for gate in facts.closed
        if (gate.asset, gate.partition_key, gate.input_digest) == (asset, partition_key, digest)
    ]
