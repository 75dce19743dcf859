"""Many images of one partner at once: concurrency, pace, retries and back-pressure, host by host.

Belongs here: when each request starts, what follows its answer, and in what the outcomes are handed over. Does not
belong here: what happens within a request (one_attempt), and how a single host is to be treated (hosts).

Every host has a line of its own. A free connection goes to the host with the fewest requests in flight among those that
may be asked now, so a slow host keeps its own images waiting and nobody else's. A failed attempt that deserves another
goes back into its host's line after a pause, and a redirect into the line of the host it leads to.
Outcomes go through a short queue, and a request keeps its connection until its outcome is handed over: a slow taker
stops the requests, and no more bodies are in memory than there are connections and places in that queue.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import ssl
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace

from aiohttp.abc import AbstractResolver

from resources.image_fetcher.body_memory import BodyShare
from resources.image_fetcher.host_report import HostReport
from resources.image_fetcher.hosts import Host
from resources.image_fetcher.image_urls import (
    ImageUrl,
    UrlRefused,
    check_allowed,
    keeps_headers,
    parse_image_url,
    without_credentials,
)
from resources.image_fetcher.one_attempt import (
    NO_VALIDATORS,
    Answer,
    FetchLimits,
    Validators,
    ask_once,
    body_memory,
    open_session,
    redirect_target,
)
from resources.image_fetcher.reasons import reason_entry
from resources.image_fetcher.system_names import SystemNames
from resources.partners import PartnerSettings, resolve_headers

# Requests drawn ahead or waiting for another attempt, per connection. They are small (no bodies), and enough of them
# keeps the connections busy while a share of the partner's images is backing off.
WAITING_PER_CONNECTION = 32
# What is known of hosts without requests is kept for so many of them, longest unused out first.
_IDLE_HOSTS = 1024


@dataclass(frozen=True)
class FetchRequest:
    """An image to fetch; `key` is the caller's own and comes back unchanged.

    With `validators` the image is known already, and is only sent again if it changed.
    """

    key: object
    url: str
    validators: Validators = NO_VALIDATORS


@dataclass(frozen=True)
class Fetched:
    """How one image ended: `data`, or `unchanged` since its validators were given, or a `reason` of FETCH_REASONS.

    `final`: the reason is never tried again; else the attempts ran out, or the host was given up. `attempts` counts
    those that sent a request. `url` is the address last asked (after redirects, without credentials), `status` its HTTP
    status where one came, `validators` and `robots_tag` what it said with it.
    """

    key: object
    data: bytes | None
    reason: str | None
    final: bool
    attempts: int
    status: int | None
    url: str
    unchanged: bool = False
    validators: Validators = NO_VALIDATORS
    robots_tag: str | None = None


async def fetch_all(
    requests: AsyncIterable[FetchRequest] | Iterable[FetchRequest],
    settings: PartnerSettings,
    limits: FetchLimits | None = None,
    *,
    names: AbstractResolver | None = None,
    certificates: ssl.SSLContext | None = None,
    report: HostReport | None = None,
) -> AsyncGenerator[Fetched, None]:
    """Fetch images of one partner, within its settings; each request gives one Fetched, in the order they end.

    An image's trouble is always a value. What raises is the caller's: its source of requests, or a partner's header
    whose variable is not set (PartnerHeaderError). `limits` are the partner's own unless given, `names` answers for
    host names and `certificates` are trusted instead of the system's; `report` is filled with what each host did.
    At most `waiting_places(settings)` requests are drawn ahead of their outcomes.
    Whoever stops taking early should close the iterator (`contextlib.aclosing`); all work is then cancelled.
    """
    headers = resolve_headers(settings)
    # No longer than one host's share of the connections: a slow taker is felt at once.
    ended: asyncio.Queue[_Ended | None] = asyncio.Queue(settings.max_connections)
    fetching = _Fetching(settings, headers, limits or limits_of(settings), report or HostReport(), ended)
    running = asyncio.create_task(fetching.run(requests, names or SystemNames(), certificates))
    try:
        while (one := await ended.get()) is not None:
            if one.share is not None:
                one.share.keep(0)
            yield one.fetched
        await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def limits_of(settings: PartnerSettings) -> FetchLimits:
    """The limits with the partner's own counts and spans."""
    return FetchLimits(
        attempts=settings.attempts,
        backoff_seconds=settings.backoff_seconds,
        host_patience_seconds=settings.host_patience_seconds,
    )


def waiting_places(settings: PartnerSettings) -> int:
    """How many requests are drawn from the source before the first of them has ended."""
    return _connections(settings) * WAITING_PER_CONNECTION


def _connections(settings: PartnerSettings) -> int:
    return max(settings.max_connections_total, settings.max_connections)


@dataclass(frozen=True)
class _Ended:
    """An outcome on its way to the taker, and what its bytes have of the memory until they are his."""

    fetched: Fetched
    share: BodyShare | None


