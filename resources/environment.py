"""The environment variables that place the pipeline: store, database, files, home, shards, waiting.

Belongs here: reading and checking them, with the variable's name in every message. Nothing else reads os.environ
for configuration (AWS variables are boto3's). Does not belong here: opening any of what they name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from resources.ledger.database_url import DatabaseUrlError, plain_database_url

PROJECT = Path(__file__).resolve().parent.parent

RECHECKS_BY_VARIABLE = "IMAGE_ASSETS_RECHECKS_BY"
"""Set by `run --until-idle` for its own processes; nobody else sets it."""

_TIME_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class EnvironmentProblem(ValueError):
    """An environment variable has a value that cannot be used; the message names it."""


@dataclass(frozen=True)
class Environment:
    """Where everything is. `database_url` None: the embedded server under `home`. `partners_file` None: defaults.

    `rechecks_by`: what became due to be revalidated later than then is left to others; None for no such time.
    """

    home: Path
    store_url: str
    database_url: str | None
    partners_file: Path | None
    renditions_file: Path
    hotel_shards: int
    release_wait: timedelta
    outage_wait: timedelta
    rechecks_by: datetime | None = None


def read_environment(variables: Mapping[str, str] = os.environ) -> Environment:
    """Read the variables (the README lists them); unset and empty mean the default. Raises EnvironmentProblem."""

    def value(name: str) -> str | None:
        return variables.get(name) or None

    home = Path(value("IMAGE_ASSETS_HOME") or PROJECT / "var").resolve()
    partners_file = value("PARTNERS_FILE")
    rechecks_by = value(RECHECKS_BY_VARIABLE)
    return Environment(
        home=home,
        store_url=value("IMAGE_STORE_URL") or (home / "store").as_uri(),
        database_url=_database_url(value("DATABASE_URL")),
        partners_file=Path(partners_file) if partners_file else _existing(PROJECT / "partners.yaml"),
        renditions_file=Path(value("RENDITIONS_FILE") or PROJECT / "renditions.yaml"),
        hotel_shards=_shards(value("HOTEL_SHARDS") or "4"),
        release_wait=_wait("RELEASE_WAIT", value("RELEASE_WAIT") or "6h"),
        outage_wait=_wait("OUTAGE_WAIT", value("OUTAGE_WAIT") or "5m"),
        rechecks_by=datetime.fromisoformat(rechecks_by) if rechecks_by else None,
    )


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def _database_url(text: str | None) -> str | None:
    try:
        return plain_database_url(text) if text else None
    except DatabaseUrlError as error:
        raise EnvironmentProblem(f"DATABASE_URL: {error}") from error


def _shards(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 4096:
        raise EnvironmentProblem(f"HOTEL_SHARDS={text!r}: expected a whole number from 1 to 4096")
    return int(text)


def _wait(name: str, text: str) -> timedelta:
    wait = parse_time(text)
    if wait is None:
        raise EnvironmentProblem(f"{name}={text!r}: expected a time such as 90s, 15m, 6h or 1d")
    return wait


def parse_time(text: str) -> timedelta | None:
    """A span of time as people write it: `90s`, `15m`, `6h`, `1d`, or plain seconds; None for anything else."""
    match = re.fullmatch(r"(\d{1,9})\s*([smhd]?)", text)
    return timedelta(seconds=int(match[1]) * _TIME_UNITS[match[2]]) if match else None
