"""The `image-assets` command as people run it: exit codes and messages, on a home of its own."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator

import pytest
from commands.command_homes import COMMAND, Home, command_home
from dagster_postgres.utils import DagsterPostgresException, retry_pg_connection_fn
from fetch_queues import whole_queue
from image_files import avif_that_claims
from sqlalchemy import create_engine

from image_assets.commands.messages import message_for
from resources.ledger import Ledger, catalogues
from resources.ledger.catalogues import CatalogueVersion
from resources.ledger.embedded import embedded_postgres
from resources.ledger.fetch_results import FetchResult, record_fetches
from resources.ledger.gates import Gate, all_gates, record_gate
from resources.ledger.schema import migrate
from resources.object_store import open_store, raw_image_key


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with command_home() as home:
        yield home


@pytest.fixture
def ledger(home: Home) -> Iterator[Ledger]:
    """The ledger in the home's own server, which runs as long as the test does."""
    with embedded_postgres(home.path) as url:
        migrate(url)
        yield Ledger(url)


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        ("status", "HOTEL_SHARDS", "many"),
        ("run --until-idle", "HOTEL_SHARDS", "0"),
        ("dev", "RELEASE_WAIT", "soon"),
        ("run --until-idle", "IMAGE_STORE_URL", "ftp://host/x"),
        ("status", "DATABASE_URL", "mysql://host/x"),
    ],
)
def test_a_variable_that_cannot_be_used_ends_in_a_message_that_names_it(
    home: Home, command: str, name: str, value: str
) -> None:
    code, said = home.run(*command.split(), **{name: value})
    assert code == 1
    assert name in said
    assert "Traceback" not in said


