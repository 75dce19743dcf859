"""DATABASE_URL in the one form that every part of the house reads alike.

Three readers take it: libpq (the ledger), SQLAlchemy (migrations) and psycopg2 behind SQLAlchemy (Dagster's storage).
Does not belong here: connecting.
"""

from __future__ import annotations

import re

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict

_EXPECTED = "expected postgresql://user:password@host:5432/database, percent-encoded: %40 for @, %2F for /, %25 for %"


class DatabaseUrlError(ValueError):
    """The text names no PostgreSQL database; the message says why and what is expected, and shows no password."""


def plain_database_url(text: str) -> str:
    """`text` as `postgresql://…`; `postgres://` and SQLAlchemy's `postgresql+driver://` are understood.

    Raises DatabaseUrlError for anything else, and where libpq and SQLAlchemy would read different places from it.
    """
    match = re.fullmatch(r"postgres(?:ql)?(?:\+\w+)?://(.*)", text, re.DOTALL)
    if match is None:
        raise DatabaseUrlError(f"not a URL of a PostgreSQL database; {_EXPECTED}")
    url = f"postgresql://{match[1]}"
    try:
        libpq = conninfo_to_dict(url)
        alchemy = sa.make_url(url)
    except (psycopg.ProgrammingError, sa.exc.ArgumentError, ValueError) as error:
        raise DatabaseUrlError(f"not readable; {_EXPECTED}") from error
    named = {
        "user": alchemy.username,
        "password": alchemy.password,
        "host": alchemy.host,
        "port": alchemy.port,
        "dbname": alchemy.database,
    }
    given = {name: str(value) for name, value in named.items() if value} | {
        name: values[0] for name, values in alchemy.normalized_query.items()
    }
    if given != libpq or "@" in f"{alchemy.host}{alchemy.database}":
        raise DatabaseUrlError(f"ambiguous; {_EXPECTED}")
    return url


def dagster_url(database_url: str, schema: str) -> str:
    """The same database for Dagster's storage, with `schema` as search path."""
    url = sa.make_url(database_url)
    options = " ".join([*url.normalized_query.get("options", ()), f"-csearch_path={schema}"])
    return url.update_query_dict({"options": options}).render_as_string(hide_password=False)
