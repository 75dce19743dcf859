"""The `image-assets` command as people run it: exit codes and messages, on a home of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from dagster_postgres.utils import DagsterPostgresException, retry_pg_connection_fn
from fetch_queues import whole_queue
from partner_site import PartnerSite, partner_site
from pictures import drawn, jpeg
from PIL import Image
from sqlalchemy import create_engine

from image_assets.commands.messages import message_for
from image_assets.image_release.publishing import current_release
from image_assets.supervision import acquire_supervision
from resources.ledger import Ledger, catalogues
from resources.ledger.catalogues import CatalogueVersion
from resources.ledger.embedded import embedded_postgres
from resources.ledger.fetch_results import FetchResult, record_fetches
from resources.ledger.operations import Gate, gates, record_gate
from resources.ledger.schema import migrate
from resources.object_store import ObjectStore, open_store

COMMAND = Path(sys.executable).with_name("image-assets")
# Ours and Dagster's variables must come from the test, not from whoever runs it.
OURS = re.compile(r"IMAGE_|DATABASE_URL|PARTNERS_FILE|RENDITIONS_FILE|HOTEL_SHARDS|RELEASE_WAIT|DAGSTER_|AWS_|PG")
PATIENCE = 400.0  # more than the command itself has


ROOT = Path(__file__).parents[2]
# Supervises a home, and does nothing.
HOLDER = """
import signal, sys
from pathlib import Path
from image_assets.supervision import acquire_supervision
with acquire_supervision(Path(sys.argv[1])):
    print("ready", flush=True)
    signal.pause()
"""


@dataclass(frozen=True)
class Home:
    """A home of the command, with a store and a partners file beneath it."""

    path: Path

    @property
    def store(self) -> ObjectStore:
        return open_store(f"file://{self.path}/store")

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not OURS.match(name)},
            "IMAGE_ASSETS_HOME": str(self.path),
            "PARTNERS_FILE": str(self.path / "partners.yaml"),
            "HOTEL_SHARDS": "1",
        }

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COMMAND, *arguments],
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """(exit code, what it said)."""
        return ended(self.start(*arguments, **variables))

    def offer(self, partner_id: str, version: str, urls: list[str]) -> None:
        lines = "".join(json.dumps({"accommodation_id": "1", "url": url}) + "\n" for url in urls)
        self.store.put(f"catalogues/{partner_id}/{version}.jsonl", lines.encode())

    def release(self, release_id: str, *rows: str) -> None:
        text = "\n".join(["hotel_id,partner_id,accommodation_id", *rows])
        self.store.put(f"data-releases/{release_id}.csv", text.encode())


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        said, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate()
        raise AssertionError(f"{process.args!r} does not end: {said}") from None
    return process.returncode, said


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    # Not tmp_path: pytest closes its folders to other users, and as root the server is another user.
    with tempfile.TemporaryDirectory(prefix="image-assets-home-") as folder:
        path = Path(folder).resolve()
        (path / "partners.yaml").write_text("partners: {alpha: {allow_private_addresses: true}}\n")
        yield Home(path)


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
        assert [gate.accepted for gate in gates(connection) if gate.partition_key == "$abc"] == [True]


def test_what_failed_is_listed_put_back_in_line_and_accepted(home: Home, ledger: Ledger) -> None:
    catalogue = CatalogueVersion("$abc", "w1", "k", "e")
    with ledger.connect() as connection:
        catalogues.open_staging(connection, catalogue)
        urls = ["http://user:s3cret@a.test/1", "http://a.test/2", "http://a.test/3"]
        rows = [(n, "1", url, n, None, None, None, None, None) for n, url in enumerate(urls)]
        catalogues.stage_entries(connection, "$abc", rows)
        catalogues.reject_duplicates(connection, catalogue, "k")
        catalogues.apply(connection, catalogue, catalogues.diff(connection, "$abc"))
        outcomes = {urls[0]: ("rejected", "credentials_in_url"), urls[1]: ("failed", "http_503")}
        results = [
            FetchResult(q.fetch_key, *outcomes.get(q.url, ("available", None)), 3, 503, "ab" * 32, "jpeg", 9, 9, 9)
            for q in whole_queue(connection, "$abc")
        ]
        record_fetches(connection, "$abc", results, "m")
        record_gate(connection, Gate("raw_images", "$abc", "failed_share", "w1:e:0.5", False, "many failed"))
    code, said = home.run("failures", "$abc")
    assert (code, said.splitlines()) == (
        0,
        [
            "failed\thttp_503\t3\t503\thttp://a.test/2",
            "rejected\tcredentials_in_url\t3\t503\thttp://a.test/1",
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


def test_dev_beside_another_supervisor_says_so_and_ends(home: Home) -> None:
    with acquire_supervision(home.path):
        code, said = home.run("dev")
    assert code == 1
    assert f"Process {os.getpid()} runs on {home.path} already" in said


def test_with_nothing_to_do_run_until_idle_ends_at_once_and_well(home: Home) -> None:
    code, said = home.run("run", "--until-idle")
    assert (code, said.splitlines()[-1]) == (0, "Idle: everything new is processed and published.")


@pytest.fixture(scope="module")
def working_home(home: Home) -> Iterator[tuple[Home, PartnerSite, list[str]]]:
    """A home whose first release is processed by two commands at once; what both said is the test's below."""
    with partner_site() as site, tempfile.TemporaryDirectory(prefix="image-assets-home-") as folder:
        path = Path(folder).resolve()
        shutil.copy(home.path / "partners.yaml", path)
        working = Home(path)
        working.offer("alpha", "w1", [site.serve(f"/{n}.jpg", jpeg(drawn(n))) for n in range(4)])
        working.release("r1", "H1,alpha,1", "H2,beta,1")
        both = [working.start("run", "--until-idle") for _ in range(2)]
        outcomes = [ended(process) for process in both]
        assert [code for code, _ in outcomes] == [0, 0], outcomes
        yield working, site, [said for _, said in outcomes]


