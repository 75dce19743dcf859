"""What every asset does around its work: one run per partition, progress, retries of infrastructure faults.

Does not belong here: any stage's work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

import dagster as dg
import psycopg
from obstore.exceptions import BaseError as ObjectStoreError

from image_assets.outages import wait_out
from resources.environment import read_environment
from resources.ledger.connection import Connection, Ledger
from resources.ledger.leases import LeaseHeld, lease
from resources.ledger.progress import record_progress

# Database or store gone for a moment: the stage takes up where its last micro-batch ended. `stage_run` lets only such
# faults reach the policy.
INFRASTRUCTURE_RETRIES = dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL)

_INFRASTRUCTURE_FAULTS = (psycopg.OperationalError, psycopg.InterfaceError, ObjectStoreError, OSError, LeaseHeld)

_LOG_SECONDS = 15.0
_ROW_SECONDS = 1.0


Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class StageRun:
    """One stage at work on one partition: its ledger connection, its progress, its metadata at the end."""

    def __init__(self, context: dg.AssetExecutionContext, ledger: Ledger, stage: str, partition_key: str):
        self._ledger = ledger
        self._opened = ExitStack()
        self._asking = threading.Lock()
        self.connection = self._opened.enter_context(ledger.connect())
        self._context = context
        self._stage = stage
        self._partition_key = partition_key
        self._started = time.time()
        self._logged = self._started
        self._written = 0.0
        self._done = 0
        self._total = 0

    def ask(
        self,
        query: Callable[Concatenate[Connection, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """One of the ledger's queries, one at a time whatever the thread; an outage is waited out (OUTAGE_WAIT).

        For queries that may be done again, and never within a transaction. Raises OutageLasted.
        """
        patience = read_environment().outage_wait.total_seconds()
        with self._asking:
            return wait_out("the database", lambda: query(self.connection, *args, **kwargs), patience, self._reopen)

    def _reopen(self) -> None:
        self.close()
        self.connection = self._opened.enter_context(self._ledger.connect())

    def close(self) -> None:
        """Give the connection back."""
        with suppress(psycopg.Error):
            self._opened.close()

    def expect(self, total: int) -> None:
        """Say how many items there are to do."""
        self._total = total
        self._write(finished=False)

    def advance(self, items: int) -> None:
        """Count finished items; the ledger's progress row and the run log follow at intervals."""
        self._done += items
        now = time.time()
        if now - self._written >= _ROW_SECONDS:
            self._write(finished=False)
        if now - self._logged >= _LOG_SECONDS:
            self._logged = now
            rate = self._done / max(now - self._started, 1e-3)
            left = max(self._total - self._done, 0)
            self._context.log.info(
                f"{self._stage} {self._partition_key}: {self._done:,}/{self._total:,}, {rate:,.1f}/s, "
                f"about {left / max(rate, 1e-3):,.0f} s left"
            )

    def finish(self) -> dict[str, Any]:
        """Close the progress row; the numbers every materialisation carries: items, seconds, items a second."""
        self._total = self._done
        self._write(finished=True)
        seconds = time.time() - self._started
        return {
            "items": self._done,
            "seconds": round(seconds, 3),
            "items_per_second": round(self._done / seconds, 3) if seconds else 0.0,
        }

    def _write(self, finished: bool) -> None:
        self._written = time.time()
        self.ask(record_progress, self._stage, self._partition_key, self._done, self._total, self._started, finished)


@contextmanager
def stage_run(context: dg.AssetExecutionContext, ledger: Ledger, stage: str, lease_name: str) -> Iterator[StageRun]:
    """Hold the lease of the partition (`partner:…`, `release:…` or `shard:…`) and a connection while the block runs.

    Errors become failures as in `failing_clearly`.
    """
    with (
        failing_clearly(context),
        lease(ledger, lease_name, context.run_id),
        closing(StageRun(context, ledger, stage, context.partition_key)) as run,
    ):
        yield run


@contextmanager
def failing_clearly(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Errors become failures that name their cause and are not retried; infrastructure faults pass, to be retried.

    The fault of the last retry becomes a failure too: Dagster would only say that the retries are exceeded.
    """
    try:
        yield
    except dg.Failure:
        raise
    except Exception as error:
        if _is_infrastructure_fault(error) and context.retry_number < INFRASTRUCTURE_RETRIES.max_retries:
            raise
        cause = error
        while isinstance(cause, ExceptionGroup):  # tasks that failed together: the first one says enough
            cause = cause.exceptions[0]
        raise dg.Failure(f"{type(cause).__name__}: {cause}", allow_retries=False) from error


def _is_infrastructure_fault(error: Exception) -> bool:
    if isinstance(error, ExceptionGroup):
        return all(_is_infrastructure_fault(each) for each in error.exceptions)
    if isinstance(error, FileNotFoundError):
        return False  # an object that is not there will not come back by waiting
    return isinstance(error, _INFRASTRUCTURE_FAULTS)
