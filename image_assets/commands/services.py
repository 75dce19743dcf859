"""What every command needs around it: the database (ours or the user's), its schema, Dagster's home, the open house.

Belongs here: setting the environment that Dagster's processes inherit. Does not belong here: starting these processes
(supervision), reading variables (resources.environment).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dagster import DagsterError, DagsterInstance, DagsterInvalidConfigError
from dagster_shared.check import CheckError

from image_assets.chosen_methods import read_methods
from image_assets.methods import Methods
from resources.environment import PROJECT, Environment, read_environment
from resources.ledger import Ledger
from resources.ledger.database_url import dagster_url
from resources.ledger.embedded import embedded_postgres
from resources.ledger.schema import DAGSTER_SCHEMA, migrate
from resources.object_store import ObjectStore, open_store

OWN_DAGSTER_SETTINGS = "dagster.own.yaml"


class DagsterSettingsError(ValueError):
    """The user's `dagster.own.yaml` cannot be used; the message names the file and the reason."""


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


@dataclass(frozen=True)
class House:
    """What most commands work on; the methods are those that the users' files choose."""

    environment: Environment
    ledger: Ledger
    store: ObjectStore
    methods: Methods


@contextmanager
def open_house() -> Iterator[House]:
    """The ready ledger with the store and the methods, as the environment and the users' files say.

    Raises RecipesFileError, PartnersFileError or StoreUrlError.
    """
    environment = read_environment()
    with ready_ledger(environment) as ledger:
        yield House(environment, ledger, open_store(environment.store_url), read_methods(environment))


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
    """Put the project's dagster.yaml where Dagster looks for it, with the user's own top-level blocks over its own.

    Theirs are in `dagster.own.yaml` beside it. Raises DagsterSettingsError when that is no such file.
    """
    home = dagster_home(environment)
    home.mkdir(parents=True, exist_ok=True)
    settings = yaml.safe_load((PROJECT / "dagster.yaml").read_text()) | own_dagster_settings(environment)
    fresh = home / ".dagster.yaml.new"
    fresh.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False))
    fresh.replace(home / "dagster.yaml")


def own_dagster_settings(environment: Environment) -> dict[str, Any]:
    """The blocks of the user's `dagster.own.yaml`; none without one. Raises DagsterSettingsError."""
    file = dagster_home(environment) / OWN_DAGSTER_SETTINGS
    try:
        content = yaml.safe_load(file.read_text()) if file.exists() else {}
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise DagsterSettingsError(f"{file}: not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content or {}, dict):
        raise DagsterSettingsError(f"{file}: expected blocks of dagster.yaml, such as compute_logs")
    return content or {}


def dagster_instance(environment: Environment) -> DagsterInstance:
    """Dagster's instance of the home that was written, with all that it otherwise makes when first needed.

    Raises DagsterSettingsError when Dagster refuses the settings.
    """
    try:
        instance = DagsterInstance.get()
        _ = instance.compute_log_manager, instance.run_launcher, instance.run_coordinator
    except (DagsterError, CheckError) as error:
        file = dagster_home(environment) / OWN_DAGSTER_SETTINGS
        reason = error.errors[0].message if isinstance(error, DagsterInvalidConfigError) else str(error)
        raise DagsterSettingsError(f"{file}: Dagster refuses it: {' '.join(reason.split())[:300]}") from error
    return instance
