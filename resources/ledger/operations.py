"""Who works on what, what a gate said, how far a stage is: leases, gate rows and progress rows.

Does not belong here: the stages' own data.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import psycopg

from resources.ledger.connection import Connection, Ledger

# Opens by itself when the renditions it missed are made again, so two stages know its name.
RENDITIONS_IN_STORE = "renditions_in_store"
# Closed, it does not stop its partner: a release then sees the partner's pictures of an earlier one.
FAILED_SHARE = "failed_share"
# Opens by a certificate; what is not proven is not let through by hand.
POLICY_CERTIFIED = "policy_certified"
NOT_ACCEPTED = (RENDITIONS_IN_STORE, POLICY_CERTIFIED)

LEASE_SECONDS = 60
_HEARTBEAT_SECONDS = 10


class LeaseHeld(RuntimeError):
    """Another run works on this partition; the message names it."""


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


@contextmanager
def lease(ledger: Ledger, name: str, holder: str) -> Iterator[None]:
    """Hold the lease `name` while the block runs, renewed by a heartbeat.

    A lease whose holder is dead (same host) or silent (for LEASE_SECONDS) is taken over, and so is one that this very
    run could not give back because the server was gone. Raises LeaseHeld otherwise.
    A row, not an advisory lock: those break behind a connection pooler.
    """
    token = f"{holder}:{uuid.uuid4()}"
    with ledger.connect() as connection:
        _take_lease(connection, name, token)
    stop = threading.Event()
    heartbeat = threading.Thread(target=_keep_alive, args=(ledger, name, token, stop), daemon=True)
    heartbeat.start()
    try:
        yield
    finally:
        stop.set()
        heartbeat.join()
        with ledger.connect() as connection:
            connection.execute("DELETE FROM leases WHERE name = %s AND holder = %s", [name, token])


def _take_lease(connection: Connection, name: str, token: str) -> None:
    with connection.transaction():
        row = connection.execute(
            "SELECT holder, host, pid, process_started, expires_at < now() FROM leases WHERE name = %s FOR UPDATE",
            [name],
        ).fetchone()
        if row is not None:
            holder, host, pid, started, expired = row
            run = holder.split(":")[0]
            here = host == socket.gethostname()
            ours = here and pid == os.getpid() and run == token.split(":")[0]
            if not (expired or ours) and (not here or _is_alive(pid, started)):
                raise LeaseHeld(f"{name} is being worked on by run {run} (process {pid} on {host})")
            connection.execute("DELETE FROM leases WHERE name = %s", [name])
        try:
            connection.execute(
                """INSERT INTO leases (name, holder, host, pid, process_started, expires_at)
                   VALUES (%s, %s, %s, %s, %s, now() + make_interval(secs => %s))""",
                [
                    name,
                    token,
                    socket.gethostname(),
                    os.getpid(),
                    psutil.Process().create_time(),
                    LEASE_SECONDS,
                ],
            )
        except psycopg.errors.UniqueViolation as error:
            raise LeaseHeld(f"{name} was taken by another run a moment ago") from error


def _is_alive(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - started) < 1
    except psutil.NoSuchProcess:
        return False


def _keep_alive(ledger: Ledger, name: str, token: str, stop: threading.Event) -> None:
    while not stop.wait(_HEARTBEAT_SECONDS):
        try:
            with ledger.connect() as connection:
                connection.execute(
                    """UPDATE leases SET expires_at = now() + make_interval(secs => %s)
                       WHERE name = %s AND holder = %s""",
                    [LEASE_SECONDS, name, token],
                )
        except psycopg.OperationalError:
            # The run itself meets the same fault at its next batch and reports it; until then keep trying.
            continue


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


def gates(connection: Connection) -> list[Gate]:
    """All gate rows, in key order."""
    rows = connection.execute(
        """SELECT asset, partition_key, gate, input_digest, passed, message, accepted FROM gates
           ORDER BY asset COLLATE "C", partition_key COLLATE "C", gate COLLATE "C" """
    ).fetchall()
    return [Gate(*row) for row in rows]


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


@dataclass(frozen=True)
class Progress:
    """How far a stage is with one partition. `seconds` since it began; rates are over this run of the stage."""

    stage: str
    partition_key: str
    done: int
    total: int
    seconds: float
    finished: bool


def record_progress(
    connection: Connection, stage: str, partition_key: str, done: int, total: int, started: float, finished: bool
) -> None:
    """Keep how far a stage is; `started` is Unix time."""
    connection.execute(
        """INSERT INTO stage_progress (stage, partition_key, done, total, started_at, finished)
           VALUES (%s, %s, %s, %s, to_timestamp(%s), %s)
           ON CONFLICT (stage, partition_key) DO UPDATE SET done = excluded.done, total = excluded.total,
               started_at = excluded.started_at, updated_at = now(), finished = excluded.finished""",
        [stage, partition_key, done, total, started, finished],
    )


def progress(connection: Connection, since: float) -> list[Progress]:
    """The stages that moved since the Unix time `since`."""
    rows = connection.execute(
        """SELECT stage, partition_key, done, total,
                  extract(epoch FROM updated_at - started_at)::float8, finished
           FROM stage_progress WHERE updated_at >= to_timestamp(%s) ORDER BY started_at, partition_key""",
        [since],
    ).fetchall()
    return [Progress(*row) for row in rows]
