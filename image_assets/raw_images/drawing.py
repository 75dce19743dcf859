"""In what order a partner's queue is drawn: host by host, so that a host with endless or slow images blocks no other.

Belongs here: how many images of which host are drawn ahead of their outcomes. Does not belong here: the queue itself
(the ledger), requests (the fetcher).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Generic, Protocol, TypeVar

# Hosts that are drawn from side by side. The others wait for one of them to be empty, in name order.
OPEN_HOSTS = 256


class Queued(Protocol):
    """An image of the queue: `fetch_key` orders those of a host."""

    @property
    def fetch_key(self) -> str: ...

    @property
    def host(self) -> str: ...


Image = TypeVar("Image", bound=Queued)


@dataclass
class FairDrawing(Generic[Image]):
    """Draws the images of a queue from all its hosts in turn.

    Of each host, no more images are drawn ahead of their outcomes than its share of `places`. `hosts(after, limit)`
    gives the next hosts in name order; `pages(after, limits)` gives, for each host in `limits`, its next images in key
    order behind the key in `after`. Tell `ended` of every image that has its outcome.
    """

    hosts: Callable[[str | None, int], Awaitable[Sequence[str]]]
    pages: Callable[[Mapping[str, str | None], Mapping[str, int]], Awaitable[Sequence[Image]]]
    places: int
    _ahead: Counter[str] = field(default_factory=Counter)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def ended(self, image: Image) -> None:
        """One of the drawn images has its outcome."""
        self._ahead[image.host] -= 1
        if not self._ahead[image.host]:
            del self._ahead[image.host]
        self._changed.set()

    async def images(self) -> AsyncIterator[Image]:
        """The whole queue as it is; what is queued behind the place already drawn is left to the next time."""
        after: dict[str, str | None] = {}  # the open hosts, and their last key drawn
        last_host: str | None = None
        more_hosts = True
        while True:
            if more_hosts and len(after) < OPEN_HOSTS:
                found = await self.hosts(last_host, OPEN_HOSTS - len(after))
                more_hosts = len(found) == OPEN_HOSTS - len(after)
                last_host = found[-1] if found else last_host
                after.update(dict.fromkeys(found))
            if not after:
                return
            wanted = self._wanted(after)
            if not wanted:
                self._changed.clear()
                await self._changed.wait()
                continue
            drawn: dict[str, list[Image]] = {host: [] for host in wanted}
            for image in await self.pages({host: after[host] for host in wanted}, wanted):
                drawn[image.host].append(image)
            for host, images in drawn.items():
                if len(images) < wanted[host]:
                    del after[host]
                else:
                    after[host] = images[-1].fetch_key
            for image in _in_turn(drawn.values()):
                self._ahead[image.host] += 1
                yield image

    def _wanted(self, hosts: Mapping[str, str | None]) -> dict[str, int]:
        """How many to draw of each host; none before it is worth a query, unless a host is out of images."""
        share = max(self.places // len(hosts), 1)
        free = self.places - self._ahead.total()
        wanted: dict[str, int] = {}
        for host in hosts:
            room = min(share - self._ahead[host], free)
            if room > share // 2 or (room > 0 and not self._ahead[host]):
                wanted[host] = room
                free -= room
        worth_it = sum(wanted.values()) >= self.places // 8
        return wanted if worth_it or any(not self._ahead[host] for host in wanted) else {}


def _in_turn(hosts: Iterable[list[Image]]) -> Iterator[Image]:
    for images in zip_longest(*hosts):
        yield from (image for image in images if image is not None)
