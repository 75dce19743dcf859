"""Pending work as run requests, against Dagster's own record of runs: not twice at once, and not for ever."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from image_assets.pending_work import AFTER_DIFF, BUILD, INGEST, Work
from image_assets.supervision import ORPHANED_TAG, STOPPED_TAG
from image_assets.supervision.following import SUPERVISOR_VARIABLE
from sensors.requests import REQUESTS_A_TICK, UNFINISHED, Attempts, attempts, run_requests, unfinished_runs

HERE = "4711:123"
WORK = Work(INGEST, "ünï", "d1", 10)
# Dagster wants to know where the code of a queued run is.
CODE = RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin(host="localhost", socket="code.sock"), "__repository__")


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    """Dagster's own storage in memory, under the supervisor HERE."""
    monkeypatch.setenv(SUPERVISOR_VARIABLE, HERE)
    with DagsterInstance.ephemeral() as instance:
        yield instance


def requested(instance: DagsterInstance, *work: Work) -> list[str | None]:
    """The partitions that a tick asks for."""
    return [request.partition_key for request in run_requests(instance, work)]


def ran(instance: DagsterInstance, work: Work, status: DagsterRunStatus, **other_tags: str) -> str:
    """Add the run that a tick asks for now, as if it had come to `status`."""
    (request,) = run_requests(instance, [work])
    assert request.job_name is not None
    tags = {**request.tags, "dagster/partition": work.partition_key, "dagster/run_key": str(request.run_key)}
    run = DagsterRun(
        request.job_name,
        str(uuid.uuid4()),
        status=status,
        tags={**tags, **other_tags},
        remote_job_origin=RemoteJobOrigin(CODE, request.job_name),
    )
    instance.add_run(run)
    return run.run_id


def test_work_becomes_a_request_for_its_job_its_partition_and_its_assets(instance: DagsterInstance) -> None:
    whole, part = run_requests(instance, [WORK, Work(INGEST, "alpha", "d", 1, AFTER_DIFF)])
    assert (whole.job_name, whole.partition_key, whole.asset_selection) == (INGEST, "ünï", None)
    assert part.asset_selection == [dg.AssetKey("raw_images"), dg.AssetKey("fingerprints")]


def test_requests_come_in_the_order_given_and_at_most_so_many_a_tick(instance: DagsterInstance) -> None:
    many = [Work(INGEST, f"partner {n}", "d", 100 - n) for n in range(REQUESTS_A_TICK + 5)]
    assert requested(instance, *many) == [work.partition_key for work in many[:REQUESTS_A_TICK]]


@pytest.mark.parametrize("status", UNFINISHED)
def test_a_partition_that_is_queued_or_at_work_is_not_asked_for_again(
    instance: DagsterInstance, status: DagsterRunStatus
) -> None:
    ran(instance, WORK, status)
    assert requested(instance, WORK) == []
    assert requested(instance, Work(INGEST, "ünï", "d2", 1)) == [], "not for its next catalogue either"
    assert requested(instance, Work(BUILD, "ünï", "d1", 1)) == ["ünï"], "another job's partition may have that name"
    assert len(unfinished_runs(instance)) == 1


def test_runs_at_work_leave_the_places_of_a_tick_to_others(instance: DagsterInstance) -> None:
    many = [Work(INGEST, f"partner {n}", "d", 1) for n in range(REQUESTS_A_TICK + 1)]
    ran(instance, many[0], DagsterRunStatus.STARTED)
    assert requested(instance, *many) == [work.partition_key for work in many[1:]]


@pytest.mark.parametrize("status", [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE])
def test_work_that_is_pending_after_its_run_ended_is_asked_for_under_a_new_run_key(
    instance: DagsterInstance, status: DagsterRunStatus
) -> None:
    """Dagster drops a request whose run key it has seen: with the old key a lost run would never heal."""
    keys = [request.run_key for request in run_requests(instance, [WORK])]
    keys += [request.run_key for request in run_requests(instance, [WORK])]
    assert len(set(keys)) == 1, "the same as long as no run came of it: a tick may be repeated"
    ran(instance, WORK, status)
    assert run_requests(instance, [WORK])[0].run_key not in keys


