"""A command outlives outages that end in time; everything else, and outages without end, end it with the cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from image_assets.commands.outliving import outlive_outages
from image_assets.commands.services import dagster_environment
from image_assets.outages import OutageLasted
from resources.environment import Environment, read_environment
from resources.ledger import Ledger


def environment_with(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, outage_wait: str
) -> Environment:
    environment = read_environment(
        {"IMAGE_ASSETS_HOME": str(tmp_path / "home"), "DATABASE_URL": database_url, "OUTAGE_WAIT": outage_wait}
    )
    for name, value in dagster_environment(environment, database_url).items():
        monkeypatch.setenv(name, value)
    return environment


def ended_by(*faults: Exception) -> Callable[[Ledger], str]:
    """Work that each of the faults ends once; then it is done."""
    left = list(faults)

    def work(ledger: Ledger) -> str:
        with ledger.connect() as connection:
            connection.execute("SELECT 1")
        if left:
            raise left.pop(0)
        return "done"

    return work


def test_work_that_an_outage_ended_is_begun_anew_and_told_once(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = environment_with(tmp_path, database_url, monkeypatch, "30s")
    said: list[str] = []
    assert outlive_outages(environment, ended_by(psycopg.OperationalError("gone")), said.append) == "done"
    assert ["is gone" in line for line in said] == [True, False]
    assert "answers again" in said[1]


def test_outages_without_end_end_the_command_although_the_database_answers_in_between(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = environment_with(tmp_path, database_url, monkeypatch, "1s")

    def work(_ledger: Ledger) -> None:
        raise psycopg.OperationalError("the disk is full")

    with pytest.raises(OutageLasted, match=r"again and again .* the disk is full"):
        outlive_outages(environment, work, print)


def test_a_fault_that_no_outage_explains_ends_the_command(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = environment_with(tmp_path, database_url, monkeypatch, "30s")
    with pytest.raises(OSError, match="port 3000 is taken"):
        outlive_outages(environment, ended_by(OSError(98, "port 3000 is taken")), print)


def test_a_database_that_never_answered_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = "postgresql://user:secret@127.0.0.1:1/none"
    environment = environment_with(tmp_path, nobody, monkeypatch, "1h")
    with pytest.raises(Exception, match="refused"):
        outlive_outages(environment, ended_by(), print)
