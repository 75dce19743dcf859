"""Database or store gone while pictures are fetched: waited for, or the run fails with the cause; nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from end_to_end.world import World
from partner_site import PartnerSite
from pictures import drawn, jpeg

from image_assets.pending_work import INGEST, Work

WORK = Work(INGEST, "alpha", "", 0, ("catalogue_diffs", "raw_images"))


@pytest.fixture
def urls(world: World, site: PartnerSite) -> list[str]:
    urls = [site.serve(f"/{seed}.jpg", jpeg(drawn(seed))) for seed in range(12)]
    world.offer("alpha", "w1", [{"accommodation_id": "1", "url": url} for url in urls])
    return urls


def when(site: PartnerSite, asked: int, act: Callable[[], None]) -> threading.Thread:
    """Do something as soon as the site has been asked so often."""
    stop = threading.Event()

    def wait() -> None:
        while site.requests.total() < asked:
            stop.wait(0.005)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def available(world: World) -> int:
    with world.ledger.connect() as connection:
        rows = connection.execute("SELECT count(*) FROM fetch_results WHERE outcome = 'available'").fetchone()
    assert rows is not None
    return int(rows[0])


def test_connections_that_the_database_drops_are_opened_again(
    world: World, site: PartnerSite, urls: list[str], postgres_url: str, database_url: str
) -> None:
    def drop_all() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                [psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]],
            )

    dropping = when(site, 1, drop_all)
    assert world.materialise(WORK).success
    dropping.join()
    assert available(world) == len(urls)
    assert set(site.requests.values()) == {1}


def test_a_store_that_comes_back_in_time_costs_no_second_request(
    world: World, site: PartnerSite, urls: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTAGE_WAIT", "60s")
    gone = make_unusable(world)
    coming_back = when(site, len(urls), gone.unlink)
    assert world.materialise(WORK).success
    coming_back.join()
    assert available(world) == len(urls)
    assert set(site.requests.values()) == {1}


def test_a_store_that_stays_away_fails_the_run_with_the_cause_and_the_next_run_goes_on(
    world: World, site: PartnerSite, urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTAGE_WAIT", "1s")
    gone = make_unusable(world)
    failed = world.materialise(WORK)
    assert not failed.success
    failures = [event for event in failed.all_events if event.is_step_failure]
    assert "the store was gone for 1 s" in str(failures[0].step_failure_data.error)
    assert available(world) == 0

    gone.unlink()
    assert world.materialise(WORK).success
    assert available(world) == len(urls)


def make_unusable(world: World) -> Path:
    """A file where the store wants to write; the store works again without it."""
    folder = Path(world.store.url.removeprefix("file://")) / ".writing"
    if folder.exists():
        folder.rename(folder.with_name(".moved"))
    folder.write_bytes(b"")
    return folder
