"""Waiting until nothing is left to do: `run --until-idle` and its verdict.

Belongs here: asking `pending_work` and Dagster's runs whether all is done, and why not. Does not belong here: starting
anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote

from dagster import DagsterEventType, DagsterInstance

from image_assets.chosen_methods import read_methods
from image_assets.commands.progress_lines import progress_lines
from image_assets.partitions import SHARD_KEYS
from image_assets.pending_work import Work, pending_work
from resources.environment import Environment
from resources.ledger import Ledger
from resources.ledger.overview import failed_images, refused_images
from resources.ledger.progress import Progress, recent_progress
from resources.ledger.releases import data_release, newest_loaded
from resources.object_store import ObjectStore
from sensors.requests import Attempts, attempts, unfinished_runs

_ASK_SECONDS = 1.0
_PRINT_SECONDS = 5.0
# Sensors tick every few seconds, on a busy machine every minute.
_PATIENCE_SECONDS = 300.0
_LOOK_AT_SENSORS = "is it switched off in the UI, or does it fail (logs/daemon.log)?"


@dataclass(frozen=True)
class Verdict:
    """How it ended: nothing left (`reasons` empty), or what is stuck or closed, a line each."""

    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()  # told, and no reason: what was left out, objects that are no catalogue or release

    @property
    def done(self) -> bool:
        """Whether everything new has been processed and published."""
        return not self.reasons


def wait_until_idle(
    environment: Environment,
    store: ObjectStore,
    ledger: Ledger,
    instance: DagsterInstance,
    supervisor: str,
    say: Callable[[str], None],
    check_processes: Callable[[], None],
) -> Verdict:
    """Block until nothing can run any more under `supervisor` (its mark).

    `say` gets progress lines; `check_processes` is called about once a second and raises to end the waiting.
    """
    since = last_printed = last_active = time.time()
    last_lines: list[str] = []
    while True:
        check_processes()
        if unfinished_runs(instance):
            last_active = time.time()
        patient = time.time() - last_active < _PATIENCE_SECONDS
        verdict = _verdict(environment, store, ledger, instance, supervisor, patient)
        finished = verdict is not None
        if finished or time.time() - last_printed >= _PRINT_SECONDS:
            last_printed = time.time()
            lines = progress_lines(_progress(ledger, since))
            for line in lines:
                if line not in last_lines:
                    say(line)
            last_lines = lines
        if verdict is not None:
            return verdict
        time.sleep(_ASK_SECONDS)


def _progress(ledger: Ledger, since: float) -> list[Progress]:
    with ledger.connect() as connection:
        return recent_progress(connection, since)


def _verdict(
    environment: Environment,
    store: ObjectStore,
    ledger: Ledger,
    instance: DagsterInstance,
    supervisor: str,
    patient: bool,
) -> Verdict | None:
    """None while something runs or can run. What no sensor asks for is waited for only while `patient`."""
    # Runs first: what a run leaves behind when it ends in between is then seen as pending.
    if unfinished_runs(instance):
        return None
    # Read anew each time, as sensors and runs do: the users' files may change meanwhile.
    methods = read_methods(environment)
    pending = pending_work(store, ledger, methods, SHARD_KEYS, environment.release_wait, environment.rechecks_by)
    known = attempts(instance, pending.work, supervisor)
    able = [item for item in pending.work if not known[item.key].stuck]
    if (able or pending.unnoticed) and patient:
        return None
    unasked = [f"{item.job} {item.partition_key}: no sensor asks for it; {_LOOK_AT_SENSORS}" for item in able]
    if pending.unnoticed:
        unasked.append(f"the newest data release: no sensor takes it up; {_LOOK_AT_SENSORS}")
    stuck = _stuck(instance, [item for item in pending.work if item not in able], known)
    reasons = (*stuck, *unasked, *pending.stopped, *pending.waiting)
    return Verdict(reasons, (*_left_out(ledger), *pending.problems))


def _left_out(ledger: Ledger) -> Iterator[str]:
    """What was left out though no gate is closed: images given up or refused, placeholders of the newest release."""
    with ledger.connect() as connection:
        failed = failed_images(connection)
        refused = refused_images(connection)
        name = newest_loaded(connection)
        release = data_release(connection, name) if name is not None else None
    for partner_id, reasons in failed.items():
        yield (
            f"{partner_id}: {sum(reasons.values()):,} images failed and wait for its next catalogue "
            f"({_counted(reasons)}); to try them now: image-assets retry {quote(partner_id)}"
        )
    if refused:
        yield (
            f"{sum(refused.values()):,} images are rejected ({_counted(refused)}); "
            "which: image-assets failures PARTNER; what to do: docs/reasons.md"
        )
    if release is not None and release.placeholders:
        yield (
            f"release {release.release_id}: {release.placeholders:,} pictures ({release.placeholder_images:,} images) "
            "are left out because many hotels show them or they are blank; "
            f"which: image-assets placeholders {quote(release.release_id)}"
        )


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} × {reason}" for reason, count in reasons.items())


def _stuck(instance: DagsterInstance, work: Sequence[Work], known: dict[str, Attempts]) -> list[str]:
    return [
        f"{item.job} {item.partition_key}: cancelled by hand"
        if known[item.key].cancelled
        else f"{item.job} {item.partition_key}: failed {known[item.key].failures} times; "
        f"{failure_message(instance, known[item.key].last_failed_run)}"
        for item in work
    ]


def failure_message(instance: DagsterInstance, run_id: str | None) -> str:
    """Why a run failed, in one line: the cause at the bottom of its last step failure."""
    if run_id is None:
        return "no run is known"
    for kind in (DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE):
        for record in instance.get_records_for_run(run_id, of_type=kind, ascending=False, limit=1).records:
            event = record.event_log_entry.dagster_event
            error = getattr(event.event_specific_data, "error", None) if event else None
            while error is not None and error.cause is not None:
                error = error.cause
            if error is not None:
                return f"{' '.join(error.message.split())} (run {run_id})"
            if event is not None and event.message:
                return f"{event.message} (run {run_id})"
    return f"see run {run_id}"