def test_a_database_that_does_not_answer_is_told_in_one_message(home: Home) -> None:
    code, said = home.run("status", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert code == 1
    assert "database" in said
    assert "Traceback" not in said


def test_a_database_that_goes_away_from_dagster_is_told_in_one_message() -> None:
    """`run --until-idle` asks Dagster's storage about once a second; the next command goes on where it ended."""
    engine = create_engine("postgresql+psycopg2://127.0.0.1:1/none")
    with pytest.raises(DagsterPostgresException) as gone:
        retry_pg_connection_fn(engine.connect, retry_limit=0)
    assert re.fullmatch(r"the database: .*[Rr]efused.* \(image-assets doctor .*\)", str(message_for(gone.value)))


@pytest.mark.parametrize(
    ("command", "variable", "content", "told"),
    [
        ("run --until-idle", "PARTNERS_FILE", "partners: {alpha: {trusted: 1}}\n", "trusted"),
        ("status", "PARTNERS_FILE", "partners: [\n", "not YAML"),
        ("doctor", "PARTNERS_FILE", "partners: 7\n", "partners"),
        ("doctor", "RENDITIONS_FILE", "recipes: 7\n", "recipes"),
        ("run --until-idle", "RENDITIONS_FILE", None, "broken.yaml"),
    ],
)
def test_a_mistake_in_the_users_files_is_told_before_anything_starts(
    home: Home, command: str, variable: str, content: str | None, told: str
) -> None:
    file = home.path / "broken.yaml"
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_text(content)
    code, said = home.run(*command.split(), **{variable: str(file)})
    assert (code, told in said, "Traceback" in said) == (1, True, False), said
    assert "broken.yaml" in said


def test_status_of_an_empty_home_is_idle(home: Home) -> None:
    code, said = home.run("status")
    assert (code, said.splitlines()[-1]) == (0, "idle: nothing is left to do")


def test_doctor_finds_an_ordinary_home_in_order(home: Home, ledger: Ledger) -> None:
    code, said = home.run("doctor")
    assert (code, "PROBLEM" in said) == (0, False), said
    for checked in ("Python", "IMAGE_ASSETS_HOME", "PARTNERS_FILE", "RENDITIONS_FILE", "store", "PostgreSQL", "schema"):
        assert checked in said


def test_doctor_names_each_odd_object_and_what_to_do_about_it(home: Home) -> None:
    home.store.put("catalogues/readme.txt", b"x")
    try:
        code, said = home.run("doctor")
    finally:
        home.store.delete("catalogues/readme.txt")
    (problem,) = (line for line in said.splitlines() if line.startswith("PROBLEM"))
    assert code == 1
    assert "catalogues/readme.txt" in problem
    assert "->" in problem


def test_accepting_what_is_not_closed_is_refused_with_a_reason(home: Home) -> None:
    code, said = home.run("accept-shrink", "alpha", "w1")
    assert (code, "alpha: no catalogue is held" in said) == (1, True)
    code, said = home.run("accept-release", "r1")
    assert (code, "No gate of release r1 is closed" in said) == (1, True)
    assert home.run("accept-shrink", "alpha")[0] == 2


def test_gc_tells_what_is_unused_and_collects_it_when_told_to(home: Home, ledger: Ledger) -> None:
    key = "raw/ab/" + "ab" * 32
    home.store.put(key, b"left by a killed run")
    code, said = home.run("gc", "--grace", "0s")
    assert (code, "without a row raw" in said, "Nothing was changed" in said) == (0, True, True), said
    assert home.run("gc", "--delete", "--grace", "0s")[0] == 0
    assert home.store.get(key), "only marked"
    code, said = home.run("gc", "--delete", "--grace", "0s")
    assert (code, "Deleted 1 objects" in said) == (0, True), said
    assert home.store.missing([key]) == [key]
    code, said = home.run("gc", "--grace", "soon")
    assert (code, "such as 36h or 10d" in said) == (2, True), said


def test_a_held_catalogue_is_accepted_by_its_version_and_no_other(home: Home, ledger: Ledger) -> None:
    with ledger.connect() as connection:
        record_gate(connection, Gate("catalogue_diffs", "$abc", "deleted_share", "w:2:etag:0.3", False, "deletes much"))
    code, said = home.run("accept-shrink", "$abc", "w:1")
    assert (code, "held is version w:2, not w:1" in said) == (1, True)
    assert home.run("accept-shrink", "$abc", "w:2")[0] == 0
    with ledger.connect() as connection:
        assert [gate.accepted for gate in all_gates(connection) if gate.partition_key == "$abc"] == [True]


def test_what_failed_is_listed_put_back_in_line_and_accepted(home: Home, ledger: Ledger) -> None:
    catalogue = CatalogueVersion("$abc", "w1", "k", "e")
    with ledger.connect() as connection:
        catalogues.open_staging(connection, catalogue)
        urls = ["http://user:s3cret@a.test/1", "http://a.test/2", "http://a.test/3", "http://a.test/4"]
        rows = [(n, "1", url, n, None, None, None, None, None) for n, url in enumerate(urls)]
        catalogues.stage_entries(connection, "$abc", rows)
        catalogues.reject_duplicates(connection, catalogue, "k")
        catalogues.apply(connection, catalogue, catalogues.diff(connection, "$abc"))
        hungry = avif_that_claims(8000, 6000, "4:4:4")
        sha256 = hashlib.sha256(hungry).hexdigest()
        open_store((home.path / "store").as_uri()).put(raw_image_key(sha256), hungry)
        nothing_kept = (None, None, None, None, 0)
        results = {
            urls[0]: ("rejected", "credentials_in_url", 0, None, *nothing_kept),
            urls[1]: ("failed", "http_503", 3, 503, *nothing_kept),
            urls[2]: ("available", None, 1, 200, "ab" * 32, "jpeg", 9, 9, 9),
            urls[3]: ("rejected", "decoder_memory", 1, 200, sha256, "avif", 8000, 6000, len(hungry)),
        }
        fetched = [FetchResult(queued.fetch_key, *results[queued.url]) for queued in whole_queue(connection, "$abc")]
        record_fetches(connection, "$abc", fetched, "m")
        record_gate(connection, Gate("raw_images", "$abc", "failed_share", "w1:e:0.5", False, "many failed"))
    code, said = home.run("failures", "$abc")
    assert (code, said.splitlines()) == (
        0,
        [
            "failed\thttp_503\t3\t503\thttp://a.test/2",
            "rejected\tcredentials_in_url\t0\t-\thttp://a.test/1",
            "rejected\tdecoder_memory\t1\t200\thttp://a.test/4\t"
            "8000 x 6000 avif, needs 457 MB of memory, 400 MB are allowed",
        ],
    )
    to_nobody = ["/bin/sh", "-c", f"'{COMMAND}' failures '$abc' | exec true"]
    assert subprocess.run(to_nobody, env=home.environment, stderr=subprocess.PIPE).stderr == b""
    assert home.run("failures", "$abc", "--reason", "dns_failed") == (0, "")
    code, said = home.run("failures", "nobody")
    assert (code, "no catalogue of a partner nobody is applied" in said) == (1, True), said
    assert home.run("retry", "$abc", "--reason", "dns_failed")[0] == 1
    code, said = home.run("retry", "$abc", "--reason", "http_503")
    assert (code, "1 images are in line again" in said) == (0, True), said
    code, said = home.run("recheck", "$abc")
    assert (code, "1 images are in line to be revalidated" in said) == (0, True), said
    assert home.run("recheck", "nobody")[0] == 1
    assert home.run("accept-failures", "$abc")[0] == 0
    code, said = home.run("accept-failures", "$abc")
    assert (code, "failed_share is not closed" in said) == (1, True), said


def test_people_decide_on_two_images_by_their_first_digits_and_mistakes_are_told(home: Home, ledger: Ledger) -> None:
    a, b = "a1" * 32, "b2" * 32
    with ledger.connect() as connection:
        for sha256 in (a, b):
            connection.execute("INSERT INTO raw_images VALUES (decode(%s, 'hex'), 'JPEG', 640, 480, 1)", [sha256])
    code, said = home.run("decide", "different", b[:8], a[:8], "--note", "two balconies")
    assert (code, f"different {a} {b}" in said) == (0, True), said
    code, said = home.run("decisions")
    assert (code, said.startswith(f"different {a} {b}"), said.endswith("two balconies\n")) == (0, True, True), said
    code, said = home.run("decide", "same", a[:7], b)
    assert (code, "expected 8 to 64 hexadecimal digits" in said, "Traceback" in said) == (1, True, False), said
    assert home.run("undecide", a, b)[0] == 0
    code, said = home.run("placeholders", "r9")
    assert (code, "Data release r9 is not loaded." in said) == (1, True), said
    code, said = home.run("explain", "H1")
    assert (code, "No data release is loaded." in said, "Traceback" in said) == (1, True, False), said
