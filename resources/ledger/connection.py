"""The door to the ledger: connections with the right search path, bulk COPY, and digests of database URLs.

Does not belong here: any table's name. Each stage's queries have a module of their own beside this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from resources.ledger.schema import LEDGER_SCHEMA

Connection = psycopg.Connection[TupleRow]

# The server's own defaults are for spinning disks and hundreds of sessions: by them, reading a hotel or a content by an
# index looks dearer than it is, and sorts of a shard's rows go to disk. Compiling queries (jit) took longer than it
# saved: publishing took 1.3 times as long with it. What the `options` of a database URL say wins.
_PLANNING = "-c random_page_cost=1.1 -c work_mem=64MB -c jit=off"

# Rejected rows of a user's file that are told one by one; all of them stay in the ledger.
REJECTS_SHOWN = 10


@dataclass(frozen=True)
class Ledger:
    """Our tables in the PostgreSQL database at `url`; hands out connections, keeps none."""

    url: str

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection in autocommit mode, closed at the end. Group writes with `with connection.transaction():`."""
        own = conninfo_to_dict(self.url).get("options", "")
        options = f"{_PLANNING} {own} -c search_path={LEDGER_SCHEMA} -c timezone=UTC"
        with psycopg.connect(self.url, autocommit=True, options=options) as connection:
            yield connection


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Append `rows` to `table` by COPY, in the order of `columns`."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def present(connection: Connection) -> datetime:
    """The time by the ledger's clock, with its zone."""
    time: datetime = one_row(connection, "SELECT now()")[0]
    return time


def one_row(connection: Connection, query: LiteralString, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
    """The single row of a query that always has one."""
    row = connection.execute(query, parameters).fetchone()
    assert row is not None, query
    return row
