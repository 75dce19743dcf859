"""The environment variables: defaults, and messages that name the variable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from resources.environment import PROJECT, RECHECKS_BY_VARIABLE, EnvironmentProblem, read_environment
from resources.object_store import open_store


def test_nothing_needs_to_be_set() -> None:
    environment = read_environment({})
    assert environment.home == PROJECT / "var"
    assert environment.store_url == f"file://{PROJECT}/var/store"
    assert environment.database_url is None
    assert environment.renditions_file == PROJECT / "renditions.yaml"
    assert environment.hotel_shards == 4
    assert environment.release_wait == timedelta(hours=6)
    assert read_environment({"DATABASE_URL": "", "HOTEL_SHARDS": "", "RELEASE_WAIT": ""}) == environment


def test_a_time_keeps_its_zone() -> None:
    time = datetime(2026, 11, 25, 12, 30, 0, 123456, UTC)
    assert read_environment({RECHECKS_BY_VARIABLE: str(time)}).rechecks_by == time


def test_the_default_store_is_below_the_home_whatever_its_name(tmp_path: Path) -> None:
    home = tmp_path / "häuser #1 %41?"
    store = open_store(read_environment({"IMAGE_ASSETS_HOME": str(home)}).store_url)
    store.put("a", b"x")
    assert (home / "store" / "a").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("text", "wait"),
    [("90s", timedelta(seconds=90)), ("15m", timedelta(minutes=15)), ("1d", timedelta(days=1)), ("7", timedelta(0, 7))],
)
def test_release_wait_has_units(text: str, wait: timedelta) -> None:
    assert read_environment({"RELEASE_WAIT": text}).release_wait == wait


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOTEL_SHARDS", "0"),
        ("HOTEL_SHARDS", "-4"),
        ("HOTEL_SHARDS", "four"),
        ("HOTEL_SHARDS", "4.0"),
        ("HOTEL_SHARDS", "²"),
        ("RELEASE_WAIT", "soon"),
        ("RELEASE_WAIT", "6 hours"),
        ("RELEASE_WAIT", "99999999999999999d"),
        ("DATABASE_URL", "mysql://user:secret@host/database"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(EnvironmentProblem, match=f"^{name}.*expected") as problem:
        read_environment({name: value})
    assert "secret" not in str(problem.value)