def test_another_input_has_another_run_key(instance: DagsterInstance) -> None:
    one, two = run_requests(instance, [WORK, Work(INGEST, "ünï", "d2", 10)])
    assert one.run_key != two.run_key


def test_work_that_failed_three_times_is_stuck_and_the_last_failure_is_known(instance: DagsterInstance) -> None:
    runs = [ran(instance, WORK, DagsterRunStatus.FAILURE) for _ in range(3)]
    known = attempts(instance, [WORK], HERE)[WORK.key]
    assert (known.failures, known.stuck, known.last_failed_run) == (3, True, runs[-1])
    assert requested(instance, WORK) == []
    assert requested(instance, Work(INGEST, "ünï", "d2", 1)) == ["ünï"], "a new input is tried"


def test_two_failures_are_not_enough_to_be_stuck(instance: DagsterInstance) -> None:
    for _ in range(2):
        ran(instance, WORK, DagsterRunStatus.FAILURE)
    assert requested(instance, WORK) == ["ünï"]


def test_successes_never_make_work_stuck(instance: DagsterInstance) -> None:
    for _ in range(5):
        ran(instance, WORK, DagsterRunStatus.SUCCESS)
    assert requested(instance, WORK) == ["ünï"]


def test_work_that_a_person_cancelled_is_left_to_them_until_its_input_changes(instance: DagsterInstance) -> None:
    ran(instance, WORK, DagsterRunStatus.CANCELED)
    assert requested(instance, WORK) == []
    assert requested(instance, Work(INGEST, "ünï", "d2", 10)) == ["ünï"]


@pytest.mark.parametrize(
    ("status", "tag"),
    [
        (DagsterRunStatus.FAILURE, ORPHANED_TAG),
        (DagsterRunStatus.CANCELED, ORPHANED_TAG),
        (DagsterRunStatus.CANCELED, STOPPED_TAG),
    ],
)
def test_runs_that_ended_with_their_processes_count_neither_as_failures_nor_as_cancelled(
    instance: DagsterInstance, status: DagsterRunStatus, tag: str
) -> None:
    for _ in range(5):
        ran(instance, WORK, status, **{tag: "true"})
    assert requested(instance, WORK) == ["ünï"]


def test_what_is_stuck_rests_longer_and_longer_and_is_tried_again(instance: DagsterInstance) -> None:
    """A store that was away for an hour must not need a person."""
    rests = []
    for failures in range(2, 8):
        known = Attempts(failures, failures, "run", last_failed_at=1000.0)
        rests.append(next(m for m in (0, 15, 60, 240, 360) if known.able(1000.0 + 60 * m)))
    assert rests == [0, 15, 60, 240, 360, 360]
    assert not Attempts(3, 3, "run", 1000.0).able(1000.0 + 60 * 15 - 1)


def test_a_new_supervisor_begins_a_new_round(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        ran(instance, WORK, DagsterRunStatus.FAILURE)
    monkeypatch.setenv(SUPERVISOR_VARIABLE, "4712:456")
    assert requested(instance, WORK) == ["ünï"]
    assert attempts(instance, [WORK], HERE)[WORK.key].stuck, "who asks about the old round hears of the old round"


def test_much_stuck_work_does_not_keep_the_rest_from_running(instance: DagsterInstance) -> None:
    stuck = [Work(INGEST, f"broken {n}", "d", 1000) for n in range(REQUESTS_A_TICK)]
    for work in stuck:
        for _ in range(3):
            ran(instance, work, DagsterRunStatus.FAILURE)
    assert requested(instance, *stuck, WORK) == ["ünï"]


def test_nothing_pending_asks_for_nothing(instance: DagsterInstance) -> None:
    assert run_requests(instance, []) == []
    assert attempts(instance, [], HERE) == {}
