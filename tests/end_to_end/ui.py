"""A running `image-assets dev` as its users meet it: the UI's own GraphQL requests, waiting on conditions.

Does not belong here: what must come out.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 400

_LAUNCH = """mutation Launch($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { id } } } }"""
_BACKFILL = """mutation Launch($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
    __typename ... on LaunchBackfillSuccess { backfillId } } }"""
_ADD_PARTITION = """mutation Add($set: String!, $key: String!, $repository: RepositorySelector!) {
    addDynamicPartition(partitionsDefName: $set, partitionKey: $key, repositorySelector: $repository) {
    __typename } }"""
_BACKFILL_STATUS = """query Backfill($id: String!) { partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status } } }"""
_RUN_STATUS = "query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_RUNS = """query Runs($filter: RunsFilter!) { runsOrError(filter: $filter) { ... on Runs { results { runId } } } }"""
_EVENTS = """query Events($id: ID!) { logsForRun(runId: $id, limit: 1000) { ... on EventConnection { events {
    __typename ... on MessageEvent { message stepKey }
    ... on ExecutionStepFailureEvent { error { message } } } } } }"""
_METADATA = """query Metadata($asset: AssetKeyInput!) { assetOrError(assetKey: $asset) { ... on Asset {
    assetMaterializations(limit: 1) { metadataEntries { label __typename
        ... on UrlMetadataEntry { url } ... on IntMetadataEntry { intValue } ... on FloatMetadataEntry { floatValue }
        ... on BoolMetadataEntry { boolValue } } } } } }"""

_REPOSITORY = {"repositoryLocationName": "image_assets", "repositoryName": "__repository__"}
_FROM_UI = {"key": "dagster/from_ui", "value": "true"}


def eventually(holds: Callable[[], bool], otherwise: Callable[[], object]) -> None:
    """Wait until a condition holds; after a long time fail with what `otherwise` tells."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.25)


@dataclass(frozen=True)
class Ui:
    """The UI at `port`; its command writes to `log`."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, query: str, **variables: Any) -> Any:
        """The one field that a GraphQL request asks for."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        (field,) = answer["data"].values()
        return field

    def add_partition(self, partitions: str, key: str) -> None:
        """As "Add a partition" does."""
        added = self.ask(_ADD_PARTITION, set=partitions, key=key, repository=_REPOSITORY)
        assert added["__typename"] == "AddDynamicPartitionSuccess", added

    def materialise(self, asset: str, partition: str) -> str:
        """As "Materialize" does for one partition, waited for; the run's id."""
        selector = {**_REPOSITORY, "pipelineName": "__ASSET_JOB", "assetSelection": [{"path": [asset]}]}
        tags = [{"key": "dagster/partition", "value": partition}, _FROM_UI]
        execution = {
            "mode": "default",
            "runConfigData": "{}",
            "executionMetadata": {"tags": tags},
            "selector": selector,
        }
        launched = self.ask(_LAUNCH, params=execution)
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id: str = launched["run"]["id"]
        eventually(lambda: self.run_status(run_id) in ("SUCCESS", "FAILURE"), lambda: self.events(run_id))
        return run_id

    def backfill(self, assets: Sequence[str], partitions: Sequence[str]) -> str:
        """As "Launch backfill" does, waited for; its last status."""
        selection = [{"path": [asset]} for asset in assets]
        wanted = {"assetSelection": selection, "partitionNames": list(partitions), "fromFailure": False}
        launched = self.ask(_BACKFILL, params={**wanted, "tags": [_FROM_UI]})
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        statuses = ["REQUESTED"]

        def ended() -> bool:
            statuses.append(self.ask(_BACKFILL_STATUS, id=launched["backfillId"])["status"])
            return statuses[-1] not in ("REQUESTED", "FAILING", "CANCELING")

        eventually(ended, lambda: statuses[-1])
        return statuses[-1]

    def runs(self, job: str, partition: str, status: str) -> list[str]:
        """The ids of a job's runs for a partition, newest first."""
        tags = [{"key": "dagster/partition", "value": partition}]
        wanted = {"pipelineName": job, "tags": tags, "statuses": [status]}
        return [run["runId"] for run in self.ask(_RUNS, filter=wanted)["results"]]

    def run_status(self, run_id: str) -> str:
        return str(self.ask(_RUN_STATUS, id=run_id)["status"])

    def events(self, run_id: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self.ask(_EVENTS, id=run_id)["events"]
        return events

    def metadata(self, asset: str) -> dict[str, Any]:
        """What an asset's last materialisation says: URLs, numbers, booleans."""
        found = self.ask(_METADATA, asset={"path": [asset]})["assetMaterializations"]
        values = ("url", "intValue", "floatValue", "boolValue")
        return {
            entry["label"]: next((entry[name] for name in values if name in entry), None)
            for materialization in found
            for entry in materialization["metadataEntries"]
        }


@contextmanager
def image_assets_dev(home: Path, partners_file: Path) -> Iterator[Ui]:
    """`image-assets dev` in `home`, from when its UI answers; stopped as by Ctrl-C."""
    port = _free_ports()
    theirs = ("DATABASE_URL", "DAGSTER_HOME", "RENDITIONS_FILE", "IMAGE_ASSETS_PAGES")
    environment = {name: value for name, value in os.environ.items() if name not in theirs} | {
        "IMAGE_ASSETS_HOME": str(home),
        "IMAGE_STORE_URL": f"file://{home}/store",
        "PARTNERS_FILE": str(partners_file),
        "HOTEL_SHARDS": "2",
    }
    command = [str(Path(sys.executable).with_name("image-assets")), "dev", "--port", str(port)]
    log = home / "command.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        eventually(
            lambda: process.poll() is not None or f"UI:    http://127.0.0.1:{port}" in log.read_text(), log.read_text
        )
        assert process.poll() is None, log.read_text()
        yield Ui(port, process, log)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_SECONDS)


def _free_ports() -> int:
    """A port that is free, and the one above it too: there galleries are served."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
