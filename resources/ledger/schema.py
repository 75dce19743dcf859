"""Bringing the ledger's schema up to date with Alembic, and saying whether it is.

Does not belong here: what the tables mean (their migrations say so) and queries on them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

LEDGER_SCHEMA = "image_ledger"
DAGSTER_SCHEMA = "dagster"

# Any fixed number: two commands that start at once must not migrate at once.
_MIGRATION_LOCK = 0x1A55E75


def migrate(database_url: str) -> None:
    """Create both schemas (the ledger's and Dagster's) and apply all migrations, once, whoever else tries too."""
    engine = _engine(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        for schema in (LEDGER_SCHEMA, DAGSTER_SCHEMA):
            connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
        connection.execute(sa.text(f"SET LOCAL search_path TO {LEDGER_SCHEMA}"))
        config = _alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()


def schema_versions(database_url: str) -> tuple[str | None, str | None]:
    """The schema's version in the database (None: no ledger yet) and the newest one this program knows."""
    engine = _engine(database_url)
    with engine.connect() as connection:
        connection.execute(sa.text(f"SET search_path TO {LEDGER_SCHEMA}"))
        current = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    return current, ScriptDirectory.from_config(_alembic_config()).get_current_head()


def _engine(database_url: str) -> sa.Engine:
    return sa.create_engine(sa.make_url(database_url).set(drivername="postgresql+psycopg"))


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
