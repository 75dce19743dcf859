"""The tables that belong to one release alone: its partitions, and the staging it is loaded through.

Does not belong here: what is in them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from psycopg import Cursor, sql
from psycopg.rows import TupleRow

from resources.ledger.connection import Connection

STAGING = (
    "staged",
    "keyed",
    "new_images",
    "new_hotels",
    "new_contents",
    "shown",
    "popular",
    "alike",
    "new_placeholders",
)
"""Gone when the release is loaded, and before it is loaded anew."""


def release_table(kind: str, release_id: str) -> str:
    """The name of a release's own table: its partition of `release_images`, a table of its staging."""
    return f"{kind}_{hashlib.md5(release_id.encode()).hexdigest()}"


def named(release_id: str, statement: LiteralString) -> sql.Composed:
    """The statement with the release's own tables for `{staged}`, `{new_images}`, …"""
    return sql.SQL(statement).format(**{kind: sql.Identifier(release_table(kind, release_id)) for kind in STAGING})


def execute_named(
    connection: Connection,
    release_id: str,
    statement: LiteralString,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
) -> Cursor[TupleRow]:
    """Execute a statement on the release's own tables, see `named`."""
    return connection.execute(named(release_id, statement), parameters or None)
