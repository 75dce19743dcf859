"""What partners' catalogues and queues still need: an ingest run each, or somebody to act.

Pure. Does not belong here: the releases that wait for catalogues (`release`).
"""

from __future__ import annotations

from shlex import quote

from image_assets.methods import Methods, input_digest
from image_assets.pending_work.facts import Facts
from image_assets.pending_work.work import AFTER_DIFF, INGEST, PendingWork, Work
from resources.ledger.catalogues import CatalogueVersion
from resources.ledger.gates import FAILED_SHARE, Gate
from resources.ledger.pending import PartnerState


def pending_catalogues(facts: Facts) -> PendingWork:
    """A run for each partner that has a new catalogue or a queue, largest first, and what stops partners."""
    work: list[Work] = []
    stopped: list[str] = []
    for partner_id in sorted(facts.partners.keys() | facts.catalogues.newest.keys()):
        run, reasons = _pending_partner(facts, partner_id)
        work.extend(run)
        stopped.extend(reasons)
    return PendingWork(work=sorted(work, key=lambda item: (-item.size, item.partition_key)), stopped=stopped)


def _pending_partner(facts: Facts, partner_id: str) -> tuple[list[Work], list[str]]:
    methods = facts.methods
    state, catalogue = facts.partners.get(partner_id), facts.catalogues.newest.get(partner_id)
    queued = queued_images(facts, partner_id) + int(partner_id in facts.to_recheck)
    stopped = []
    gate = _closed_failed_share(facts, partner_id)
    if gate is not None and state is not None:
        if gate.input_digest == methods.failed_digest(partner_id, state.version, state.etag):
            stopped.append(
                f"gate {FAILED_SHARE} of raw_images {partner_id}: {gate.message} "
                f"To let it through: image-assets accept-failures {quote(partner_id)}"
            )
        else:  # another limit
            queued += 1
    behind = False
    if catalogue is not None and _is_new(catalogue, state):
        reason = stop_reason(facts, catalogue)
        if reason is None:
            return [Work(INGEST, partner_id, input_digest(catalogue.version, catalogue.etag), queued)], stopped
        stopped.append(reason)
        behind = True  # what was queued before it still goes on
    if state is None or not queued:
        return [], stopped
    digest = input_digest(
        str(state.version),
        methods.screening_of(partner_id),
        methods.fingerprint,
        *(AFTER_DIFF if behind else ()),
    )
    return [Work(INGEST, partner_id, digest, queued, AFTER_DIFF)], stopped


def queued_images(facts: Facts, partner_id: str) -> int:
    """How many of a partner's images wait to be fetched, judged or fingerprinted; changed methods count for one."""
    state = facts.partners.get(partner_id)
    if state is None:
        return 0
    return state.queued_fetches + state.queued_fingerprints + int(_judged_otherwise(state, partner_id, facts.methods))


def stop_reason(facts: Facts, catalogue: CatalogueVersion) -> str | None:
    """Why a partner's newest catalogue is not applied and is not to be tried again; None when it may be."""
    outcome = facts.outcomes.get(catalogue.partner_id)
    if outcome is None or outcome.etag != catalogue.etag:
        return None
    if outcome.outcome == "unreadable":
        return f"catalogue {catalogue.object_key}: {outcome.message}"
    held = ("catalogue_diffs", catalogue.partner_id, facts.methods.shrink_digest(catalogue))
    for gate in facts.closed:
        if (gate.asset, gate.partition_key, gate.input_digest) == held:
            return f"gate {gate.gate} of {gate.asset} {gate.partition_key}: {gate.message}"
    return None


def _closed_failed_share(facts: Facts, partner_id: str) -> Gate | None:
    named = (gate for gate in facts.closed if (gate.gate, gate.partition_key) == (FAILED_SHARE, partner_id))
    return next(named, None)


def _is_new(catalogue: CatalogueVersion, state: PartnerState | None) -> bool:
    return state is None or (state.version, state.etag) != (catalogue.version, catalogue.etag)


def _judged_otherwise(state: PartnerState, partner_id: str, methods: Methods) -> bool:
    """Whether the limits or the fingerprint method changed since the partner's pictures were judged."""
    return (state.screening, state.fingerprint_method) != (methods.screening_of(partner_id), methods.fingerprint)
