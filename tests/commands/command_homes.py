"""A home that `image-assets` is run on as people run it, with a store and a partners file of its own.

Does not belong here: what the command should say.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from resources.object_store import ObjectStore, open_store

COMMAND = Path(sys.executable).with_name("image-assets")
# Ours and Dagster's variables must come from the test, not from whoever runs it.
OURS = re.compile(r"IMAGE_|DATABASE_URL|PARTNERS_FILE|RENDITIONS_FILE|HOTEL_SHARDS|RELEASE_WAIT|DAGSTER_|AWS_|PG")
PATIENCE = 400.0  # more than the command itself has


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


@contextmanager
def command_home() -> Iterator[Home]:
    """A home where partner `alpha` is on this machine.

    Not tmp_path: pytest closes its folders to other users, and as root the server is another user.
    """
    with tempfile.TemporaryDirectory(prefix="image-assets-home-") as folder:
        path = Path(folder).resolve()
        (path / "partners.yaml").write_text("partners: {alpha: {allow_private_addresses: true}}\n")
        yield Home(path)
