"""A disk that is not mounted for a while while pictures are measured or rendered: waited for, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from end_to_end.world import World
from partner_site import PartnerSite
from pictures import drawn, jpeg

from image_assets.pending_work import BUILD, INGEST, Work


@pytest.fixture
def urls(world: World, site: PartnerSite) -> list[str]:
    urls = [site.serve(f"/{seed}.jpg", jpeg(drawn(seed))) for seed in range(3)]
    world.offer("alpha", "w1", [{"accommodation_id": "1", "url": url} for url in urls])
    world.release("r1", [("H1", "alpha", "1")])
    return urls


@contextmanager
def away_until_a_retry(world: World) -> Iterator[list[str]]:
    """An empty folder in place of the store, until a step is up for its first retry; the messages of such steps."""
    folder = Path(world.store.url.removeprefix("file://"))
    folder.rename(folder.with_name("unmounted"))
    folder.mkdir()
    told: list[str] = []
    done = threading.Event()

    def come_back() -> None:
        while not told and not done.wait(0.05):
            told.extend(_faults(world.instance))
        folder.rmdir()
        folder.with_name("unmounted").rename(folder)

    coming_back = threading.Thread(target=come_back)
    coming_back.start()
    try:
        yield told
    finally:
        done.set()
        coming_back.join()


def _faults(instance: dg.DagsterInstance) -> Iterator[str]:
    for run in instance.get_runs():
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY):
            event = entry.dagster_event
            assert event is not None
            yield str(event.step_retry_data.error)


def test_a_store_that_is_away_while_pictures_are_measured_makes_nobody_fetch_them_again(
    world: World, site: PartnerSite, urls: list[str]
) -> None:
    assert world.materialise(Work(INGEST, "alpha", "", 0, ("catalogue_diffs", "raw_images"))).success
    with away_until_a_retry(world) as told:
        assert world.materialise(Work(INGEST, "alpha", "", 0, ("fingerprints",))).success
    assert "is it mounted, and the right store?" in told[0]
    world.settle()
    assert len(world.manifest()) == len(urls)
    assert set(site.requests.values()) == {1}


@pytest.mark.long
def test_a_store_that_is_away_while_pictures_are_rendered_makes_nobody_fetch_them_again(
    world: World, site: PartnerSite, urls: list[str]
) -> None:
    world.settle()
    first, *rest = world.methods.recipes
    world.methods = replace(world.methods, recipes=(replace(first, quality=first.quality - 5), *rest))
    shards = [work for work in world.pending().work if work.job == BUILD]
    with away_until_a_retry(world) as told:
        assert all(world.materialise(shard).success for shard in shards)
    assert "is it mounted, and the right store?" in told[0]
    world.settle()
    assert len(world.manifest()) == len(urls)
    assert set(site.requests.values()) == {1}
