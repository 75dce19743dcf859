"""Runs whose process died silently while our command lives on.

The code server reports a process that died, such as one killed for lack of memory. But the thread that reports it ends
for good when Dagster's database is down at such a moment; from then on nobody reports these runs, and Dagster takes
them for running for ever. Does not belong here: runs that died with their code server or command (active_runs).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from image_assets.supervision.active_runs import active_runs, runs_are_our_children
from resources.processes import lives

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

_LOOK_SECONDS = 30.0


@dataclass
class DeadRunWatch:
    """When was the last look, and which active runs had no process then."""

    last_look: float
    missed: frozenset[str] = frozenset()


def watch_dead_runs(
    watch: DeadRunWatch, instance: DagsterInstance, code_server: int, every: float = _LOOK_SECONDS
) -> list[str]:
    """Every so many seconds, report the runs that two looks in a row found without a process; their ids.

    `code_server` is the process id of their parent. They are reported as the code server would do it, as failed (as
    canceled, if that was asked for), and are asked for again. It takes two looks because a run may end between the
    two questions: which runs are active, and which processes live.
    """
    now = time.monotonic()
    if now - watch.last_look < every or not runs_are_our_children(instance):
        return []
    watch.last_look = now
    started = [(run, _processes(instance, run)) for run in active_runs(instance)]
    living = _living_children(code_server)
    # One that never had a process is failed by Dagster's run monitoring.
    without = {run.run_id: run for run, processes in started if processes and not processes & living}
    dead = [run for run_id, run in without.items() if run_id in watch.missed]
    for run in dead:
        _report(instance, run)
    watch.missed = frozenset(without) - {run.run_id for run in dead}
    return [run.run_id for run in dead]


def _report(instance: DagsterInstance, run: DagsterRun) -> None:
    from dagster import DagsterRunStatus

    message = "Its process died without a word: killed, or the database was gone when it ended."
    if run.status == DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, message)


def _processes(instance: DagsterInstance, run: DagsterRun) -> set[int]:
    """The ids of the processes that said they work on the run."""
    from dagster import DagsterEventType

    records = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.ENGINE_EVENT).records
    events = [record.event_log_entry.dagster_event for record in records]
    said = [event.engine_event_data.metadata.get("pid") for event in events if event is not None]
    return {int(str(pid.value)) for pid in said if pid is not None}


def _living_children(pid: int) -> set[int]:
    try:
        children = psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return set()
    return {child.pid for child in children if lives(child.pid)}
