"""Supervision, part by part, with real processes: whose turn it is, who dies with whom, and what becomes of runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil
import pytest

from image_assets.supervision import (
    ORPHANED_TAG,
    ProgramEnded,
    SupervisedElsewhere,
    Supervision,
    acquire_supervision,
    fail_orphaned_runs,
    follow_supervisor,
)
from image_assets.supervision.children import restart_child, start_child, stop_child
from image_assets.supervision.dagster_processes import check_port
from image_assets.supervision.following import SUPERVISOR_VARIABLE, mark_of
from resources.processes import lives

ROOT = Path(__file__).parents[1]
FOREVER = "import signal; signal.pause()"

# Takes the supervision of a home, starts one marked process that looks after nothing, and waits.
SUPERVISOR = f"""
import os, signal, subprocess, sys
from pathlib import Path
from image_assets.supervision import acquire_supervision
with acquire_supervision(Path(sys.argv[1])) as supervision:
    supervision.announce("http://127.0.0.1:3000")
    environment = os.environ | {{"{SUPERVISOR_VARIABLE}": supervision.mark}}
    left = subprocess.Popen([sys.executable, "-c", {FOREVER!r}], env=environment, start_new_session=True)
    print(left.pid, flush=True)
    signal.pause()
"""
# Follows the supervisor that the environment names, with a child of its own that does not.
FOLLOWER = f"""
import signal, subprocess, sys
from image_assets.supervision.following import follow_supervisor
child = subprocess.Popen([sys.executable, "-c", {FOREVER!r}])
follow_supervisor()
follow_supervisor()
print(child.pid, flush=True)
signal.pause()
"""
# Follows, and cannot open another file from then on.
FULL_FOLLOWER = """
import os, resource, signal
from image_assets.supervision.following import follow_supervisor
follow_supervisor()
last = os.open("/dev/null", os.O_RDONLY)
resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, last + 1))
print(flush=True)
signal.pause()
"""
STOPPED_IN_ORDER = """
import os, signal
from image_assets.supervision import exit_on_stop_signals
with exit_on_stop_signals():
    try:
        print("ready", flush=True)
        signal.pause()
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        print("closed", flush=True)
"""


def ends(*processes: psutil.Process) -> bool:
    return not psutil.wait_procs(processes, timeout=20)[1]


@contextmanager
def running(*command: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A Python process and the first line it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", *command], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | variables
    )
    assert process.stdout is not None
    with process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_second_supervisor_is_told_of_the_first_until_that_one_is_dead(tmp_path: Path) -> None:
    with running(SUPERVISOR, str(tmp_path)) as (first, _):
        with acquire_supervision(tmp_path) as held:
            assert held == SupervisedElsewhere(first.pid, "http://127.0.0.1:3000")
        first.kill()
        first.wait()
        with acquire_supervision(tmp_path) as held:
            assert isinstance(held, Supervision)


def test_what_a_killed_supervisor_left_behind_is_gone_before_the_next_one_begins(tmp_path: Path) -> None:
    with running(SUPERVISOR, str(tmp_path)) as (first, printed):
        left = int(printed)
        first.kill()
        first.wait()
        assert lives(left)
        with acquire_supervision(tmp_path) as held:
            assert isinstance(held, Supervision)
            assert not lives(left), "at most a zombie, until its new parent looks"


def test_a_process_and_its_children_die_with_the_supervisor_they_are_not_children_of() -> None:
    with (
        running(f"print(flush=True); {FOREVER}") as (supervisor, _),
        running(FOLLOWER, **{SUPERVISOR_VARIABLE: mark_of(supervisor.pid)}) as (follower, printed),
    ):
        child = psutil.Process(int(printed))
        assert follower.poll() is None
        supervisor.kill()
        assert follower.wait(timeout=20) == -signal.SIGKILL
        assert ends(child)


def test_a_process_with_too_many_open_files_dies_with_its_supervisor() -> None:
    with (
        running(f"print(flush=True); {FOREVER}") as (supervisor, _),
        running(FULL_FOLLOWER, **{SUPERVISOR_VARIABLE: mark_of(supervisor.pid)}) as (follower, _),
    ):
        supervisor.kill()
        assert follower.wait(timeout=20) == -signal.SIGKILL


def test_a_process_that_comes_after_its_supervisors_death_dies_at_once() -> None:
    with running("print(flush=True)") as (dead, _):
        dead.wait()
    reused = f"{os.getpid()}:1"  # our number, another process's start
    for mark in (f"{dead.pid}:1", reused):
        with running(FOLLOWER, **{SUPERVISOR_VARIABLE: mark}) as (follower, printed):
            assert follower.wait(timeout=20) == -signal.SIGKILL
            assert printed == ""


def test_without_a_supervisor_nothing_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SUPERVISOR_VARIABLE, raising=False)
    follow_supervisor()


def test_a_program_that_keeps_ending_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    child = start_child("code server", [sys.executable, "-c", "exit('no such table')"], os.environ, tmp_path)
    for _ in range(5):
        child.process.wait()
        assert child.ended()
        restart_child(child)
    child.process.wait()
    with pytest.raises(ProgramEnded, match=r"6 times within a minute \(exit code 1\)(.|\n)*no such table$"):
        restart_child(child)
    assert (tmp_path / "code-server.log").read_text().splitlines() == ["no such table"] * 6


def test_a_program_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {FOREVER}"
    child = start_child("daemon", [sys.executable, "-c", deaf], os.environ, tmp_path)
    while not child.log.read_text():
        assert not child.ended()
    stop_child(child, patience=0.1)
    assert child.process.returncode == -signal.SIGKILL


def test_a_stop_signal_closes_everything_and_a_second_one_does_not_cut_it_short() -> None:
    with running(STOPPED_IN_ORDER) as (process, printed):
        assert printed == "ready"
        process.terminate()
        assert process.stdout is not None
        assert process.stdout.read() == "closed\n"
        assert process.wait() == 128 + signal.SIGTERM


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} is taken"):
            check_port(port)
    check_port(port)


def test_runs_whose_processes_are_dead_are_failed_and_all_others_left_alone(tmp_path: Path) -> None:
    @dg.job
    def nothing() -> None: ...

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        statuses = set(dg.DagsterRunStatus) - {dg.DagsterRunStatus.QUEUED}  # those exist only in a code location
        runs = {s: instance.create_run_for_job(nothing, status=s).run_id for s in statuses}
        dead = {dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING}
        assert set(fail_orphaned_runs(instance)) == {runs[status] for status in dead}
        assert fail_orphaned_runs(instance) == []

        for status, run_id in runs.items():
            run = instance.get_run_by_id(run_id)
            assert run is not None
            assert run.tags.get(ORPHANED_TAG) == ("true" if status in dead else None)
            if status == dg.DagsterRunStatus.CANCELING:
                assert run.status == dg.DagsterRunStatus.CANCELED
            else:
                assert run.status == (dg.DagsterRunStatus.FAILURE if status in dead else status)


def test_runs_that_another_service_keeps_are_left_alone(tmp_path: Path) -> None:
    @dg.job
    def nothing() -> None: ...

    launcher = {"module": "dagster._core.launcher.sync_in_memory_run_launcher", "class": "SyncInMemoryRunLauncher"}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"run_launcher": launcher}) as instance:
        run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
        assert fail_orphaned_runs(instance) == []
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        assert found.status == dg.DagsterRunStatus.STARTED
