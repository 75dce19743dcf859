"""`image-assets dev` and `image-assets run`: the embedded services and Dagster's processes, for as long as wanted.

Belongs here: the order in which parts start and who waits for whom. Does not belong here: how processes are kept
(supervision), outages (outliving), when all is done (until_idle), texts of arguments (cli).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial

from dagster import DagsterInstance

from image_assets.chosen_methods import read_methods
from image_assets.commands.outliving import outlive_outages
from image_assets.commands.services import dagster_instance
from image_assets.commands.until_idle import Verdict, wait_until_idle
from image_assets.store_pages import serve_pages
from image_assets.supervision import (
    SupervisedElsewhere,
    Supervision,
    acquire_supervision,
    exit_on_stop_signals,
    fail_orphaned_runs,
    run_dagster,
)
from image_assets.supervision.following import mark_of
from resources.environment import RECHECKS_BY_VARIABLE, Environment
from resources.ledger import Ledger
from resources.ledger.connection import present
from resources.object_store import open_store
from resources.processes import lives

_WATCH_SECONDS = 1.0
_TAKEOVER_SECONDS = 0.2


class AlreadyRunning(RuntimeError):
    """Another command supervises this home; the message says which, and where its UI is."""


class _SupervisorGone(Exception):
    """The command that did the work ended; somebody else must take it up."""


def run_for_ever(environment: Environment, ui_port: int | None, say: Callable[[str], None]) -> None:
    """Keep the daemon, and the UI when it has a port, running until a stop signal."""
    with exit_on_stop_signals(), acquire_supervision(environment.home) as supervision:
        if isinstance(supervision, SupervisedElsewhere):
            ui = f"; its UI is {supervision.url}" if supervision.url else ""
            raise AlreadyRunning(f"Process {supervision.pid} runs on {environment.home} already{ui}.")
        say(f"Starting in {environment.home} …")
        _check_users_files(environment)
        outlive_outages(environment, partial(_work_for_ever, environment, supervision, ui_port, say), say)


def _work_for_ever(
    environment: Environment,
    supervision: Supervision,
    ui_port: int | None,
    say: Callable[[str], None],
    _ledger: Ledger,
) -> None:
    with _pages(environment, ui_port):
        instance = dagster_instance(environment)
        fail_orphaned_runs(instance)
        with run_dagster(supervision, instance, os.environ, ui_port=ui_port) as processes:
            say(f"Store: {environment.store_url}")
            if ui_port is not None:
                say(f"UI:    {processes.ui_url}")
            say("Ctrl-C stops everything.")
            while True:
                processes.check()
                time.sleep(_WATCH_SECONDS)


def _pages(environment: Environment, ui_port: int | None) -> AbstractContextManager[None]:
    return nullcontext() if ui_port is None else serve_pages(environment.store_url, ui_port + 1)


def run_until_idle(environment: Environment, say: Callable[[str], None]) -> Verdict:
    """Process and publish all that is new; beside a command that does this already, wait with it."""
    with exit_on_stop_signals():
        _check_users_files(environment)
        return outlive_outages(environment, partial(_until_idle, environment, say), say)


def _until_idle(environment: Environment, say: Callable[[str], None], ledger: Ledger) -> Verdict:
    # What is due ever again within minutes would keep us for ever.
    with ledger.connect() as connection:
        environment = replace(environment, rechecks_by=present(connection))
    while True:
        with acquire_supervision(environment.home) as supervision:
            try:
                if isinstance(supervision, Supervision):
                    return _work_until_idle(environment, supervision, ledger, say)
                mark, check = _other(supervision.pid, say)
                say(f"Process {supervision.pid} is at work on {environment.home}; waiting with it.")
                return _wait(environment, ledger, dagster_instance(environment), mark, say, check)
            except _SupervisorGone:
                time.sleep(_TAKEOVER_SECONDS)


def _work_until_idle(
    environment: Environment, supervision: Supervision, ledger: Ledger, say: Callable[[str], None]
) -> Verdict:
    instance = dagster_instance(environment)
    fail_orphaned_runs(instance)
    variables = {**os.environ, RECHECKS_BY_VARIABLE: str(environment.rechecks_by)}
    with run_dagster(supervision, instance, variables) as processes:
        return _wait(environment, ledger, instance, supervision.mark, say, processes.check)


def _wait(
    environment: Environment,
    ledger: Ledger,
    instance: DagsterInstance,
    supervisor: str,
    say: Callable[[str], None],
    check: Callable[[], None],
) -> Verdict:
    return wait_until_idle(environment, open_store(environment.store_url), ledger, instance, supervisor, say, check)


def _check_users_files(environment: Environment) -> None:
    """Raise for mistakes in the users' files, and for a store that does not answer, before anything starts."""
    read_methods(environment)
    any(open_store(environment.store_url).objects("data-releases"))


def _other(pid: int, say: Callable[[str], None]) -> tuple[str, Callable[[], None]]:
    """The mark of the supervisor that is at work, and a check that raises when it is gone."""
    try:
        mark = mark_of(pid)
    except ProcessLookupError:
        raise _SupervisorGone from None

    def check() -> None:
        if not _supervises(pid, mark):
            say("It ended; taking over.")
            raise _SupervisorGone

    return mark, check


def _supervises(pid: int, mark: str) -> bool:
    """Whether the process that bears the mark is still there."""
    try:
        return mark_of(pid) == mark and lives(pid)
    except ProcessLookupError:
        return False
