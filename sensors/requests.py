"""From pending work to Dagster's run requests: not twice at once, not for ever.

Belongs here: looking at Dagster's own runs. Does not belong here: what is pending.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

from image_assets.pending_work import PendingWork, Work
from image_assets.supervision import ORPHANED_TAG
from image_assets.supervision.following import SUPERVISOR_VARIABLE

# In Dagster's own namespace, so that the UI's list of runs folds them away.
WORK_TAG = "dagster/image_assets_work"
ROUND_TAG = "dagster/image_assets_round"
REQUESTS_A_TICK = 25
# Dagster retries infrastructure faults by itself; a run that still fails this often needs a person.
FAILURES_A_ROUND = 3

ACTIVE = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Attempts:
    """What Dagster knows of one piece of work."""

    runs: int
    failures: int
    last_failed_run: str | None

    @property
    def stuck(self) -> bool:
        """Whether it failed too often in this round to be asked for again."""
        return self.failures >= FAILURES_A_ROUND


def active_runs(instance: DagsterInstance) -> list[DagsterRun]:
    """All runs that are queued or at work."""
    return list(instance.get_runs(RunsFilter(statuses=ACTIVE)))


def attempts(instance: DagsterInstance, work: Sequence[Work], supervisor: str) -> dict[str, Attempts]:
    """Work key -> its runs so far and its failures in this round, by one query.

    Every start of our commands (a new supervisor) begins a new round.
    """
    if not work:
        return {}
    runs = instance.get_runs(RunsFilter(tags={WORK_TAG: [item.key for item in work]}))
    found = {}
    for item in work:
        own = [run for run in runs if run.tags.get(WORK_TAG) == item.key]
        failed = [
            run
            for run in own
            if run.status == DagsterRunStatus.FAILURE
            and run.tags.get(ROUND_TAG) == supervisor
            and ORPHANED_TAG not in run.tags
        ]
        found[item.key] = Attempts(len(own), len(failed), failed[0].run_id if failed else None)
    return found


def run_requests(instance: DagsterInstance, work: Sequence[Work]) -> list[dg.RunRequest]:
    """Requests for what is not at work already, at most REQUESTS_A_TICK, in the order given."""
    busy = {(run.job_name, run.tags.get("dagster/partition")) for run in active_runs(instance)}
    free = [item for item in work if (item.job, item.partition_key) not in busy]
    supervisor = os.environ.get(SUPERVISOR_VARIABLE, "")
    known = attempts(instance, free, supervisor)
    # Stuck work is left out before the cut: much of it must not keep the rest from running.
    able = [item for item in free if not known[item.key].stuck]
    return [_request(item, known[item.key].runs, supervisor) for item in able[:REQUESTS_A_TICK]]


def sensor_result(
    context: dg.SensorEvaluationContext,
    pending: PendingWork,
    work: Sequence[Work],
    new_partitions: dg.AddDynamicPartitionsRequest | None,
) -> dg.SensorResult:
    """A tick's outcome: requests for `work`, or why there are none."""
    for line in pending.problems:
        context.log.warning(line)
    requests = run_requests(context.instance, work)
    reasons = [*pending.stopped, *pending.waiting] or ["nothing is pending"]
    if work:
        reasons = ["runs for all that is pending are queued, at work, or failed too often"]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "; ".join(reasons),
        dynamic_partitions_requests=[new_partitions] if new_partitions else [],
    )


def _request(item: Work, attempt: int, supervisor: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{item.key}:{attempt}",
        job_name=item.job,
        partition_key=item.partition_key,
        asset_selection=[dg.AssetKey(name) for name in item.assets] or None,
        tags={WORK_TAG: item.key, ROUND_TAG: supervisor},
    )
