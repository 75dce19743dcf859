"""Who works on what, what a gate said, how far a stage is: with a real server and real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from resources.ledger import Connection, Ledger, leases
from resources.ledger.gates import Gate, accept_gate, all_gates, record_gate
from resources.ledger.leases import LeaseHeld, lease
from resources.ledger.progress import Progress, recent_progress, record_progress

ROOT = Path(__file__).parents[2]
# Holds the lease until it is killed.
HOLDER = """
import sys
from resources.ledger import Ledger
from resources.ledger.leases import lease
with lease(Ledger(sys.argv[1]), sys.argv[2], "other-run"):
    print("held", flush=True)
    sys.stdin.read()
"""
GATE = Gate("catalogue_diffs", "alpha", "deleted_share", "digest 1", False, "deletes 40 %")


@pytest.fixture
def connection(ledger: Ledger) -> Iterator[Connection]:
    with ledger.connect() as connection:
        yield connection


@contextmanager
def held_by_another_process(ledger: Ledger, name: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, ledger.url, name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def lease_rows(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT name, split_part(holder, ':', 1), pid FROM leases ORDER BY name").fetchall()


def change_lease(connection: Connection, change: LiteralString) -> None:
    assert connection.execute(f"UPDATE leases SET {change}").rowcount == 1


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline, "did not happen within 20 seconds"
        time.sleep(0.01)


def test_a_lease_is_there_while_the_block_runs_and_gone_afterwards(ledger: Ledger, connection: Connection) -> None:
    with lease(ledger, "partner:alpha", "run-1"), lease(ledger, "partner:beta", "run-1"):
        assert lease_rows(connection) == [
            ("partner:alpha", "run-1", os.getpid()),
            ("partner:beta", "run-1", os.getpid()),
        ]
    assert lease_rows(connection) == []


def test_a_lease_is_gone_when_the_work_failed(ledger: Ledger, connection: Connection) -> None:
    with pytest.raises(ZeroDivisionError), lease(ledger, "partner:alpha", "run-1"):
        raise ZeroDivisionError
    assert lease_rows(connection) == []


def test_a_lease_is_refused_to_another_run_of_this_process(ledger: Ledger) -> None:
    with lease(ledger, "partner:alpha", "run-1"):
        with pytest.raises(LeaseHeld, match=rf"partner:alpha .* run run-1 \(process {os.getpid()} on"):
            lease(ledger, "partner:alpha", "run-2").__enter__()
        with lease(ledger, "partner:beta", "run-2"):
            pass


def test_a_lease_is_refused_while_its_process_lives_and_taken_over_when_it_was_killed(
    ledger: Ledger, connection: Connection
) -> None:
    with held_by_another_process(ledger, "partner:alpha") as holder:
        with pytest.raises(LeaseHeld, match=f"other-run .process {holder.pid}"):
            lease(ledger, "partner:alpha", "run-1").__enter__()
        assert lease_rows(connection) == [("partner:alpha", "other-run", holder.pid)]

        holder.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # dead, but its parent has not looked yet
        with lease(ledger, "partner:alpha", "run-1"):
            assert lease_rows(connection) == [("partner:alpha", "run-1", os.getpid())]


def test_another_process_with_the_holders_number_is_not_the_holder(ledger: Ledger, connection: Connection) -> None:
    with held_by_another_process(ledger, "partner:alpha"):
        change_lease(connection, "process_started = process_started - 100")
        with lease(ledger, "partner:alpha", "run-1"):
            assert lease_rows(connection) == [("partner:alpha", "run-1", os.getpid())]


def test_a_holder_on_another_host_is_believed_until_it_was_silent_too_long(
    ledger: Ledger, connection: Connection
) -> None:
    with held_by_another_process(ledger, "partner:alpha") as holder:
        change_lease(connection, "host = 'elsewhere'")
        holder.kill()
        holder.wait()
        with pytest.raises(LeaseHeld, match="elsewhere"):
            lease(ledger, "partner:alpha", "run-1").__enter__()
        change_lease(connection, "expires_at = now() - interval '1 second'")
        with lease(ledger, "partner:alpha", "run-1"):
            assert lease_rows(connection) == [("partner:alpha", "run-1", os.getpid())]


def test_the_heartbeat_keeps_a_lease_from_expiring(
    ledger: Ledger, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_HEARTBEAT_SECONDS", 0.02)
    with lease(ledger, "partner:alpha", "run-1"):
        for _ in range(2):
            change_lease(connection, "expires_at = now() - interval '1 second'")
            wait_until(
                lambda: (
                    connection.execute("SELECT expires_at > now() + interval '50 seconds' FROM leases").fetchone()
                    == (True,)
                )
            )


def test_a_lease_outlives_a_server_that_is_gone_for_a_moment(
    ledger: Ledger, connection: Connection, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_HEARTBEAT_SECONDS", 0.02)
    attempts = threading.Event()
    connect = Ledger.connect

    def counted(ledger: Ledger) -> Any:
        attempts.set()
        return connect(ledger)

    with lease(ledger, "partner:alpha", "run-1"):
        with closed_to_newcomers(postgres_url, connection):
            monkeypatch.setattr(Ledger, "connect", counted)
            for _ in range(3):
                attempts.clear()
                assert attempts.wait(20)
        change_lease(connection, "expires_at = now() - interval '1 second'")
        wait_until(lambda: connection.execute("SELECT expires_at > now() FROM leases").fetchone() == (True,))


def test_a_run_that_could_not_give_its_lease_back_gets_it_again(
    ledger: Ledger, connection: Connection, postgres_url: str
) -> None:
    """The server was gone for a moment: the step is tried again, in the same process, before the lease expires."""
    with (
        pytest.raises(psycopg.OperationalError, match="not currently accepting"),
        ExitStack() as opened_again,
        lease(ledger, "partner:alpha", "run-1"),
    ):
        opened_again.enter_context(closed_to_newcomers(postgres_url, connection))
    assert lease_rows(connection) == [("partner:alpha", "run-1", os.getpid())]
    with pytest.raises(LeaseHeld):
        lease(ledger, "partner:alpha", "run-2").__enter__()
    with lease(ledger, "partner:alpha", "run-1"):
        assert lease_rows(connection) == [("partner:alpha", "run-1", os.getpid())]
    assert lease_rows(connection) == []


def test_who_lost_a_lease_does_not_take_it_from_its_next_holder(ledger: Ledger, connection: Connection) -> None:
    with ExitStack() as stack:
        with lease(ledger, "partner:alpha", "run-1"):
            change_lease(connection, "expires_at = now() - interval '1 second'")
            stack.enter_context(lease(ledger, "partner:alpha", "run-2"))
        assert lease_rows(connection) == [("partner:alpha", "run-2", os.getpid())]
    assert lease_rows(connection) == []


def test_of_many_who_want_a_dead_holders_lease_one_gets_it(ledger: Ledger, connection: Connection) -> None:
    together = threading.Barrier(8)
    all_asked = threading.Barrier(8)

    def ask(number: int) -> bool:
        together.wait()
        try:
            with lease(ledger, "partner:alpha", f"run-{number}"):
                all_asked.wait()
                return True
        except LeaseHeld:
            all_asked.wait()
            return False

    for _ in range(3):
        with held_by_another_process(ledger, "partner:alpha") as holder:
            holder.kill()
            holder.wait()
        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(ask, range(8))) == 1


def test_a_gate_is_closed_until_its_input_changes_or_somebody_accepts_it(connection: Connection) -> None:
    assert record_gate(connection, GATE) == GATE
    assert GATE.closed
    assert accept_gate(connection, "catalogue_diffs", "alpha", "deleted_share", "digest 1")
    assert all_gates(connection) == [replace(GATE, accepted=True)]
    assert not all_gates(connection)[0].closed
    assert record_gate(connection, replace(GATE, message="again")) == replace(GATE, message="again", accepted=True)

    other_input = replace(GATE, input_digest="digest 2")
    assert record_gate(connection, other_input) == other_input
    assert other_input.closed
    assert record_gate(connection, GATE).closed, "an acceptance does not come back with its input"


def test_nothing_but_a_closed_gate_with_this_very_input_can_be_accepted(connection: Connection) -> None:
    record_gate(connection, GATE)
    record_gate(connection, replace(GATE, partition_key="beta", passed=True))
    for asset, partition_key, gate, digest in (
        ("catalogue_diffs", "alpha", "deleted_share", "digest 2"),
        ("catalogue_diffs", "beta", "deleted_share", "digest 1"),
        ("catalogue_diffs", "gamma", "deleted_share", "digest 1"),
        ("catalogue_diffs", "alpha", "another", "digest 1"),
        ("another", "alpha", "deleted_share", "digest 1"),
    ):
        assert not accept_gate(connection, asset, partition_key, gate, digest)
    assert [gate.accepted for gate in all_gates(connection)] == [False, False]


def test_gates_come_in_the_order_of_their_bytes(connection: Connection) -> None:
    for key in ("b", "Ünï", "B", "a|00of04", "$abc"):
        record_gate(connection, replace(GATE, partition_key=key))
    assert [gate.partition_key for gate in all_gates(connection)] == ["$abc", "B", "a|00of04", "b", "Ünï"]


def test_progress_is_the_last_word_of_each_stage_and_partition(connection: Connection) -> None:
    now = time.time()
    record_progress(connection, "raw_images", "alpha", 0, 10, now - 100, finished=False)
    record_progress(connection, "raw_images", "alpha", 7, 10, now - 60, finished=False)
    record_progress(connection, "raw_images", "beta", 3, 3, now - 70, finished=True)
    record_progress(connection, "fingerprints", "alpha", 0, 0, now - 50, finished=False)
    rows = recent_progress(connection, now - 5)
    assert [replace(row, seconds=0.0) for row in rows] == [
        Progress("raw_images", "beta", 3, 3, 0.0, True),
        Progress("raw_images", "alpha", 7, 10, 0.0, False),
        Progress("fingerprints", "alpha", 0, 0, 0.0, False),
    ]
    assert [row.seconds for row in rows] == pytest.approx([70, 60, 50], abs=5)


def test_stages_that_did_not_move_lately_are_not_told(connection: Connection) -> None:
    record_progress(connection, "raw_images", "alpha", 1, 2, time.time(), finished=False)
    assert recent_progress(connection, time.time() + 60) == []


@contextmanager
def closed_to_newcomers(postgres_url: str, connection: Connection) -> Iterator[None]:
    """The database of `connection`, which stays, lets nobody in while the block runs."""

    def allow(allowed: bool) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(
                sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
                    sql.Identifier(connection.info.dbname), sql.SQL("true" if allowed else "false")
                )
            )

    allow(False)
    try:
        yield
    finally:
        allow(True)
