"""Letting a closed gate through by hand, for exactly the input it was closed for.

Does not belong here: the gates' rules (each is in its asset).
"""

from __future__ import annotations

from resources.ledger import Ledger
from resources.ledger.gates import FAILED_SHARE, NOT_ACCEPTED, RENDITIONS_IN_STORE, Gate, accept_gate, all_gates

_OF_A_RELEASE = ("image_groups", "renditions", "image_release")


def accept_held_catalogue(ledger: Ledger, partner_id: str, version: str) -> str | None:
    """Accept the shrinking catalogue `version` of a partner; a message when there is nothing to accept."""
    with ledger.connect() as connection:
        held = [g for g in all_gates(connection) if g.asset == "catalogue_diffs" and g.partition_key == partner_id]
        for gate in held:
            if _version(gate) == version and not gate.passed:
                accept_gate(connection, gate.asset, gate.partition_key, gate.gate, gate.input_digest)
                return None
    if held and not held[0].passed:
        return f"{partner_id}: held is version {_version(held[0])}, not {version}."
    return f"{partner_id}: no catalogue is held."


def accept_failing_partner(ledger: Ledger, partner_id: str) -> str | None:
    """Accept that many of a partner's images failed: the next release sees those that did not. Or a message."""
    with ledger.connect() as connection:
        for gate in all_gates(connection):
            if gate.closed and (gate.gate, gate.partition_key) == (FAILED_SHARE, partner_id):
                accept_gate(connection, gate.asset, gate.partition_key, gate.gate, gate.input_digest)
                return None
    return f"{partner_id}: its gate {FAILED_SHARE} is not closed."


def accept_closed_release(ledger: Ledger, release_id: str) -> str | None:
    """Accept the closed gates of an image release and of its shards; a message when there is nothing to accept.

    Renditions that are not in the store cannot be wished there, nor can a certificate: these gates open when what they
    miss is made.
    """
    with ledger.connect() as connection:
        closed = [
            g for g in all_gates(connection) if g.closed and g.asset in _OF_A_RELEASE and _release(g) == release_id
        ]
        accepted = [gate for gate in closed if gate.gate not in NOT_ACCEPTED]
        for gate in accepted:
            accept_gate(connection, gate.asset, gate.partition_key, gate.gate, gate.input_digest)
    if closed and not accepted:
        again = "They are made again by the next run; this" if closed[0].gate == RENDITIONS_IN_STORE else "This"
        return f"{closed[0].message} {again} cannot be accepted."
    return None if accepted else f"No gate of release {release_id} is closed."


def _release(gate: Gate) -> str:
    """The release of a gate of a release or of one of its shards (`release|shard`)."""
    return gate.partition_key.partition("|")[0]


def _version(gate: Gate) -> str:
    """The catalogue version of a `deleted_share` gate, whose digest is `version:etag:limit`."""
    return gate.input_digest.rsplit(":", 2)[0]
