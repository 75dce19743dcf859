"""SIGKILL in the middle of downloads, at random moments, again and again: the same ledger and objects as undisturbed.

A child process downloads; the partners' sites live in the test and see what is asked for. Bytes are few and the
pictures small, so that what is killed is the fetching, storing and recording.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from end_to_end.driven_world import download
from end_to_end.fresh_worlds import fresh_database, world_at, write_partners
from partner_site import PartnerSite, partner_site
from pictures import drawn, jpeg

from image_assets.pending_work import INGEST

CHILDREN = multiprocessing.get_context("forkserver")
CHILDREN.set_forkserver_preload(["end_to_end.driven_world"])
PATIENCE_SECONDS = 120
SITES = 5
IMAGES = 2500
KILLS = 25


def with_comment(data: bytes, comment: str) -> bytes:
    """The same picture as another content: a JPEG comment behind the start marker."""
    text = comment.encode()
    return data[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[2:]


@contextmanager
def five_sites() -> Iterator[tuple[list[PartnerSite], list[str]]]:
    """Sites that answer with pictures, some of them the same, with 404 and with what is no image."""
    small = [jpeg(drawn(seed, 320, 240)) for seed in range(8)]
    with ExitStack() as stack:
        sites = [stack.enter_context(partner_site()) for _ in range(SITES)]
        urls = []
        for number in range(IMAGES):
            picture = with_comment(small[number % len(small)], str(number % (IMAGES - 200)))
            kinds: dict[int, Any] = {3: 404, 7: b"no image at all"}
            urls.append(sites[number % SITES].serve(f"/{number}.jpg", kinds.get(number % 40, picture)))
        yield sites, urls


@dataclass
class Downloads:
    """A ledger and a store that one child after the other fills."""

    place: tuple[str, str, Path]
    sites: list[PartnerSite]

    def __post_init__(self) -> None:
        self.world = world_at(*self.place)

    def offer(self, urls: list[str]) -> None:
        self.world.offer("alpha", "w1", [{"accommodation_id": "1", "url": url} for url in urls])

    def run(self, until: Callable[[], bool]) -> bool:
        """Let a child download until it ends, or is killed because `until` says so. Whether it ended."""
        child = CHILDREN.Process(target=download, args=(*self.place, "alpha"), daemon=True)
        child.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while child.is_alive() and not until():
            assert time.monotonic() < deadline, "the child hangs"
            child.join(0.001)
        child.kill()
        child.join()
        assert child.exitcode in (0, -9)
        return child.exitcode == 0

    def rows(self, query: str) -> list[Any]:
        with self.world.ledger.connect() as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]

    def results(self) -> list[Any]:
        return self.rows(
            """SELECT DISTINCT entry.accommodation_id, outcome, reason, status, encode(sha256, 'hex'),
                      regexp_replace(url, '^http://[^/]*', '')
               FROM fetch_results JOIN catalogue_entries AS entry USING (partner_id, fetch_key) ORDER BY 6"""
        )

    def objects(self) -> dict[str, bytes]:
        store = self.world.store
        return {item.key: store.get(item.key) for item in store.objects("raw")}

    def asked(self) -> dict[str, int]:
        return {path: count for site in self.sites for path, count in site.requests.items()}

    def committed_paths(self) -> set[str]:
        return {row[5] for row in self.results()}


@pytest.mark.long
def test_downloads_killed_at_random_moments_end_as_if_undisturbed(postgres_url: str, tmp_path: Path) -> None:
    chosen = random.Random(5)
    with five_sites() as (sites, urls), fresh_database(postgres_url) as url, fresh_database(postgres_url) as other:
        killed = Downloads((f"file://{tmp_path}/killed", url, write_partners(tmp_path / "p.yaml")), sites)
        killed.offer(urls)
        kills = 0
        while True:
            committed, before = killed.committed_paths(), killed.asked()
            started, more = sum(before.values()), chosen.randint(1, 170)
            by_rows = chosen.random() < 0.3

            moment = next_row(killed) if by_rows else requests_of(sites, started + more)
            ended = killed.run(moment if kills < KILLS else lambda: False)
            assert_sound(killed, committed, before)
            if ended:
                break
            kills += 1
        assert kills >= KILLS
        assert list((tmp_path / "killed" / ".writing").iterdir()) == []

        for site in sites:
            site.requests.clear()
        undisturbed = Downloads((f"file://{tmp_path}/undisturbed", other, tmp_path / "p.yaml"), sites)
        undisturbed.offer(urls)
        assert undisturbed.run(lambda: False)
        assert killed.results() == undisturbed.results()
        assert killed.objects() == undisturbed.objects()
        assert len(killed.results()) == IMAGES
        work = [item for item in killed.world.pending().work if item.job == INGEST]
        assert killed.rows("SELECT count(*) FROM fetch_queue") == [(0,)]
        assert {item.assets for item in work} <= {("raw_images", "fingerprints")}, "only fingerprints are left to do"


def next_row(downloads: Downloads) -> Callable[[], bool]:
    """As soon as one more batch is committed."""
    count = "SELECT count(*) FROM fetch_results"
    before = downloads.rows(count)
    return lambda: downloads.rows(count) != before


def requests_of(sites: list[PartnerSite], many: int) -> Callable[[], bool]:
    """As soon as the sites have seen so many requests."""
    return lambda: sum(site.requests.total() for site in sites) >= many


def assert_sound(downloads: Downloads, committed: set[str], before: dict[str, int]) -> None:
    """What was committed was not asked for again; every row has its object, whole."""
    asked = downloads.asked()
    assert [path for path in committed if asked.get(path, 0) != before.get(path, 0)] == []
    for (sha256,) in downloads.rows("SELECT encode(sha256, 'hex') FROM raw_images"):
        data = downloads.world.store.get(f"raw/{sha256[:2]}/{sha256}")
        assert hashlib.sha256(data).hexdigest() == sha256
