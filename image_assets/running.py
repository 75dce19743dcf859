"""`image-assets dev` and `image-assets run`: the embedded services and Dagster's processes, for as long as wanted.

Belongs here: the order in which parts start and who waits for whom. Does not belong here: how processes are kept
(supervision), when all is done (until_idle), texts of arguments (cli).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import psutil
from dagster import DagsterInstance

from image_assets.definitions import read_methods
from image_assets.services import ready_ledger
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
from image_assets.until_idle import Verdict, wait_until_idle
from resources.environment import Environment
from resources.ledger import Ledger
from resources.object_store import open_store
from resources.partners import load_partners

_WATCH_SECONDS = 1.0


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
        with ready_ledger(environment), _pages(environment, ui_port):
            _check_users_files(environment)
            instance = DagsterInstance.get()
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
        while True:
            with acquire_supervision(environment.home) as supervision, ready_ledger(environment) as ledger:
                try:
                    if isinstance(supervision, Supervision):
                        return _work_until_idle(environment, supervision, ledger, say)
                    say(f"Process {supervision.pid} is at work on {environment.home}; waiting with it.")
                    mark, check = _other(supervision.pid)
                    return _wait(environment, ledger, DagsterInstance.get(), mark, say, check)
                except _SupervisorGone:
                    say("It ended; taking over.")


def _work_until_idle(
    environment: Environment, supervision: Supervision, ledger: Ledger, say: Callable[[str], None]
) -> Verdict:
    _check_users_files(environment)
    instance = DagsterInstance.get()
    fail_orphaned_runs(instance)
    with run_dagster(supervision, instance, os.environ) as processes:
        return _wait(environment, ledger, instance, supervision.mark, say, processes.check)


def _wait(
    environment: Environment,
    ledger: Ledger,
    instance: DagsterInstance,
    supervisor: str,
    say: Callable[[str], None],
    check: Callable[[], None],
) -> Verdict:
    methods = read_methods(environment, load_partners(environment.partners_file))
    store = open_store(environment.store_url)
    return wait_until_idle(environment, store, ledger, methods, instance, supervisor, say, check)


def _check_users_files(environment: Environment) -> None:
    """Mistakes in the users' files are told before anything starts."""
    read_methods(environment, load_partners(environment.partners_file))
    open_store(environment.store_url)


def _other(pid: int) -> tuple[str, Callable[[], None]]:
    """The mark of the supervisor that is at work, and a check that raises when it is gone."""
    try:
        mark = mark_of(pid)
    except ProcessLookupError:
        raise _SupervisorGone from None

    def check() -> None:
        if not psutil.pid_exists(pid):
            raise _SupervisorGone

    return mark, check
