"""`image-assets doctor`: one line for what is wrong, with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import other_postgres
import pytest
from s3_server import S3Server, s3_server

from image_assets.commands.doctor import Finding, findings
from resources.environment import read_environment


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def other_database() -> Iterator[str]:
    if not other_postgres.INSTALLED:
        pytest.skip(other_postgres.REASON)
    with other_postgres.other_postgres() as server:
        yield server.url


@pytest.fixture
def variables(tmp_path: Path, database_url: str) -> dict[str, str]:
    return {"IMAGE_ASSETS_HOME": str(tmp_path / "home"), "DATABASE_URL": database_url}


def problems(variables: dict[str, str]) -> list[Finding]:
    return [finding for finding in findings(read_environment(variables)) if finding.advice is not None]


def the_problem(variables: dict[str, str]) -> str:
    (problem,) = problems(variables)
    assert problem.line.startswith("PROBLEM  ")
    assert "\n" not in problem.line
    assert len(problem.line) < 500
    return problem.line


def test_a_good_configuration_has_no_problem(variables: dict[str, str]) -> None:
    found = list(findings(read_environment(variables)))
    assert [finding.line for finding in found if finding.advice] == []
    assert all(finding.line.startswith("ok  ") for finding in found)
    assert any("the newest" in finding.line for finding in found)


def test_s3_and_another_postgresql_have_no_problem(
    variables: dict[str, str], server: S3Server, other_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.use(monkeypatch)
    variables |= {"IMAGE_STORE_URL": f"s3://{server.new_bucket()}/prä fix", "DATABASE_URL": other_database}
    assert problems(variables) == []


def test_what_the_database_answers_is_told_without_the_password(variables: dict[str, str], other_database: str) -> None:
    place = other_database.rpartition("@")[2]
    wrong = the_problem(variables | {"DATABASE_URL": f"postgresql://owner:s3cret@{place}"})
    assert "password authentication failed" in wrong
    assert "s3cret" not in wrong
    assert "does not exist" in the_problem(variables | {"DATABASE_URL": f"{other_database}_2"})
    assert "does not support SSL" in the_problem(variables | {"DATABASE_URL": f"{other_database}?sslmode=require"})


def test_a_port_where_no_database_listens_is_told(variables: dict[str, str]) -> None:
    url = f"postgresql://user:s3cret@127.0.0.1:{other_postgres.free_port()}/database"
    assert "Connection refused" in the_problem(variables | {"DATABASE_URL": url})


def test_what_the_store_answers_is_told(
    variables: dict[str, str], server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.use(monkeypatch)
    missing = the_problem(variables | {"IMAGE_STORE_URL": "s3://nowhere-to-be-found/x"})
    assert "NoSuchBucket: The specified bucket does not exist" in missing
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{other_postgres.free_port()}")
    assert "http://127.0.0.1:" in the_problem(variables | {"IMAGE_STORE_URL": "s3://bucket"})
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:9000")
    assert "Invalid endpoint: 127.0.0.1:9000" in the_problem(variables | {"IMAGE_STORE_URL": "s3://bucket"})
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert "no AWS credentials" in the_problem(variables | {"IMAGE_STORE_URL": "s3://bucket"})


def test_objects_that_are_not_read_are_told(variables: dict[str, str], tmp_path: Path) -> None:
    store = tmp_path / "home" / "store"
    for name in ("catalogues/alpha/w1.xlsx", "data-releases/w1.txt"):
        (store / name).parent.mkdir(parents=True)
        (store / name).write_bytes(b"x")
    lines = [problem.line for problem in problems(variables)]
    assert ["catalogues/alpha/w1.xlsx" in line or "data-releases/w1.txt" in line for line in lines] == [True, True]


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("PARTNERS_FILE", "partners:\n  alpha: {max_conections: 3}\n", "max_conections"),
        ("PARTNERS_FILE", "partners: [", "YAML"),
        ("PARTNERS_FILE", "partners:\n  alpha: {headers: {Token: {env: NOT_SET_ANYWHERE}}}\n", "NOT_SET_ANYWHERE"),
        ("RENDITIONS_FILE", "recipes: [", "YAML"),
        ("RENDITIONS_FILE", "recipes:\n- {name: a, width: 3, height: 3, colour: red}\n", "colour"),
        ("PARTNERS_FILE", None, "No such file"),
        ("RENDITIONS_FILE", None, "No such file"),
    ],
)
def test_a_broken_file_is_told_with_its_name(
    variables: dict[str, str], tmp_path: Path, variable: str, text: str | None, expected: str
) -> None:
    file = tmp_path / "broken.yaml"
    if text is not None:
        file.write_text(text)
    line = the_problem(variables | {variable: str(file)})
    assert expected in line


def test_every_mistake_in_partners_yaml_has_a_line(variables: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "partners.yaml"
    file.write_text("partners:\n  alpha: {max_conections: 3}\n  beta: {trust: high}\n")
    lines = [problem.line for problem in problems(variables | {"PARTNERS_FILE": str(file)})]
    assert len(lines) == 2
    assert all(str(file) in line for line in lines)


def test_a_home_that_cannot_be_is_told_for_all_that_needs_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    lines = [problem.line for problem in problems({"IMAGE_ASSETS_HOME": f"{tmp_path}/file/home"})]
    assert [str(tmp_path / "file") in line for line in lines] == [True] * len(lines)
    assert len(lines) == 3


def test_own_settings_of_dagster_are_told(variables: dict[str, str], tmp_path: Path) -> None:
    own = tmp_path / "home" / "dagster" / "dagster.own.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("telemetry: {enabled: true}\n")
    assert any("telemetry" in finding.line for finding in findings(read_environment(variables)))
    own.write_text("telemetry: {")
    assert "dagster.own.yaml" in the_problem(variables)
