"""SIGKILL of the real command, alone or with its whole process tree; started again it ends as if undisturbed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from end_to_end.fresh_worlds import fresh_world, world_at, write_partners
from end_to_end.killing import Committed, assert_not_asked_again, assert_rows_have_their_objects, committed, weeks
from homes import assert_no_process_of, fresh_home, kill, processes_of
from partner_site import PartnerSite

from resources.ledger.embedded import embedded_postgres
from resources.ledger.schema import migrate

pytestmark = pytest.mark.long

COMMAND = [str(Path(sys.executable).with_name("image-assets")), "run", "--until-idle"]
PATIENCE_SECONDS = 400
PROCESSES = 15  # of a command that is at work; with fewer it is still starting

# What can be seen from outside, in the order of the data, and how many more of it to wait for at most.
SIGHTS: list[tuple[Callable[[Path, PartnerSite], int], int]] = [
    (lambda home, site: sum(site.requests.values()), 4),
    (lambda home, site: files(home / "store" / "raw"), 2),
    (lambda home, site: files(home / "dagster" / "storage"), 4),  # a run has just begun its logs
    (lambda home, site: files(home / "store" / "renditions"), 40),
    (lambda home, site: files(home / "store" / "image-releases"), 3),
]


@pytest.fixture
def home() -> Iterator[Path]:
    with fresh_home("killed-command-") as home:
        yield home


def start(home: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {
        "IMAGE_ASSETS_HOME": str(home),
        "IMAGE_STORE_URL": f"file://{home}/store",
        "PARTNERS_FILE": str(write_partners(home / "partners.yaml")),
        "HOTEL_SHARDS": "2",
    }
    with (home / "command.log").open("ab") as log:
        return subprocess.Popen(COMMAND, env=environment, stdout=log, stderr=log)


def kill_at(count: Callable[[], int], enough: int, home: Path, any_order: random.Random | None) -> None:
    """Start the command and kill it as soon as there is enough of something: alone, or all processes in any order."""
    command = start(home)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while count() < enough:
        assert command.poll() is None, (home / "command.log").read_text()
        assert time.monotonic() < deadline, (home / "command.log").read_text()
        time.sleep(0.005)
    if any_order:
        everything = processes_of(home)
        any_order.shuffle(everything)
        kill(everything)
    command.kill()
    command.wait()
    assert_no_process_of(home)


def processes(home: Path) -> int:
    return len(processes_of(home))


def files(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def committed_in(home: Path, site: PartnerSite) -> Committed:
    """What the ledger of a home holds while no command runs on it; its rows have their objects."""
    with embedded_postgres(home) as url:
        migrate(url)
        world = world_at(f"file://{home}/store", url, home / "partners.yaml")
        assert_rows_have_their_objects(world.ledger, world.store)
        return committed(world.ledger, site)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_command_killed_again_and_again_ends_in_the_manifest_of_an_undisturbed_world(
    home: Path, site: PartnerSite, postgres_url: str, seed: int
) -> None:
    first_week = weeks(site)[0]
    with fresh_world(postgres_url) as world:
        first_week(world)
        world.settle()
        manifest = world.manifest_bytes()
    site.requests.clear()
    chosen = random.Random(seed)
    world = world_at(f"file://{home}/store", "postgresql://unused", write_partners(home / "partners.yaml"))
    first_week(world)

    before = committed_in(home, site)
    for number, (count, more) in enumerate(SIGHTS):
        # Once while it starts and once at its work; of the two, one is alone and one with all its processes.
        tree_first = (number + seed) % 2
        kill_at(partial(processes, home), chosen.randint(1, PROCESSES - 1), home, chosen if tree_first else None)
        now = committed_in(home, site)
        assert_not_asked_again(before, now, site)
        enough = count(home, site) + chosen.randint(1, more)
        kill_at(partial(count, home, site), enough, home, None if tree_first else chosen)
        before, now = now, committed_in(home, site)
        assert_not_asked_again(before, now, site)
        before = now

    command = start(home)
    assert command.wait(timeout=PATIENCE_SECONDS) == 0, (home / "command.log").read_text()
    assert_no_process_of(home)
    assert_not_asked_again(before, committed_in(home, site), site)
    assert world.manifest_bytes() == manifest
    assert_no_process_of(home)
