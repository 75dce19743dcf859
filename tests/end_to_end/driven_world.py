"""The child process of the kill points: it does all pending work of a world, and may be told where to die.

A place is a lasting change that others can see: a statement or transaction that was committed, an object that was put
or deleted. Its name says what, not how many times: what is done once is as likely to be chosen as what is done for each
image.
"""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import obstore
import psycopg
from end_to_end.fresh_worlds import world_at
from psycopg import sql
from psycopg.pq import TransactionStatus

from image_assets.pending_work import INGEST, Work
from resources import unfinished_files

_WRITE = re.compile(
    r"\s*(INSERT INTO|UPDATE|DELETE FROM|DROP TABLE|ALTER TABLE|ANALYZE|CREATE \w+(?: \w+)?|COPY) (\S+)"
)
_DIGEST = re.compile(r"_?[0-9a-f]{32}")


@dataclass
class Places:
    """Counts the places as they are passed; at the `number`-th passing of `name` the process dies by SIGKILL."""

    name: str | None = None
    number: int = 0
    passed: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def passing(self, name: str) -> None:
        with self.lock:
            self.passed[name] += 1
            if name == self.name and self.passed[name] == self.number:
                os.kill(os.getpid(), signal.SIGKILL)


def drive(
    store_url: str, database_url: str, partners_file: Path, die_at: tuple[str, int] | None, trace: Path | None
) -> None:
    """Do all pending work; die at the n-th passing of a place, or write how often each was passed to `trace`."""
    os.environ["IMAGE_ASSETS_HOME"] = str(partners_file.parent)  # tells whose children our children are
    places = Places(*die_at) if die_at else Places()
    watch(places)
    world_at(store_url, database_url, partners_file).settle()
    if trace is not None:
        trace.write_text(json.dumps(places.passed))


def download(store_url: str, database_url: str, partners_file: Path, partner_id: str) -> None:
    """Apply the partner's catalogue and download its pictures, nothing else."""
    os.environ["IMAGE_ASSETS_HOME"] = str(partners_file.parent)
    world = world_at(store_url, database_url, partners_file)
    result = world.materialise(Work(INGEST, partner_id, "", 0, ("catalogue_diffs", "raw_images")))
    assert result.success


def watch(places: Places) -> None:
    """Tell `places` what the pipeline changes in ledger and store, each time just after it has happened."""
    last_writes: dict[int, str] = {}  # of a connection, until its transaction is committed

    def changed(connection: psycopg.Connection[Any], query: Any = "") -> None:
        text = query.as_string(connection) if isinstance(query, sql.Composable) else str(query)
        if write := _WRITE.match(text):
            last_writes[id(connection)] = _DIGEST.sub("", " ".join(write.groups())).strip("\"',")
        if connection.info.transaction_status == TransactionStatus.IDLE and id(connection) in last_writes:
            places.passing(last_writes.pop(id(connection)))

    def put(key: str) -> None:
        folder = key.split("/")[0]
        # What is written aside has a name of its own each time.
        places.passing(f"put {folder} {'' if folder == '.writing' else PurePosixPath(key).suffix}")

    def execute(self: psycopg.Connection[Any], query: Any, *arguments: Any, **options: Any) -> Any:
        result = original["execute"](self, query, *arguments, **options)
        changed(self, query)
        return result

    def leave_transaction(self: psycopg.Transaction, *arguments: Any) -> Any:
        result = original["transaction"](self, *arguments)
        changed(self.connection)
        return result

    def leave_copy(self: psycopg.Copy[Any], *arguments: Any) -> Any:
        result = original["copy"](self, *arguments)
        changed(self.connection, "COPY rows")
        return result

    def put_object(store: Any, key: str, *arguments: Any, **options: Any) -> Any:
        result = original["put"](store, key, *arguments, **options)
        put(key)
        return result

    def delete_objects(store: Any, keys: Any, *arguments: Any, **options: Any) -> Any:
        result = original["delete"](store, keys, *arguments, **options)
        places.passing("delete objects")
        return result

    def write_aside(unfinished: str, content: bytes | Path) -> None:
        original["write_aside"](unfinished, content)
        put(unfinished_files.FOLDER)

    def move(unfinished: str, target: str) -> None:
        original["move"](unfinished, target)
        put(Path(target).relative_to(Path(unfinished).parent.parent).as_posix())

    original: dict[str, Callable[..., Any]] = {
        "execute": psycopg.Connection.execute,
        "transaction": psycopg.Transaction.__exit__,
        "copy": psycopg.Copy.__exit__,
        "put": obstore.put,
        "delete": obstore.delete,
        "write_aside": unfinished_files.write_aside,
        "move": unfinished_files.move,
    }
    psycopg.Connection.execute = execute  # type: ignore[method-assign]
    psycopg.Transaction.__exit__ = leave_transaction  # type: ignore[method-assign]
    psycopg.Copy.__exit__ = leave_copy  # type: ignore[method-assign]
    obstore.put = put_object
    obstore.delete = delete_objects
    unfinished_files.write_aside = write_aside
    unfinished_files.move = move
