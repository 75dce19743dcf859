"""What the commands set around themselves: Dagster's home with the user's own blocks, run logs on S3."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from s3_server import S3Server, s3_server

from image_assets.commands.services import (
    DagsterSettingsError,
    dagster_environment,
    dagster_home,
    dagster_instance,
    write_dagster_home,
)
from image_assets.supervision.following import SUPERVISOR_VARIABLE, mark_of
from resources.environment import PROJECT, Environment, read_environment

KEY = ["a-run", "compute_logs", "a-step"]
# Prints as a step does, itself and by a child; then says to the outside which programs it had beside it meanwhile.
STEP = """
import subprocess, sys
import dagster, psutil
logs = dagster.DagsterInstance.get().compute_log_manager
with logs.capture_logs(sys.argv[1:]):
    print("said")
    subprocess.run(["sh", "-c", "echo cried >&2"], check=True)
    beside = [process.name() for process in psutil.Process().children()]
print("beside:", *beside)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def environment(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Environment:
    environment = read_environment({"IMAGE_ASSETS_HOME": str(tmp_path / "home"), "DATABASE_URL": database_url})
    for name, value in dagster_environment(environment, database_url).items():
        monkeypatch.setenv(name, value)
    return environment


def write_own(environment: Environment, text: str) -> None:
    dagster_home(environment).mkdir(parents=True)
    (dagster_home(environment) / "dagster.own.yaml").write_text(text)


def written(environment: Environment) -> dict[str, object]:
    settings: dict[str, object] = yaml.safe_load((dagster_home(environment) / "dagster.yaml").read_text())
    return settings


def test_the_projects_settings_are_put_where_dagster_looks(environment: Environment) -> None:
    write_dagster_home(environment)
    assert written(environment) == yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    instance = dagster_instance(environment)
    assert instance.get_runs_count() == 0
    assert instance.get_concurrency_config().run_queue_config is not None


def test_own_blocks_replace_the_projects_and_leave_the_others(environment: Environment) -> None:
    write_own(environment, "telemetry: {enabled: true}\nretention: {schedule: {purge_after_days: 9}}\n")
    write_dagster_home(environment)
    project = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    own = {"telemetry": {"enabled": True}, "retention": {"schedule": {"purge_after_days": 9}}}
    assert written(environment) == project | own
    dagster_instance(environment)


@pytest.mark.parametrize("text", ["storage: [", "- a list", "just text", "\x00"])
def test_own_settings_that_are_no_blocks_are_refused_with_the_files_name(environment: Environment, text: str) -> None:
    write_own(environment, text)
    with pytest.raises(DagsterSettingsError, match=r"dagster\.own\.yaml: [^\n]+$"):
        write_dagster_home(environment)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("compute_logz: {}", "compute_logz"),
        ("compute_logs: {module: no.such.module, class: X, config: {}}", r"no\.such\.module"),
        (
            "compute_logs: {module: dagster_aws.s3.compute_log_manager, class: S3ComputeLogManager,"
            " config: {bukket: x}}",
            "bukket",
        ),
    ],
)
def test_own_settings_that_dagster_refuses_are_told_before_anything_starts(
    environment: Environment, text: str, reason: str
) -> None:
    write_own(environment, text)
    write_dagster_home(environment)
    with pytest.raises(DagsterSettingsError, match=rf"dagster\.own\.yaml: [^\n]*{reason}[^\n]*$"):
        dagster_instance(environment)


def print_in_a_step(environment: Environment) -> tuple[bytes, bytes, set[str]]:
    """What the UI shows of a step that prints, and the programs that ran beside it."""
    write_dagster_home(environment)
    said = subprocess.run([sys.executable, "-c", STEP, *KEY], check=True, capture_output=True, text=True, cwd=PROJECT)
    data = dagster_instance(environment).compute_log_manager.get_log_data(KEY)
    return data.stdout or b"", data.stderr or b"", set(said.stdout.splitlines()[-1].split())


def test_under_a_supervisor_a_runs_output_is_kept_without_other_processes(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SUPERVISOR_VARIABLE, mark_of(os.getpid()))
    assert print_in_a_step(environment) == (b"said\n", b"cried\n", {"beside:"})
    assert (dagster_home(environment) / "storage" / "a-run" / "compute_logs" / "a-step.out").exists()


def test_without_a_supervisor_a_runs_output_is_also_copied_to_the_outside(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SUPERVISOR_VARIABLE, raising=False)
    out, err, beside = print_in_a_step(environment)
    assert (out, err) == (b"said\n", b"cried\n")
    assert "tail" in beside


def test_run_logs_go_to_s3_and_come_back(
    environment: Environment, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.use(monkeypatch)
    monkeypatch.setenv(SUPERVISOR_VARIABLE, mark_of(os.getpid()))
    bucket = server.new_bucket()
    write_own(
        environment,
        f"""
compute_logs:
  module: image_assets.supervision.run_logs_on_s3
  class: S3RunLogs
  config: {{bucket: {bucket}, prefix: run-logs, local_dir: {{env: DAGSTER_HOME}}, skip_empty_files: true}}
""",
    )
    assert print_in_a_step(environment) == (b"said\n", b"cried\n", {"beside:"})
    listed = server.client.list_objects_v2(Bucket=bucket)["Contents"]
    assert [item["Key"] for item in listed] == [
        "run-logs/storage/a-run/compute_logs/a-step.err",
        "run-logs/storage/a-run/compute_logs/a-step.out",
    ]
