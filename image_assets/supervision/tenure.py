"""One supervisor per home. Does not belong here: what it supervises."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from image_assets.supervision.following import end_marked, mark_of
from resources.lock_files import open_lock_file, read_lock_file, try_lock, write_lock_file


@dataclass(frozen=True)
class SupervisedElsewhere:
    """The process that supervises the home already, and its UI ("" when it has none, or not yet)."""

    pid: int
    url: str


@dataclass(frozen=True)
class Supervision:
    """The right to run Dagster's processes for `home`, as long as the context is open."""

    home: Path
    mark: str
    lock: int

    def announce(self, url: str) -> None:
        """Tell later commands where the UI is."""
        write_lock_file(self.lock, json.dumps({"mark": self.mark, "url": url}))


@contextmanager
def acquire_supervision(home: Path) -> Iterator[Supervision | SupervisedElsewhere]:
    """Become the only supervisor of `home`, or learn who is.

    The lock `supervisor.lock` goes with this process, however it dies. Processes that an earlier supervisor left
    behind are killed first, so that no run is in progress when this returns a Supervision.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    lock = open_lock_file(home / "supervisor.lock")
    try:
        if not try_lock(lock, fcntl.LOCK_EX):
            yield _holder(lock)
            return
        if earlier := read_lock_file(lock):
            end_marked(json.loads(earlier)["mark"])
        supervision = Supervision(home, mark_of(os.getpid()), lock)
        supervision.announce("")
        yield supervision
        write_lock_file(lock, "")
    finally:
        os.close(lock)


def _holder(lock: int) -> SupervisedElsewhere:
    said = json.loads(read_lock_file(lock) or '{"mark": "0:", "url": ""}')
    return SupervisedElsewhere(int(said["mark"].partition(":")[0]), said["url"])
