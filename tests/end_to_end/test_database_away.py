"""A database that is away for longer than Dagster's patience: the real command waits, and goes on by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import other_postgres
import pytest
from end_to_end.fresh_worlds import world_at, write_partners
from end_to_end.world import World
from homes import assert_no_process_of, fresh_home
from other_postgres import OtherPostgres
from partner_site import PartnerSite
from pictures import drawn, jpeg

from resources.ledger.database_url import plain_database_url

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not other_postgres.INSTALLED, reason=other_postgres.REASON),
]

PATIENCE_SECONDS = 300


@dataclass
class AtWork:
    """The command, in the middle of its work, and all around it."""

    home: Path
    server: OtherPostgres
    world: World
    urls: list[str]
    process: subprocess.Popen[bytes]

    def said(self) -> str:
        return (self.home / "command.log").read_text()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)


@contextmanager
def at_work(site: PartnerSite, outage_wait: str, until: str) -> Iterator[AtWork]:
    """`until` is the folder of the store whose first object says that the command is far enough."""
    with other_postgres.other_postgres() as server, fresh_home("database-away-") as home:
        partners = write_partners(home / "partners.yaml")
        world = world_at(f"file://{home}/store", plain_database_url(server.url), partners)
        urls = [site.serve(f"/{seed}.jpg", jpeg(drawn(seed, 1600, 1200))) for seed in range(40)]
        world.offer("alpha", "w1", [{"accommodation_id": "1", "url": url} for url in urls])
        world.release("r1", [("H1", "alpha", "1")])
        environment = os.environ | {
            "DATABASE_URL": server.url,
            "IMAGE_ASSETS_HOME": str(home),
            "IMAGE_STORE_URL": world.store.url,
            "PARTNERS_FILE": str(partners),
            "HOTEL_SHARDS": "2",
            "OUTAGE_WAIT": outage_wait,
        }
        command = [Path(sys.executable).with_name("image-assets"), "run", "--until-idle"]
        with (home / "command.log").open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        scene = AtWork(home, server, world, urls, process)
        try:
            scene.wait_for(lambda: any(path.is_file() for path in (home / "store" / until).rglob("*")))
            yield scene
        finally:
            process.kill()
            process.wait()


def test_the_command_waits_for_a_database_that_is_away_and_publishes_all_without_asking_for_a_picture_again(
    site: PartnerSite,
) -> None:
    with at_work(site, "5m", "renditions") as scene:
        scene.server.stop()
        scene.wait_for(lambda: "is gone. Everything is stopped" in scene.said())
        scene.server.start()
        assert scene.process.wait(timeout=PATIENCE_SECONDS) == 0, scene.said()
        assert scene.said().count("is gone. Everything is stopped") == 1
        assert len(scene.world.manifest()) == len(scene.urls)
        assert set(site.requests.values()) == {1}
        assert_no_process_of(scene.home)


def test_a_database_that_stays_away_ends_the_command_with_the_cause_and_without_its_password(
    site: PartnerSite,
) -> None:
    with at_work(site, "3s", "raw") as scene:
        scene.server.stop()
        assert scene.process.wait(timeout=PATIENCE_SECONDS) == 1, scene.said()
        error = scene.said().splitlines()[-1]
        assert error.startswith("Error: The database at 127.0.0.1:"), error
        assert "refused" in error
        assert "Traceback" not in scene.said()
        assert other_postgres.PASSWORD not in scene.said()
        assert_no_process_of(scene.home)


def test_a_command_that_waits_for_its_database_can_be_stopped(site: PartnerSite) -> None:
    with at_work(site, "5m", "raw") as scene:
        scene.server.stop()
        scene.wait_for(lambda: "is gone. Everything is stopped" in scene.said())
        scene.process.send_signal(signal.SIGINT)
        assert scene.process.wait(timeout=30) == 128 + signal.SIGINT
        assert_no_process_of(scene.home)
