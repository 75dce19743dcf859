"""Waiting for a database or a store that is down, up to a limit, and trying again.

Belongs here: which faults are outages, and the waiting. Does not belong here: what is tried.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import psycopg
from obstore.exceptions import BaseError as ObjectStoreError
from obstore.exceptions import InvalidPathError, PermissionDeniedError, UnauthenticatedError

Result = TypeVar("Result")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0

# Faults that waiting does not cure.
_LASTING = (FileNotFoundError, PermissionError, InvalidPathError, PermissionDeniedError, UnauthenticatedError)


class OutageLasted(Exception):
    """What was waited for did not come back in time; the message says what, how long, and the cause."""


def is_outage(error: Exception) -> bool:
    """Whether the database or the store could not be reached, or could not do its work for now."""
    kinds = (psycopg.OperationalError, psycopg.InterfaceError, ObjectStoreError, OSError)
    return isinstance(error, kinds) and not isinstance(error, _LASTING)


def wait_out(
    what: str, operation: Callable[[], Result], patience: float, reopen: Callable[[], None] | None = None
) -> Result:
    """`operation`'s result. At an outage it is tried again for `patience` seconds, after `reopen` if given.

    Raises OutageLasted, or at once what is no outage.
    """
    pauses = _pauses(what, patience)
    while True:
        try:
            return operation()
        except Exception as error:
            if not is_outage(error):
                raise
            time.sleep(pauses(error))
        if reopen is not None:
            _try_to(reopen)


async def wait_out_async(what: str, operation: Callable[[], Awaitable[Result]], patience: float) -> Result:
    """`wait_out`, for the event loop."""
    pauses = _pauses(what, patience)
    while True:
        try:
            return await operation()
        except Exception as error:
            if not is_outage(error):
                raise
            pause = pauses(error)
        await asyncio.sleep(pause)


def _try_to(reopen: Callable[[], None]) -> None:
    try:
        reopen()
    except Exception as error:
        if not is_outage(error):
            raise


def _pauses(what: str, patience: float) -> Callable[[Exception], float]:
    """The pause after each fault; raises OutageLasted when the time is over."""
    began: float | None = None
    growing: Iterator[float] = (min(_FIRST_PAUSE * 2.0**n, _LONGEST_PAUSE) for n in itertools.count())

    def pause(error: Exception) -> float:
        nonlocal began
        began = time.monotonic() if began is None else began
        waited = time.monotonic() - began
        if waited >= patience:
            raise OutageLasted(f"{what} was gone for {waited:,.0f} s: {error}") from error
        return min(next(growing), max(patience - waited, 0.01))

    return pause
