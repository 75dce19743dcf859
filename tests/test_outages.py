"""Database or store gone: waited for as long as allowed, then the cause; what is no outage is told at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from image_assets.outages import OutageLasted, wait_out, wait_out_async
from resources.ledger import Ledger


def coming_back(faults: int, error: Exception) -> Callable[[], str]:
    """Fails so many times, then works."""
    left = [error] * faults

    def operation() -> str:
        if left:
            raise left.pop()
        return "done"

    return operation


def in_the_loop(operation: Callable[[], str]) -> Callable[[], Awaitable[str]]:
    async def awaited() -> str:
        return operation()

    return awaited


@pytest.mark.parametrize(
    "error", [psycopg.OperationalError("gone"), GenericError("gone"), ConnectionError("gone"), OSError(28, "full")]
)
def test_an_outage_is_waited_out(error: Exception) -> None:
    assert wait_out("it", coming_back(2, error), 30) == "done"
    assert asyncio.run(wait_out_async("it", in_the_loop(coming_back(2, error)), 30)) == "done"


def test_an_outage_that_lasts_is_told_with_its_cause() -> None:
    operation = coming_back(1000, psycopg.OperationalError("connection refused"))
    with pytest.raises(OutageLasted, match=r"the database was gone for .* connection refused"):
        wait_out("the database", operation, 0.3)
    with pytest.raises(OutageLasted, match=r"the store was gone"):
        asyncio.run(wait_out_async("the store", in_the_loop(operation), 0.3))


@pytest.mark.parametrize(
    "error",
    [ValueError("a mistake"), FileNotFoundError("no such key"), PermissionDeniedError("no"), PermissionError("no")],
)
def test_what_waiting_does_not_mend_is_told_at_once(error: Exception) -> None:
    with pytest.raises(type(error)):
        wait_out("it", coming_back(1, error), 30)


def test_a_query_goes_on_when_its_server_side_was_killed(ledger: Ledger, postgres_url: str) -> None:
    """The connection is broken by the server, as at its restart, while the query waits for a lock."""
    from image_assets.stage_run import StageRun

    class Context:
        log = None

    run = StageRun(Context(), ledger, "raw_images", "p")  # type: ignore[arg-type]
    victim = run.connection.info.backend_pid
    started = threading.Event()
    asked = []

    def query(connection: psycopg.Connection) -> int:
        asked.append(connection.info.backend_pid)
        if len(asked) == 1:
            started.set()
            connection.execute("SELECT pg_sleep(60)")
        return 7

    def kill() -> None:
        started.wait()
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [victim])

    killer = threading.Thread(target=kill)
    killer.start()
    assert run.ask(query) == 7
    killer.join()
    run.close()
    assert len(set(asked)) == 2


def test_the_wait_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from resources.environment import EnvironmentProblem, read_environment

    assert read_environment({}).outage_wait.total_seconds() == 300
    assert read_environment({"OUTAGE_WAIT": "20s"}).outage_wait.total_seconds() == 20
    with pytest.raises(EnvironmentProblem, match="OUTAGE_WAIT"):
        read_environment({"OUTAGE_WAIT": "soon"})
