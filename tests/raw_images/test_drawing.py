"""The order in which a queue is drawn: every image once, no host ahead of its share, none blocked by another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from image_assets.raw_images import drawing
from image_assets.raw_images.drawing import FairDrawing


class Image(NamedTuple):
    fetch_key: str
    host: str


class Queue:
    """A queue in memory that answers as the ledger does."""

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self.images = {
            host: [Image(f"{n:06d}", host) for n in range(count)] for host, count in lengths.items() if count
        }
        self.queries = 0

    async def hosts(self, after: str | None, limit: int) -> Sequence[str]:
        return [host for host in sorted(self.images) if after is None or host > after][:limit]

    async def pages(self, after: Mapping[str, str | None], limits: Mapping[str, int]) -> Sequence[Image]:
        self.queries += 1
        return [
            image
            for host, limit in limits.items()
            for image in [i for i in self.images[host] if i.fetch_key > (after[host] or "")][:limit]
        ]

    def drawing(self, places: int) -> FairDrawing[Image]:
        return FairDrawing(self.hosts, self.pages, places)


@given(
    st.dictionaries(st.text("abc", max_size=3), st.integers(0, 60), max_size=8),
    st.integers(1, 50),
    st.randoms(use_true_random=False),
)
def test_every_image_is_drawn_once_and_never_more_than_there_are_places(lengths, places: int, random) -> None:
    async def scenario() -> list[Image]:
        fair = Queue(lengths).drawing(places)
        ahead: list[Image] = []
        drawn: list[Image] = []

        async def end_some() -> None:
            while True:
                await asyncio.sleep(0)
                if ahead:
                    fair.ended(ahead.pop(random.randrange(len(ahead))))

        ending = asyncio.create_task(end_some())
        async for image in fair.images():
            drawn.append(image)
            ahead.append(image)
            assert len(ahead) <= places
            for _ in range(random.randrange(3)):
                await asyncio.sleep(0)
        ending.cancel()
        return drawn

    drawn = asyncio.run(asyncio.wait_for(scenario(), 30))
    assert sorted(drawn) == sorted(Image(f"{n:06d}", host) for host, count in lengths.items() for n in range(count))


def test_a_host_without_outcomes_blocks_no_other() -> None:
    """Nothing of `stuck` ever ends; everything of the other host is drawn all the same."""

    async def scenario() -> Counter[str]:
        fair = Queue({"a-stuck": 10_000, "fine": 5_000}).drawing(100)
        drawn: Counter[str] = Counter()
        async for image in fair.images():
            drawn[image.host] += 1
            if image.host == "fine":
                fair.ended(image)
            if drawn["fine"] == 5_000:
                break
        return drawn

    drawn = asyncio.run(asyncio.wait_for(scenario(), 30))
    assert drawn["a-stuck"] <= 50


def test_hosts_take_turns() -> None:
    async def scenario() -> list[str]:
        return [image.host async for image in Queue({"a": 50, "b": 50, "c": 50}).drawing(300).images()]

    drawn = asyncio.run(scenario())
    assert drawn == ["a", "b", "c"] * 50


def test_more_hosts_than_are_open_at_once_are_all_drawn(monkeypatch) -> None:
    monkeypatch.setattr(drawing, "OPEN_HOSTS", 8)

    async def scenario() -> Counter[str]:
        fair = Queue({f"h{n:03d}": 3 for n in range(100)}).drawing(40)
        drawn: Counter[str] = Counter()
        async for image in fair.images():
            drawn[image.host] += 1
            fair.ended(image)
        return drawn

    assert asyncio.run(scenario()) == {f"h{n:03d}": 3 for n in range(100)}


def test_a_long_queue_is_drawn_by_few_queries() -> None:
    async def scenario() -> int:
        queue = Queue({"a": 20_000})
        fair = queue.drawing(2000)
        async for image in fair.images():
            fair.ended(image)
        return queue.queries

    assert asyncio.run(scenario()) <= 41
