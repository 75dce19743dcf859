"""Worlds made in the middle of a test, each with a ledger and a store of its own, gone when their block ends."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
from end_to_end.world import World

from image_assets.chosen_methods import read_methods
from resources.environment import read_environment
from resources.ledger import Ledger
from resources.ledger.schema import migrate
from resources.object_store import ObjectStore, open_store
from resources.partners import load_partners

PARTNERS = ("alpha", "$gamma", "Ünï")


@contextmanager
def fresh_database(postgres_url: str) -> Iterator[str]:
    """The URL of a new, migrated database on the server at `postgres_url`."""
    name = f"world_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    try:
        url = postgres_url.replace("/postgres?", f"/{name}?")
        migrate(url)
        yield url
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


@contextmanager
def fresh_world(postgres_url: str) -> Iterator[World]:
    """An empty world without limits on what a catalogue or a release may take away."""
    with fresh_database(postgres_url) as database_url, tempfile.TemporaryDirectory() as folder:
        partners_file = write_partners(Path(folder) / "partners.yaml")
        yield world_at(f"file://{folder}/store", database_url, partners_file)


def write_partners(file: Path, partners: Sequence[str] = PARTNERS) -> Path:
    """A partners file for partners on this machine whose catalogues may shrink as they like; short pauses on errors."""
    settings = {"allow_private_addresses": True, "max_deleted_share": 1.0, "backoff_seconds": 0.01}
    file.write_text(json.dumps({"partners": dict.fromkeys(partners, settings)}))
    return file


def world_at(store_url: str, database_url: str, partners_file: Path) -> World:
    """The world that lies in a store and a database, which may be old ones."""
    environment = replace(read_environment(), partners_file=partners_file)
    methods = replace(read_methods(environment), max_lost_hotels_share=1.0)
    return World(open_store(store_url), Ledger(database_url), load_partners(partners_file), methods)


def newest_files(store: ObjectStore) -> list[str]:
    """The keys that count in the end: the newest catalogue of each partner, the newest data release."""
    newest: dict[str, str] = {}
    for folder in ("catalogues", "data-releases"):
        for item in store.objects(folder):
            name = item.key.rpartition("/")[0]
            newest[name] = max(newest.get(name, ""), item.key)
    return sorted(newest.values())