@dataclass(frozen=True)
class _Try:
    """The next request for an image: attempt `number`, at `url` after `redirects`, within `seconds`."""

    request: FetchRequest
    first: ImageUrl
    url: ImageUrl
    seconds: float
    number: int = 1
    redirects: int = 0


@dataclass
class _Line:
    """A host and the tries that wait for it; `offered` names its only valid place in the heap of hosts."""

    host: Host
    waiting: deque[_Try] = field(default_factory=deque)
    pausing: int = 0  # tries whose pause is not over
    offered: int = -1
    alarm: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.pausing or self.host.in_flight)


class _Fetching:
    """The requests of one `fetch_all`: lines of hosts, and tasks for what is in flight."""

    def __init__(
        self,
        settings: PartnerSettings,
        headers: Mapping[str, str],
        limits: FetchLimits,
        report: HostReport,
        ended: asyncio.Queue[_Ended | None],
    ) -> None:
        self._settings = settings
        self._headers = headers
        self._limits = limits
        self._report = report
        self._ended = ended
        self._memory = body_memory(limits)
        self._loop = asyncio.get_running_loop()
        self._free = _connections(settings)
        self._places = asyncio.Semaphore(waiting_places(settings))
        self._outstanding = 0
        self._drawn = False
        self._done = asyncio.Event()
        self._lines: dict[str, _Line] = {}
        self._idle: OrderedDict[str, None] = OrderedDict()
        self._offers: list[tuple[int, int, _Line]] = []  # (requests in flight, order, line)
        self._offer_count = 0

    async def run(
        self,
        requests: AsyncIterable[FetchRequest] | Iterable[FetchRequest],
        names: AbstractResolver,
        certificates: ssl.SSLContext | None,
    ) -> None:
        """Do all the requests, then put None. In a task of its own: a task group must not span the taker's yields."""
        open_ = (self._settings, self._limits, names)
        try:
            async with (
                open_session(*open_, certificates=certificates) as self._session,
                # Some servers drop kept connections without a word: a second attempt must not meet another of those.
                open_session(*open_, keep_alive=False, certificates=certificates) as self._fresh,
                asyncio.TaskGroup() as self._tasks,
            ):
                async for request in _each(requests):
                    await self._places.acquire()
                    self._outstanding += 1
                    await self._take_in(request)
                self._drawn = True
                if self._outstanding:
                    await self._done.wait()
        except BaseExceptionGroup as broken:
            # Only the caller's source, or a mistake of ours, can end here; what is fetched is still handed over.
            await self._ended.put(None)
            raise broken.exceptions[0] from broken
        finally:
            for line in self._lines.values():
                if line.alarm is not None:
                    line.alarm.cancel()
                self._report.add(line.host, self._loop.time())
        await self._ended.put(None)

    async def _take_in(self, request: FetchRequest) -> None:
        try:
            url = parse_image_url(request.url)
            check_allowed(url, self._settings)
        except UrlRefused as refused:
            await self._hand_over(
                Fetched(request.key, None, refused.reason, True, 0, None, without_credentials(request.url))
            )
            return
        await self._queue(_Try(request, first=url, url=url, seconds=self._limits.total_seconds))

    async def _queue(self, wanted: _Try, *, first: bool = False) -> None:
        """Put a try into its host's line; at a host that is given up it ends at once."""
        line = self._line(wanted.url)
        if line.host.given_up(self._loop.time()):
            await self._give_up(line, wanted)
            return
        if first:
            line.waiting.appendleft(wanted)
        else:
            line.waiting.append(wanted)
        self._offer(line)

    def _line(self, url: ImageUrl) -> _Line:
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
            line = self._lines[name] = _Line(host)
        return line

    def _offer(self, line: _Line) -> None:
        """Let the line compete for a connection as soon as its host may be asked."""
        if line.alarm is not None:
            line.alarm.cancel()
            line.alarm = None
        line.offered = -1
        if not line.waiting or not line.host.has_room():
            return
        ready_at = line.host.ready_at()
        if ready_at > self._loop.time():
            line.alarm = self._loop.call_at(ready_at, self._offer, line)
            return
        self._offer_count += 1
        line.offered = self._offer_count
        heapq.heappush(self._offers, (line.host.in_flight, line.offered, line))
        self._start()

    def _start(self) -> None:
        """Give the free connections to the hosts with the fewest requests in flight, in turn."""
        while self._free and self._offers:
            _, offered, line = heapq.heappop(self._offers)
            if offered != line.offered:
                continue
            self._free -= 1
            now = self._loop.time()
            line.host.start(now)
            self._tasks.create_task(self._ask(line, line.waiting.popleft(), now))
            self._offer(line)

    async def _ask(self, line: _Line, wanted: _Try, started: float) -> None:
        """One request and what follows from it; its connection is free again when that is settled."""
        own_headers = self._headers if keeps_headers(wanted.first, wanted.url) else {}
        answer = await ask_once(
            self._session if wanted.number == 1 else self._fresh,
            wanted.url,
            {**own_headers, **wanted.request.validators.request_headers()},
            self._limits,
            wanted.seconds,
            self._memory,
            obey_robots_tag=self._settings.obey_robots_tag,
            # The last of a host's line: with thousands of hosts, idle connections would use up all files.
            keep_alive=bool(line.waiting),
        )
        now = self._loop.time()
        self._learn(line.host, wanted, answer, now, started)
        try:
            if answer.location is not None:
                await self._follow(wanted, answer, wanted.seconds - (now - started))
            else:
                await self._settle(line, wanted, answer)
        finally:
            line.host.end()
            self._free += 1
        if line.host.given_up(now):
            await self._drain(line)
        self._offer(line)
        self._start()
        self._rest(line)

    def _learn(self, host: Host, wanted: _Try, answer: Answer, now: float, started: float) -> None:
        latency = answer.latency
        if latency is not None and (
            answer.reason == "http_429" or (answer.retry_after and answer.reason == "http_503")
        ):
            host.asked_to_wait(now, started, latency, answer.retry_after)
        elif answer.reason is not None and not reason_entry(answer.reason).final:
            host.failed(now, started, latency, first_attempt=wanted.number == 1)
        elif latency is not None:
            host.answered(now, started, latency, len(answer.data or b""))

    async def _follow(self, wanted: _Try, answer: Answer, seconds: float) -> None:
        try:
            target = redirect_target(answer, wanted.url, self._settings)
        except UrlRefused as refused:
            await self._end(wanted, replace(answer, reason=refused.reason))
            return
        if wanted.redirects == self._limits.max_redirects:
            await self._end(wanted, replace(answer, reason="too_many_redirects"))
        else:
            following = replace(wanted, url=target, seconds=max(seconds, 0.0), redirects=wanted.redirects + 1)
            await self._queue(following, first=True)

    async def _settle(self, line: _Line, wanted: _Try, answer: Answer) -> None:
        """Hand the outcome over, or plan another attempt."""
        again = answer.reason is not None and not reason_entry(answer.reason).final
        if not again or wanted.number == self._limits.attempts:
            await self._end(wanted, answer)
            return
        pause = self._limits.backoff_seconds * 2.0 ** (wanted.number - 1) * random.uniform(0.75, 1.25)
        line.pausing += 1
        self._tasks.create_task(self._again(line, wanted, pause))

    async def _again(self, after: _Line, wanted: _Try, pause: float) -> None:
        """The next attempt, from the first URL on; jitter keeps a storm's victims from coming back together."""
        await asyncio.sleep(pause)
        after.pausing -= 1
        self._rest(after)
        seconds = self._limits.total_seconds
        await self._queue(_Try(wanted.request, wanted.first, wanted.first, seconds, wanted.number + 1))

    async def _drain(self, line: _Line) -> None:
        """End the waiting images of a host that is given up."""
        while line.waiting and line.host.given_up(self._loop.time()):
            await self._give_up(line, line.waiting.popleft())

    async def _give_up(self, line: _Line, wanted: _Try) -> None:
        line.host.counts.given_up += 1
        # Attempts that sent nothing do not count; a redirect was sent.
        attempts = wanted.number - 1 + (wanted.redirects > 0)
        await self._hand_over(
            Fetched(wanted.request.key, None, "host_unavailable", False, attempts, None, wanted.url.text)
        )

    async def _end(self, wanted: _Try, answer: Answer) -> None:
        await self._hand_over(
            Fetched(
                key=wanted.request.key,
                data=answer.data,
                reason=answer.reason,
                final=answer.reason is not None and reason_entry(answer.reason).final,
                attempts=wanted.number,
                status=answer.status,
                url=answer.url,
                unchanged=answer.unchanged,
                validators=answer.validators,
                robots_tag=answer.robots_tag,
            ),
            answer.share,
        )

    async def _hand_over(self, fetched: Fetched, share: BodyShare | None = None) -> None:
        await self._ended.put(_Ended(fetched, share))
        self._places.release()
        self._outstanding -= 1
        if self._drawn and not self._outstanding:
            self._done.set()

    def _rest(self, line: _Line) -> None:
        """Forget the hosts that were idle for longest."""
        if not line.idle:
            return
        self._idle[line.host.name] = None
        self._idle.move_to_end(line.host.name)
        while len(self._idle) > _IDLE_HOSTS:
            name, _ = self._idle.popitem(last=False)
            self._report.add(self._lines.pop(name).host, self._loop.time())


async def _each(requests: AsyncIterable[FetchRequest] | Iterable[FetchRequest]) -> AsyncIterator[FetchRequest]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
