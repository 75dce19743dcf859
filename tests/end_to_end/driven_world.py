"""The child process of the kill points: it does all pending work of a world, and may be told where to die."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
import psycopg
from end_to_end.fresh_worlds import world_at


def drive(store_url: str, database_url: str, partners_file: Path, kill_at: int | None) -> None:
    """Do all pending work; with `kill_at`, die by SIGKILL at that event: before or after a statement or an object."""
    os.environ["IMAGE_ASSETS_HOME"] = str(partners_file.parent)  # tells whose children our children are
    if kill_at is not None:
        die_at_event(kill_at)
    world_at(store_url, database_url, partners_file).settle()


def die_at_event(number: int) -> None:
    """Count what the pipeline does to ledger and store, and kill this process in the middle of it."""
    events = itertools.count(1)

    def event() -> None:
        if next(events) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(do: Callable[..., Any]) -> Callable[..., Any]:
        def watching(*arguments: Any, **options: Any) -> Any:
            event()
            result = do(*arguments, **options)
            event()
            return result

        return watching

    def watched_async(do: Callable[..., Any]) -> Callable[..., Any]:
        async def watching(*arguments: Any, **options: Any) -> Any:
            event()
            result = await do(*arguments, **options)
            event()
            return result

        return watching

    psycopg.Connection.execute = watched(psycopg.Connection.execute)  # type: ignore[method-assign]
    psycopg.Cursor.executemany = watched(psycopg.Cursor.executemany)  # type: ignore[method-assign]
    psycopg.Transaction.__exit__ = watched(psycopg.Transaction.__exit__)  # type: ignore[method-assign]
    psycopg.Copy.__exit__ = watched(psycopg.Copy.__exit__)  # type: ignore[method-assign]
    obstore.put = watched(obstore.put)
    obstore.put_async = watched_async(obstore.put_async)