@pytest.mark.long
def test_of_two_commands_at_once_one_works_and_the_other_waits_with_it(
    working_home: tuple[Home, PartnerSite, list[str]],
) -> None:
    home, site, said = working_home
    assert sum("waiting with it" in each for each in said) == 1
    assert all(each.splitlines()[-1] == "Idle: everything new is processed and published." for each in said)
    current = current_release(home.store)
    assert current is not None
    assert current["release_id"] == "r1"
    assert site.requests == {f"/{n}.jpg": 1 for n in range(4)}
    code, report = home.run("status")
    assert code == 0
    assert "release r1: 2 hotels, 4 images; published" in report
    assert report.splitlines()[-1] == "idle: nothing is left to do"


@pytest.mark.long
def test_a_waiting_command_takes_over_when_the_one_at_work_is_killed_though_nobody_reaped_it(
    working_home: tuple[Home, PartnerSite, list[str]],
) -> None:
    home, _, _ = working_home
    home.release("r1", "H1,alpha,1")
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, home.path], stdout=subprocess.PIPE, cwd=ROOT)
    assert holder.stdout is not None
    holder.stdout.readline()
    waiting = home.start("run", "--until-idle")
    assert waiting.stdout is not None
    assert "waiting with it" in waiting.stdout.readline()
    holder.kill()
    code, said = ended(waiting)
    holder.wait()
    assert (code, said.splitlines()[0]) == (0, "It ended; taking over.")
    assert "release r1: 1 hotels, 4 images; published" in home.run("status")[1]


@pytest.mark.long
def test_closed_gates_end_the_command_with_their_reason_and_the_command_that_accepts_them(
    working_home: tuple[Home, PartnerSite, list[str]],
) -> None:
    home, site, _ = working_home
    home.offer("alpha", "w2", [site.url("/0.jpg")])
    code, said = home.run("run", "--until-idle")
    assert code == 1
    (reason,) = (line for line in said.splitlines() if line.startswith("NOT DONE"))
    assert "deletes 3 of 4 known URLs" in reason
    assert reason.endswith("image-assets accept-shrink alpha w2")
    assert "STOPPED" in home.run("status")[1]

    blank = site.serve("/blank.jpg", jpeg(Image.new("RGB", (400, 300), "grey")))
    home.offer(
        "beta", "w1", [site.serve("/b.jpg", jpeg(drawn(9))), site.serve("/down.jpg", 503), site.url("/gone.jpg"), blank]
    )
    home.release("r2", "H3,beta,1")
    assert home.run("accept-shrink", "alpha", "w2")[0] == 0
    code, said = home.run("run", "--until-idle", PARTNERS_FILE=_allow(home, "alpha", "beta"))
    assert code == 1
    (reason,) = (line for line in said.splitlines() if line.startswith("NOT DONE"))
    assert "1 of 1 hotels lose all their pictures since r1" in reason
    assert reason.endswith("image-assets accept-release r2")
    assert (current_release(home.store) or {})["release_id"] == "r1"

    assert home.run("accept-release", "r2")[0] == 0
    code, said = home.run("run", "--until-idle", PARTNERS_FILE=_allow(home, "alpha", "beta"))
    assert (code, said.splitlines()[-1]) == (0, "Idle: everything new is processed and published.")
    assert (current_release(home.store) or {})["release_id"] == "r2"
    failed, refused, placeholders = (line for line in said.splitlines() if line.startswith("NOTE"))
    assert "beta: 1 images failed and wait for its next catalogue (1 × http_503)" in failed
    assert failed.endswith("image-assets retry beta")
    assert "1 images are rejected (1 × http_404)" in refused
    assert "release r2: 1 pictures (1 images) are left out" in placeholders
    assert placeholders.endswith("image-assets placeholders r2")


@pytest.mark.long
def test_work_that_fails_again_and_again_ends_the_command_with_the_cause(
    working_home: tuple[Home, PartnerSite, list[str]],
) -> None:
    home, _, _ = working_home
    home.store.put("catalogues/alpha/w3.csv", b"hotel,picture\n1,2\n")
    code, said = home.run("run", "--until-idle", PARTNERS_FILE=_allow(home, "alpha", "beta"))
    assert code == 1
    (reason,) = (line for line in said.splitlines() if line.startswith("NOT DONE"))
    assert "catalogues/alpha/w3.csv" in reason
    assert "accommodation_id" in reason


def _allow(home: Home, *partners: str) -> str:
    file = home.path / "more-partners.yaml"
    file.write_text(json.dumps({"partners": {name: {"allow_private_addresses": True} for name in partners}}))
    return str(file)
