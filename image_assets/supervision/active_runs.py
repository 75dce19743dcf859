"""What becomes of Dagster's runs when their processes end. Does not belong here: asking for runs again.

Runs that wait in the queue are left there, and so are runs created but not yet enqueued: Dagster's sensor and
backfill daemons look for those after a crash and enqueue them.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

ORPHANED_TAG = "image_assets/orphaned"  # its processes were killed
STOPPED_TAG = "image_assets/stopped"  # our command stopped and took it along
_POLL_SECONDS = 0.1


def active_runs(instance: DagsterInstance) -> list[DagsterRun]:
    """Runs that should have a process: starting, started or being canceled."""
    from dagster import DagsterRunStatus, RunsFilter

    statuses = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    return list(instance.get_runs(RunsFilter(statuses=statuses)))


def runs_are_our_children(instance: DagsterInstance) -> bool:
    """Whether runs are processes below our code server, not tasks that another service keeps."""
    from dagster._core.launcher import DefaultRunLauncher

    return isinstance(instance.run_launcher, DefaultRunLauncher)


def fail_orphaned_runs(instance: DagsterInstance, orphaned: Collection[str] | None = None) -> list[str]:
    """Report every active run as failed (canceled, if that was asked for) and tag it; their ids.

    To be called only when no run's process can be alive: by the holder of the supervision, before it starts a code
    server; or later for the runs, by id, that were active then. Dagster's own run retries leave these runs alone, since
    the ledger says what is still to do. With another launcher than the default one it does nothing: its runs go on
    without us.
    """
    from dagster import DagsterRunStatus
    from dagster._core.storage.tags import MAX_RETRIES_TAG

    if not runs_are_our_children(instance):
        return []
    runs = [run for run in active_runs(instance) if orphaned is None or run.run_id in orphaned]
    for run in runs:
        instance.add_run_tags(run.run_id, {ORPHANED_TAG: "true", MAX_RETRIES_TAG: "0"})
        if run.status == DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, "Its process was killed before it could answer the cancellation.")
        else:
            instance.report_run_failed(run, "Its process was killed: the command that ran it is gone.")
    return [run.run_id for run in runs]


@contextmanager
def _unless_the_database_is_gone() -> Iterator[None]:
    """Without Dagster's database no run can be reported; the next start finds them. Why we stop matters more."""
    from dagster_postgres.utils import DagsterPostgresException
    from sqlalchemy.exc import DBAPIError

    with suppress(DagsterPostgresException, DBAPIError):
        yield


@_unless_the_database_is_gone()
def cancel_active_runs(instance: DagsterInstance, patience: float) -> None:
    """Tag every active run as stopped by us, cancel it, and wait up to `patience` seconds for all to end."""
    from dagster import DagsterError, DagsterRunStatus

    if not runs_are_our_children(instance):
        return
    for run in active_runs(instance):
        instance.add_run_tags(run.run_id, {STOPPED_TAG: "true"})
        if run.status != DagsterRunStatus.CANCELING:
            try:
                instance.run_launcher.terminate(run.run_id)
            except DagsterError:  # the code server is gone: the run is reported by the next step
                continue
    deadline = time.monotonic() + patience
    while active_runs(instance) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


@_unless_the_database_is_gone()
def report_stopped_runs(instance: DagsterInstance) -> None:
    """Report runs that did not answer their cancellation as canceled; their processes are gone."""
    if runs_are_our_children(instance):
        for run in active_runs(instance):
            instance.add_run_tags(run.run_id, {STOPPED_TAG: "true"})  # not said yet if the database came back just now
            instance.report_run_canceled(run, "The command that ran it stopped.")
