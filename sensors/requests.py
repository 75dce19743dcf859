"""From pending work to Dagster's run requests: not twice at once, not for ever.

Belongs here: looking at Dagster's own runs. Does not belong here: what is pending.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunRecord, RunsFilter

from image_assets.pending_work import PendingWork, Work
from image_assets.supervision import ORPHANED_TAG, STOPPED_TAG
from image_assets.supervision.following import SUPERVISOR_VARIABLE

# In Dagster's own namespace, so that the UI's list of runs folds them away.
WORK_TAG = "dagster/image_assets_work"
ROUND_TAG = "dagster/image_assets_round"
REQUESTS_A_TICK = 25
# Dagster retries infrastructure faults by itself; what still fails this often is given time, or needs a person.
FAILURES_A_ROUND = 3
_FIRST_REST_SECONDS = 15 * 60
_LONGEST_REST_SECONDS = 6 * 3600

UNFINISHED = [
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
    last_failed_at: float = 0.0
    cancelled: bool = False

    @property
    def stuck(self) -> bool:
        """Whether it failed too often in this round, or somebody cancelled it: not to be asked for again at once."""
        return self.cancelled or self.failures >= FAILURES_A_ROUND

    def able(self, now: float) -> bool:
        """Whether to ask at the Unix time `now`. What is stuck rests 15 minutes, then ever longer, up to 6 hours.

        What a person cancelled is theirs until its input changes or a new round begins.
        """
        if self.cancelled:
            return False
        extra = self.failures - FAILURES_A_ROUND
        rest = min(_FIRST_REST_SECONDS * 4**extra, _LONGEST_REST_SECONDS) if extra >= 0 else 0
        return now >= self.last_failed_at + rest


def unfinished_runs(instance: DagsterInstance) -> list[DagsterRun]:
    """All runs that are queued or at work."""
    return list(instance.get_runs(RunsFilter(statuses=UNFINISHED)))


def attempts(instance: DagsterInstance, work: Sequence[Work], supervisor: str) -> dict[str, Attempts]:
    """Work key -> its runs so far and its failures in this round, by one query.

    Every start of our commands (a new supervisor) begins a new round.
    """
    if not work:
        return {}
    records = instance.get_run_records(RunsFilter(tags={WORK_TAG: [item.key for item in work]}))
    by_key: dict[str, list[RunRecord]] = {}
    for record in records:
        by_key.setdefault(record.dagster_run.tags[WORK_TAG], []).append(record)
    return {item.key: _attempts(by_key.get(item.key, []), supervisor) for item in work}


def _attempts(records: Sequence[RunRecord], supervisor: str) -> Attempts:
    """`records` are newest first. Runs that ended because their processes did count neither way."""
    ended = [
        record
        for record in records
        if record.dagster_run.tags.get(ROUND_TAG) == supervisor
        and not {ORPHANED_TAG, STOPPED_TAG} & record.dagster_run.tags.keys()
    ]
    failed = [record for record in ended if record.dagster_run.status == DagsterRunStatus.FAILURE]
    return Attempts(
        len(records),
        len(failed),
        failed[0].dagster_run.run_id if failed else None,
        failed[0].end_time or failed[0].update_timestamp.timestamp() if failed else 0.0,
        any(record.dagster_run.status == DagsterRunStatus.CANCELED for record in ended),
    )


def run_requests(instance: DagsterInstance, work: Sequence[Work]) -> list[dg.RunRequest]:
    """Requests for what is not at work already, at most REQUESTS_A_TICK, in the order given."""
    busy = {(run.job_name, run.tags.get("dagster/partition")) for run in unfinished_runs(instance)}
    free = [item for item in work if (item.job, item.partition_key) not in busy]
    supervisor = os.environ.get(SUPERVISOR_VARIABLE, "")
    known = attempts(instance, free, supervisor)
    # Stuck work is left out before the cut: much of it must not keep the rest from running.
    now = time.time()
    able = [item for item in free if known[item.key].able(now)]
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
        reasons = ["runs for all that is pending are queued, at work, canceled, or failed too often"]
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
