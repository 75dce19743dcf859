"""Gates: the last outcome of each gate of each partition, and whether somebody let it through.

Does not belong here: the rules of the gates (each is in its room).
"""

from __future__ import annotations

from dataclasses import dataclass

from resources.ledger.connection import Connection

# Opens by itself when the renditions it missed are made again, so two stages know its name.
RENDITIONS_IN_STORE = "renditions_in_store"
# Closed, it does not stop its partner: a release then sees the partner's pictures of an earlier one.
FAILED_SHARE = "failed_share"
# Opens by a certificate; what is not proven is not let through by hand.
POLICY_CERTIFIED = "policy_certified"
NOT_ACCEPTED = (RENDITIONS_IN_STORE, POLICY_CERTIFIED)


@dataclass(frozen=True)
class Gate:
    """The last outcome of one gate of one partition. `accepted`: somebody let it through by hand."""

    asset: str
    partition_key: str
    gate: str
    input_digest: str
    passed: bool
    message: str
    accepted: bool = False

    @property
    def closed(self) -> bool:
        """Whether the partition must not go on."""
        return not self.passed and not self.accepted


def record_gate(connection: Connection, gate: Gate) -> Gate:
    """Keep a gate's outcome. An acceptance stays as long as the input digest does."""
    row = connection.execute(
        """INSERT INTO gates AS known (asset, partition_key, gate, input_digest, passed, message)
           VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT (asset, partition_key, gate) DO UPDATE SET
               accepted = known.accepted AND known.input_digest = excluded.input_digest,
               input_digest = excluded.input_digest, passed = excluded.passed, message = excluded.message,
               evaluated_at = now()
           RETURNING asset, partition_key, gate, input_digest, passed, message, accepted""",
        [gate.asset, gate.partition_key, gate.gate, gate.input_digest, gate.passed, gate.message],
    ).fetchone()
    assert row is not None
    return Gate(*row)


def all_gates(connection: Connection) -> list[Gate]:
    """All gate rows, in key order."""
    rows = connection.execute(
        """SELECT asset, partition_key, gate, input_digest, passed, message, accepted FROM gates
           ORDER BY asset COLLATE "C", partition_key COLLATE "C", gate COLLATE "C" """
    ).fetchall()
    return [Gate(*row) for row in rows]


def any_closed(connection: Connection, asset: str, partition_key: str) -> bool:
    """Whether a gate of this partition is closed."""
    row = connection.execute(
        """SELECT EXISTS (SELECT FROM gates
               WHERE asset = %s AND partition_key = %s AND NOT passed AND NOT accepted)""",
        [asset, partition_key],
    ).fetchone()
    return bool(row and row[0])


def forget_gate(connection: Connection, asset: str, partition_key: str, gate: str) -> None:
    """What the gate found was mended: it is asked again."""
    connection.execute(
        "DELETE FROM gates WHERE asset = %s AND partition_key = %s AND gate = %s", [asset, partition_key, gate]
    )


def accept_gate(connection: Connection, asset: str, partition_key: str, gate: str, input_digest: str) -> bool:
    """Let a closed gate through for this very input; False when no such closed gate is known."""
    accepted = connection.execute(
        """UPDATE gates SET accepted = true
           WHERE asset = %s AND partition_key = %s AND gate = %s AND input_digest = %s AND NOT passed""",
        [asset, partition_key, gate, input_digest],
    )
    return accepted.rowcount == 1
