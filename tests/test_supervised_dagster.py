"""Supervision as a whole: a command with a code server, a daemon and a run in progress, on embedded PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml
from homes import assert_no_process_of, fresh_home, kill, processes_of

from image_assets.supervision import ORPHANED_TAG, STOPPED_TAG
from resources.socket_folders import socket_folder

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
# One run that never ends by itself, with a child that ends with it as our decoders do; another one is queued behind it.
DEFINITIONS = """
import subprocess, sys, time
import dagster as dg
from image_assets.supervision import follow_supervisor

follow_supervisor()

@dg.asset
def endless() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    while True:
        time.sleep(0.05)

job = dg.define_asset_job("endless_job", [endless])

@dg.sensor(job=job, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def ask():
    yield dg.RunRequest(run_key="first")
    yield dg.RunRequest(run_key="second")

defs = dg.Definitions([endless], sensors=[ask], executor=dg.in_process_executor)
"""
PROJECTS = yaml.safe_load((ROOT / "dagster.yaml").read_text())
INSTANCE = {
    "storage": {"postgres": {"postgres_url": {"env": "STORAGE"}}},
    "compute_logs": PROJECTS["compute_logs"],
    "run_coordinator": PROJECTS["run_coordinator"],
    "concurrency": {"runs": {"max_concurrent_runs": 1}},
    "telemetry": {"enabled": False},
}
# Says as JSON lines what it knows of the runs, whenever that changes.
COMMAND = """
import json, os, signal, sys, time
from pathlib import Path
import dagster, psycopg
from image_assets.supervision import acquire_supervision, exit_on_stop_signals, fail_orphaned_runs, run_dagster
from resources.ledger.embedded import embedded_postgres

signal.alarm(300)  # so that a test which waits in vain fails
home, ui_port = Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else None
with exit_on_stop_signals(), acquire_supervision(home) as supervision, embedded_postgres(home) as url:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS dagster")
    os.environ |= {"STORAGE": url + "&options=-csearch_path%3Ddagster", "DAGSTER_HOME": str(home / "dagster")}
    said = None
    with dagster.DagsterInstance.get() as instance:
        print(json.dumps(fail_orphaned_runs(instance)), flush=True)
        with run_dagster(supervision, instance, os.environ, module="endless_definitions", ui_port=ui_port) as running:
            while True:
                runs = {run.run_id: [run.status.value, run.tags] for run in instance.get_runs()}
                if runs != said:
                    said = runs
                    print(json.dumps(runs), flush=True)
                time.sleep(0.1)
                running.check()
"""
Runs = dict[str, tuple[str, dict[str, str]]]


@pytest.fixture
def home() -> Iterator[Path]:
    with fresh_home("supervised-") as home:
        (home / "dagster").mkdir()
        (home / "dagster" / "dagster.yaml").write_text(json.dumps(INSTANCE))
        (home / "endless_definitions.py").write_text(DEFINITIONS)
        yield home


@contextmanager
def command(home: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The command, and the runs it failed when it started."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(home)])}
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, home, *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    with process:
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def runs_when(process: subprocess.Popen[str], **expected: int) -> Runs:
    """The runs as soon as there are so many of each status, no more and no fewer."""
    assert process.stdout is not None
    for line in process.stdout:
        runs: Runs = json.loads(line)
        statuses = [status for status, _ in runs.values()]
        if all(statuses.count(status) == number for status, number in expected.items()):
            return runs
    raise AssertionError("the command ended")


def run_in(runs: Runs, status: str) -> str:
    return next(run_id for run_id, (found, _) in runs.items() if found == status)


def test_a_killed_command_leaves_no_process_and_the_next_one_fails_its_run_and_goes_on(home: Path) -> None:
    with command(home) as (process, _):
        run = run_in(runs_when(process, STARTED=1, QUEUED=1), "STARTED")
        assert len(processes_of(home)) > 8  # command, code server, daemon, run, keeper, server and its own
        process.kill()
        assert_no_process_of(home)
    with command(home) as (process, orphaned):
        assert orphaned == [run]
        runs = runs_when(process, STARTED=1, QUEUED=0, FAILURE=1)
        assert runs[run][0] == "FAILURE"
        assert runs[run][1][ORPHANED_TAG] == "true"


def test_after_a_kill_of_every_process_the_next_command_fails_its_run_and_goes_on(home: Path) -> None:
    with command(home) as (process, _):
        run = run_in(runs_when(process, STARTED=1), "STARTED")
        kill(processes_of(home))
        assert_no_process_of(home)
    with command(home) as (_, orphaned):
        assert orphaned == [run]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_in_order_cancels_the_run_and_keeps_the_queue(home: Path, stop: signal.Signals) -> None:
    with command(home) as (process, _):
        runs = runs_when(process, STARTED=1, QUEUED=1)
        process.send_signal(stop)
        assert process.wait(timeout=60) == 128 + stop
        assert processes_of(home) == []
        assert not socket_folder(home, "code").exists()
    with command(home) as (process, orphaned):
        assert orphaned == []
        runs = runs_when(process, CANCELED=1)
        assert runs[run_in(runs, "CANCELED")][1][STOPPED_TAG] == "true"
        assert runs_when(process, STARTED=1, CANCELED=1, QUEUED=0)


def test_a_killed_code_server_is_replaced_and_its_run_failed(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free_port = probe.getsockname()[1]
    with command(home, str(free_port)) as (process, _):
        run = run_in(runs_when(process, STARTED=1, QUEUED=1), "STARTED")
        children = psutil.Process(process.pid).children(recursive=True)
        code_server = next(p for p in children if "grpc" in p.cmdline())
        below = code_server.children(recursive=True)
        code_server.kill()
        runs = runs_when(process, STARTED=1, FAILURE=1)
        assert runs[run][1][ORPHANED_TAG] == "true"
        assert not psutil.wait_procs(below, timeout=20)[1]


def test_definitions_that_do_not_load_are_reported_with_the_log(home: Path) -> None:
    (home / "endless_definitions.py").write_text("raise ValueError('no such recipe')")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(home)])}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, home], capture_output=True, text=True, env=environment, check=False, timeout=90
    )
    assert done.returncode == 1
    assert "Dagster's code server ended while it was starting (exit code 1)" in done.stderr
    assert "no such recipe" in done.stderr
    assert processes_of(home) == []
