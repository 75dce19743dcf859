"""What every command needs around it: the database (ours or the user's), its schema, and Dagster's home.

Belongs here: setting the environment that Dagster's processes inherit. Does not belong here: starting these processes
(supervision), reading variables (resources.environment).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resources.environment import PROJECT, Environment
from resources.ledger import Ledger
from resources.ledger.database_url import dagster_url
from resources.ledger.embedded import embedded_postgres
from resources.ledger.schema import DAGSTER_SCHEMA, migrate


@contextmanager
def database(environment: Environment) -> Iterator[str]:
    """The URL of a running database server: DATABASE_URL, or the embedded one for as long as the block runs."""
    if environment.database_url is not None:
        yield environment.database_url
    else:
        with embedded_postgres(environment.home) as url:
            yield url


@contextmanager
def ready_ledger(environment: Environment) -> Iterator[Ledger]:
    """The migrated ledger, with the environment set so that Dagster and its processes find the same places."""
    with database(environment) as url:
        migrate(url)
        os.environ.update(dagster_environment(environment, url))
        write_dagster_home(environment)
        yield Ledger(url)


def dagster_environment(environment: Environment, database_url: str) -> dict[str, str]:
    """The variables that our commands set for themselves and for the processes they start."""
    return {
        "IMAGE_ASSETS_HOME": str(environment.home),
        "IMAGE_STORE_URL": environment.store_url,
        "DATABASE_URL": database_url,
        "RENDITIONS_FILE": str(environment.renditions_file.resolve()),
        **({"PARTNERS_FILE": str(environment.partners_file.resolve())} if environment.partners_file else {}),
        "DAGSTER_HOME": str(dagster_home(environment)),
        "IMAGE_ASSETS_DAGSTER_DATABASE_URL": dagster_url(database_url, DAGSTER_SCHEMA),
    }


def dagster_home(environment: Environment) -> Path:
    """Where Dagster keeps its files."""
    return environment.home / "dagster"


def write_dagster_home(environment: Environment) -> None:
    """Put the project's dagster.yaml where Dagster looks for it, unless the user has one there of their own."""
    home = dagster_home(environment)
    home.mkdir(parents=True, exist_ok=True)
    theirs = home / "dagster.own.yaml"
    fresh = home / ".dagster.yaml.new"
    shutil.copyfile(theirs if theirs.exists() else PROJECT / "dagster.yaml", fresh)
    fresh.replace(home / "dagster.yaml")
