"""Runs whose process died without a word are found by the command that lives on; all others are left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData

from image_assets.supervision.dead_runs import DeadRunWatch, watch_dead_runs

Status = dg.DagsterRunStatus


@dg.job
def nothing() -> None: ...


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        yield process
        process.kill()


def run_of(instance: dg.DagsterInstance, pid: int | None, status: Status = Status.STARTED) -> dg.DagsterRun:
    """A run that says of itself what Dagster's run workers say; None: it has not got so far."""
    run = instance.create_run_for_job(nothing, status=status)
    if pid is not None:
        instance.report_engine_event("Started process for run.", run, EngineEventData.in_process(pid))
    return run


def status_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Status:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def look(watch: DeadRunWatch, instance: dg.DagsterInstance) -> list[str]:
    """This process stands for the code server: the runs' processes are its children."""
    return watch_dead_runs(watch, instance, os.getpid(), every=0)


def test_a_run_whose_process_was_killed_is_failed_at_the_second_look(
    instance: dg.DagsterInstance, process: subprocess.Popen[bytes]
) -> None:
    run, watch = run_of(instance, process.pid), DeadRunWatch(0)
    assert [look(watch, instance), look(watch, instance)] == [[], []]
    process.kill()
    assert look(watch, instance) == []
    assert status_of(instance, run) == Status.STARTED
    assert look(watch, instance) == [run.run_id]
    assert status_of(instance, run) == Status.FAILURE
    assert look(watch, instance) == []


def test_a_run_that_ends_by_itself_after_the_first_look_is_left_as_it_ended(
    instance: dg.DagsterInstance, process: subprocess.Popen[bytes]
) -> None:
    run, watch = run_of(instance, process.pid), DeadRunWatch(0)
    process.kill()
    look(watch, instance)
    instance.report_run_canceled(run)
    assert look(watch, instance) == []
    assert status_of(instance, run) == Status.CANCELED


def test_a_run_that_died_while_it_was_being_canceled_is_canceled(
    instance: dg.DagsterInstance, process: subprocess.Popen[bytes]
) -> None:
    run, watch = run_of(instance, process.pid, Status.CANCELING), DeadRunWatch(0)
    process.kill()
    process.wait()
    look(watch, instance)
    assert look(watch, instance) == [run.run_id]
    assert status_of(instance, run) == Status.CANCELED


def test_a_process_that_is_not_the_code_servers_does_not_pass_for_a_run(instance: dg.DagsterInstance) -> None:
    run, watch = run_of(instance, os.getppid()), DeadRunWatch(0)
    look(watch, instance)
    assert look(watch, instance) == [run.run_id]


def test_a_run_that_has_no_process_yet_is_left_to_dagsters_own_limit(instance: dg.DagsterInstance) -> None:
    run, watch = run_of(instance, None, Status.STARTING), DeadRunWatch(0)
    assert [look(watch, instance), look(watch, instance)] == [[], []]
    assert status_of(instance, run) == Status.STARTING
