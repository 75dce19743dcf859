"""`image-assets doctor`: one line a check, each wrong one with what to do about it.

Belongs here: checks of the database, the store, permissions, versions and configuration. Each check is a function
that returns findings and raises nothing.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
from obstore.exceptions import BaseError
from PIL import features

from image_assets.catalogue_diffs.offered import offered_catalogues
from image_assets.certification import certification
from image_assets.chosen_methods import choose_methods, read_methods
from image_assets.commands.services import OWN_DAGSTER_SETTINGS, DagsterSettingsError, database, own_dagster_settings
from image_assets.hotel_groups.offered import offered_releases
from image_assets.renditions import RecipesFileError, load_recipes
from resources.environment import PROJECT, Environment
from resources.ledger import Ledger
from resources.ledger.embedded import EmbeddedPostgresError
from resources.ledger.schema import schema_versions
from resources.object_store import StoreUrlError, open_store, store_fault
from resources.partners import PartnerHeaderError, PartnersFileError, load_partners, resolve_headers

OLDEST_POSTGRES = 15


@dataclass(frozen=True)
class Finding:
    """One checked thing; with `advice` it is wrong, and the advice says what to do."""

    what: str
    advice: str | None = None

    @property
    def line(self) -> str:
        """As printed."""
        return f"ok       {self.what}" if self.advice is None else f"PROBLEM  {self.what} -> {self.advice}"


def findings(environment: Environment) -> Iterator[Finding]:
    """All findings, check by check."""
    checks: list[Callable[[Environment], Iterator[Finding]]] = [
        _versions,
        _home,
        _dagster_settings,
        _partners_file,
        _renditions_file,
        _store,
        _database,
    ]
    for check in checks:
        yield from check(environment)


def _versions(_: Environment) -> Iterator[Finding]:
    yield Finding(f"Python {platform.python_version()}, Dagster {importlib.metadata.version('dagster')}")
    for module, name in (("webp", "WebP"), ("avif", "AVIF")):
        if not features.check(module):
            yield Finding(
                f"Pillow cannot read {name}", "install Pillow's own wheel (pip install --force-reinstall pillow)"
            )
    constraints = PROJECT / "constraints.txt"
    pinned = dict(line.split("==") for line in constraints.read_text().splitlines() if "==" in line)
    ours = ["dagster", "pillow", "obstore", "psycopg", "SQLAlchemy", "aiohttp", "numpy"]
    others = [
        f"{name} {importlib.metadata.version(name)} (tested with {pinned[name]})"
        for name in ours
        if name in pinned and importlib.metadata.version(name) != pinned[name]
    ]
    if others:
        yield Finding(
            f"other versions than tested: {', '.join(others)}",
            "pip install -c constraints.txt -e . restores the tested ones",
        )
    else:
        yield Finding("package versions are the tested ones")


def _home(environment: Environment) -> Iterator[Finding]:
    home = environment.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=home):
            yield Finding(f"IMAGE_ASSETS_HOME {home} can be written")
    except OSError as error:
        yield Finding(f"IMAGE_ASSETS_HOME {home}: {error.strerror}", "name a folder that this user can write")


def _dagster_settings(environment: Environment) -> Iterator[Finding]:
    try:
        own = own_dagster_settings(environment)
    except DagsterSettingsError as error:
        yield Finding(str(error), "mend the file named here")
        return
    if own:
        yield Finding(f"{OWN_DAGSTER_SETTINGS} replaces {', '.join(own)} of the project's dagster.yaml")


def _partners_file(environment: Environment) -> Iterator[Finding]:
    if environment.partners_file is None:
        yield Finding("no partners.yaml: every partner has the defaults")
        return
    try:
        partners = load_partners(environment.partners_file)
    except PartnersFileError as error:
        for mistake in error.mistakes:
            yield Finding(f"{environment.partners_file}: {_one_line(mistake)}", "mend the file named here")
        return
    try:
        choose_methods(environment, partners)
    except PartnersFileError as error:
        yield Finding(_one_line(error), "mend the file named here")
        return
    except RecipesFileError:
        pass  # told by the check of that file
    for settings in partners.listed.values():
        try:
            resolve_headers(settings)
        except PartnerHeaderError as error:
            yield Finding(str(error), "set it for every command, or take the header out of the file")
    yield Finding(f"PARTNERS_FILE {environment.partners_file}: {len(partners.listed)} partners")


def _renditions_file(environment: Environment) -> Iterator[Finding]:
    try:
        recipes = load_recipes(environment.renditions_file)
        yield Finding(f"RENDITIONS_FILE {environment.renditions_file}: {len(recipes)} recipes")
    except RecipesFileError as error:
        yield Finding(_one_line(error), "mend the file named here")


def _store(environment: Environment) -> Iterator[Finding]:
    probe = f"doctor/{os.getpid()}"
    try:
        store = open_store(environment.store_url)
        store.put(probe, b"written by image-assets doctor")
        read = store.get(probe)
        store.delete(probe)
        assert read == b"written by image-assets doctor"
        yield Finding(f"store {environment.store_url} can be written, read and deleted from")
        catalogues, releases = offered_catalogues(store), offered_releases(store)
    except StoreUrlError as error:
        yield Finding(_one_line(error), "set IMAGE_STORE_URL, and for S3 the standard AWS variables")
        return
    except (BaseError, OSError) as error:
        yield Finding(
            f"store {environment.store_url}: {store_fault(error)}",
            "check that bucket or folder exists, the credentials may put, get, list and delete, and AWS_ENDPOINT_URL",
        )
        return
    yield Finding(
        f"store holds catalogues of {len(catalogues.newest)} partners, {len(releases.releases)} data releases"
    )
    for problem in catalogues.problems + releases.problems:
        yield Finding(problem, "rename or remove it; it is not read")


def _database(environment: Environment) -> Iterator[Finding]:
    try:
        with database(environment) as url:
            yield from _database_at(url, embedded=environment.database_url is None)
            yield from _policy(environment, url)
    except EmbeddedPostgresError as error:
        yield Finding(_one_line(error)[:400], f"look into {environment.home / 'postgres.log'}")
    except OSError as error:
        yield Finding(f"embedded PostgreSQL: {error}", "name an IMAGE_ASSETS_HOME that this user can write")
    except psycopg.OperationalError as error:
        yield Finding(
            f"DATABASE_URL: {_one_line(error)}", "check host, port, user, password, and that the database exists"
        )


def _database_at(url: str, embedded: bool) -> Iterator[Finding]:
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        version = connection.info.server_version // 10000
        place = "embedded PostgreSQL" if embedded else f"PostgreSQL at {connection.info.host}:{connection.info.port}"
        if version < OLDEST_POSTGRES:
            yield Finding(f"{place} is version {version}", f"use PostgreSQL {OLDEST_POSTGRES} or newer")
        else:
            yield Finding(f"{place}, version {version}")
        row = connection.execute(
            "SELECT has_database_privilege(current_database(), 'CREATE'), pg_encoding_to_char(encoding) "
            "FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        assert row is not None
        if not row[0]:
            yield Finding("the database user may not create schemas", "GRANT CREATE ON DATABASE … TO this user")
        if row[1] != "UTF8":
            yield Finding(f"the database's encoding is {row[1]}", "create it with ENCODING 'UTF8'")
    current, newest = schema_versions(url)
    if current is None:
        yield Finding("the ledger is not created yet; the first dev or run does it")
    elif current != newest:
        yield Finding(
            f"the ledger's schema is {current}, this program's {newest}",
            "start dev or run once to migrate; if the schema is newer, update the program",
        )
    else:
        yield Finding(f"the ledger's schema is {current}, the newest")


def _policy(environment: Environment, url: str) -> Iterator[Finding]:
    current, newest = schema_versions(url)
    if current != newest:
        return  # no table to look into yet
    try:
        methods = read_methods(environment)
    except (PartnersFileError, RecipesFileError):
        return  # told already
    with Ledger(url).connect() as connection:
        found = certification(connection, methods)
    advice = "image-assets corpus build, then corpus evaluate; docs/same-picture-guarantee.md says more"
    yield Finding(found.line, advice if found.problem else None)


def _one_line(error: Exception | str) -> str:
    return " ".join(str(error).split())
