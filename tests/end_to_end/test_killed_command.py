"""SIGKILL of the real command: alone, then with its whole process tree; started again it ends as if undisturbed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from end_to_end.fresh_worlds import fresh_world, world_at, write_partners
from end_to_end.killing import (
    Committed,
    assert_no_process_with,
    assert_not_asked_again,
    assert_rows_have_their_objects,
    committed,
    processes_with,
    weeks,
)
from partner_site import PartnerSite

from resources.ledger.embedded import embedded_postgres

pytestmark = pytest.mark.long

COMMAND = [str(Path(sys.executable).with_name("image-assets")), "run", "--until-idle"]
PATIENCE_SECONDS = 400


@pytest.fixture
def home() -> Iterator[Path]:
    # Not tmp_path: pytest closes its folders to other users, and as root the server is another user.
    with tempfile.TemporaryDirectory(prefix="killed-command-") as folder:
        yield Path(folder).resolve()
        kill(processes_with(folder))


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def start(home: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {
        "IMAGE_ASSETS_HOME": str(home),
        "IMAGE_STORE_URL": f"file://{home}/store",
        "PARTNERS_FILE": str(write_partners(home / "partners.yaml")),
        "HOTEL_SHARDS": "2",
    }
    with (home / "command.log").open("ab") as log:
        return subprocess.Popen(COMMAND, env=environment, stdout=log, stderr=log)


def wait_until(seen: Callable[[], bool], process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not seen():
        assert process.poll() is None, (home / "command.log").read_text()
        assert time.monotonic() < deadline, (home / "command.log").read_text()
        time.sleep(0.005)


def files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def committed_in(home: Path, site: PartnerSite) -> Committed:
    """What the ledger of a home holds while no command runs on it; its rows have their objects."""
    with embedded_postgres(home) as url:
        world = world_at(f"file://{home}/store", url, home / "partners.yaml")
        assert_rows_have_their_objects(world.ledger, world.store)
        return committed(world.ledger, site)


def test_a_killed_command_and_a_killed_process_tree_end_in_the_manifest_of_an_undisturbed_world(
    home: Path, site: PartnerSite, postgres_url: str
) -> None:
    first_week = weeks(site)[0]
    with fresh_world(postgres_url) as world:
        first_week(world)
        world.settle()
        manifest = world.manifest_bytes()
    site.requests.clear()
    chosen = random.Random(7)
    world = world_at(f"file://{home}/store", "postgresql://unused", write_partners(home / "partners.yaml"))
    first_week(world)

    asked = chosen.randint(1, 8)
    command = start(home)
    wait_until(lambda: sum(site.requests.values()) >= asked, command, home)
    command.kill()
    command.wait()
    assert_no_process_with(str(home))
    before = committed_in(home, site)

    made = chosen.randint(1, 60)
    command = start(home)
    wait_until(lambda: files(home / "store" / "renditions") >= made, command, home)
    kill([*psutil.Process(command.pid).children(recursive=True), *processes_with(str(home))])
    command.wait()
    assert_no_process_with(str(home))
    now = committed_in(home, site)
    assert_not_asked_again(before, now, site)
    before = now

    command = start(home)
    assert command.wait(timeout=PATIENCE_SECONDS) == 0, (home / "command.log").read_text()
    assert_no_process_with(str(home))
    assert_not_asked_again(before, committed_in(home, site), site)
    assert world.manifest_bytes() == manifest
    assert_no_process_with(str(home))
