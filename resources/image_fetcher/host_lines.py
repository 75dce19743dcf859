"""The lines in which images wait for their hosts, and who is asked next.

Belongs here: a line for every host, the free connections and which host gets them, forgetting hosts. Does not belong
here: how a single host is to be treated (hosts), and what an answer leads to (tries).

A free connection goes to the host with the fewest requests in flight among those that may be asked now, so a slow host
keeps its own images waiting and nobody else's.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from resources.image_fetcher.host_report import HostReport
from resources.image_fetcher.hosts import Host
from resources.image_fetcher.image_urls import ImageUrl
from resources.image_fetcher.limits import FetchLimits
from resources.image_fetcher.request_and_outcome import FetchRequest
from resources.partners import PartnerSettings

# What is known of hosts without requests is kept for so many of them, longest unused out first.
_IDLE_HOSTS = 1024


@dataclass(frozen=True)
class Try:
    """The next request for an image: attempt `number`, at `url` after `redirects`, within `seconds`."""

    request: FetchRequest
    first: ImageUrl
    url: ImageUrl
    seconds: float
    number: int = 1
    redirects: int = 0


@dataclass
class Line:
    """A host and the tries that wait for it; `offered` names its only valid place in the heap of hosts."""

    host: Host
    waiting: deque[Try] = field(default_factory=deque)
    pausing: int = 0  # tries whose pause is not over
    offered: int = -1
    alarm: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing waits, pauses or is under way."""
        return not (self.waiting or self.pausing or self.host.in_flight)


class HostLines:
    """All lines of one `fetch_all` and its connections. `ask(line, wanted, now)` is called when a try may start."""

    def __init__(
        self,
        settings: PartnerSettings,
        limits: FetchLimits,
        report: HostReport,
        connections: int,
        ask: Callable[[Line, Try, float], object],
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._report = report
        self._free = connections
        self._ask = ask
        self._loop = asyncio.get_running_loop()
        self._lines: dict[str, Line] = {}
        self._idle: OrderedDict[str, None] = OrderedDict()
        self._offers: list[tuple[int, int, Line]] = []  # (requests in flight, order, line)
        self._offer_count = 0

    def line(self, url: ImageUrl) -> Line:
        """The line of the URL's host."""
        bare = url.host.removesuffix(".")
        name = bare if url.default_port else f"{bare}:{url.port}"
        self._idle.pop(name, None)
        line = self._lines.get(name)
        if line is None:
            host = Host(
                name,
                self._settings.max_connections,
                self._settings.requests_per_second,
                self._limits,
                self._loop.time(),
            )
            line = self._lines[name] = Line(host)
        return line

    def offer(self, line: Line) -> None:
        """Let the line compete for a connection as soon as its host may be asked."""
        if line.alarm is not None:
            line.alarm.cancel()
            line.alarm = None
        line.offered = -1
        if not line.waiting or not line.host.has_room():
            return
        ready_at = line.host.ready_at()
        if ready_at > self._loop.time():
            line.alarm = self._loop.call_at(ready_at, self.offer, line)
            return
        self._offer_count += 1
        line.offered = self._offer_count
        heapq.heappush(self._offers, (line.host.in_flight, line.offered, line))
        self._start()

    def answered(self, line: Line) -> None:
        """A request is over and its connection free."""
        line.host.end()
        self._free += 1

    def go_on(self, line: Line) -> None:
        """Start what may start after an answer of the line's host."""
        self.offer(line)
        self._start()
        self.rest(line)

    def rest(self, line: Line) -> None:
        """Forget the hosts that were idle for longest."""
        if not line.idle:
            return
        self._idle[line.host.name] = None
        self._idle.move_to_end(line.host.name)
        while len(self._idle) > _IDLE_HOSTS:
            name, _ = self._idle.popitem(last=False)
            self._report.add(self._lines.pop(name).host, self._loop.time())

    def close(self) -> None:
        """No line is offered any more, and all hosts are in the report."""
        for line in self._lines.values():
            if line.alarm is not None:
                line.alarm.cancel()
            self._report.add(line.host, self._loop.time())

    def _start(self) -> None:
        """Give the free connections to the hosts with the fewest requests in flight, in turn."""
        while self._free and self._offers:
            _, offered, line = heapq.heappop(self._offers)
            if offered != line.offered:
                continue
            self._free -= 1
            now = self._loop.time()
            line.host.start(now)
            self._ask(line, line.waiting.popleft(), now)
            self.offer(line)
