"""Parts that every test may use: a real PostgreSQL with a fresh database, a real store on disk.

Does not belong here: any room's own set-up.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import fresh_database
from hypothesis import settings

from resources.ledger import Ledger
from resources.ledger.embedded import embedded_postgres
from resources.object_store import ObjectStore, open_store

# Read when the partitions are imported; fewer shards make shorter tests. Child processes inherit it.
os.environ["HOTEL_SHARDS"] = "2"

# The same examples in every run, however slow the machine.
settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """One embedded server for the test session of this worker.

    Not below pytest's own temporary folder: every other pytest that starts shuts that to the server's user.
    """
    with tempfile.TemporaryDirectory(prefix="image-assets-test-") as home, embedded_postgres(Path(home)) as url:
        yield url


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """A fresh, migrated database, dropped afterwards."""
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture
def ledger(database_url: str) -> Ledger:
    return Ledger(database_url)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(f"file://{tmp_path}/store")
