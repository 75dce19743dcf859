"""Fresh databases on the server of the test session."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from resources.ledger.schema import migrate


@contextmanager
def fresh_database(postgres_url: str) -> Iterator[str]:
    """The URL of a migrated database of its own, which is dropped at the end."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    url = postgres_url.replace("/postgres?", f"/{name}?")
    migrate(url)
    yield url
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]
