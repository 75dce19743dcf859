"""Leases: which run works on a partition now.

Does not belong here: what the run does.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from resources.ledger.connection import Connection, Ledger
from resources.processes import started_at

LEASE_SECONDS = 60
_HEARTBEAT_SECONDS = 10


class LeaseHeld(RuntimeError):
    """Another run works on this partition; the message names it."""


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
                    started_at(os.getpid()),
                    LEASE_SECONDS,
                ],
            )
        except psycopg.errors.UniqueViolation as error:
            raise LeaseHeld(f"{name} was taken by another run a moment ago") from error


def _is_alive(pid: int, started: float) -> bool:
    since = started_at(pid)
    return since is not None and abs(since - started) < 1


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
