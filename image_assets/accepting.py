"""Letting a closed gate through by hand, for exactly the input it was closed for.

Does not belong here: the gates' rules (each is in its asset).
"""

from __future__ import annotations

from resources.ledger import Ledger
from resources.ledger.operations import accept_gate, gates


def accept_held_catalogue(ledger: Ledger, partner_id: str, version: str) -> str | None:
    """Accept the shrinking catalogue `version` of a partner; a message when there is nothing to accept."""
    with ledger.connect() as connection:
        held = [g for g in gates(connection) if g.asset == "catalogue_diffs" and g.partition_key == partner_id]
        for gate in held:
            if gate.input_digest.rpartition(":")[0] == version and not gate.passed:
                accept_gate(connection, gate.asset, gate.partition_key, gate.gate, gate.input_digest)
                return None
    if held and not held[0].passed:
        return f"{partner_id}: held is version {held[0].input_digest.rpartition(':')[0]}, not {version}."
    return f"{partner_id}: no catalogue is held."


def accept_closed_release(ledger: Ledger, release_id: str) -> str | None:
    """Accept the closed gates of an image release; a message when none is closed."""
    with ledger.connect() as connection:
        closed = [
            g for g in gates(connection) if g.asset == "image_release" and g.partition_key == release_id and g.closed
        ]
        for gate in closed:
            accept_gate(connection, gate.asset, gate.partition_key, gate.gate, gate.input_digest)
    return None if closed else f"No gate of release {release_id} is closed."
