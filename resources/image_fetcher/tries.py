"""Every image's way from its request to its outcome: tries in the lines of hosts, retries, redirects.

Belongs here: what follows an answer. Does not belong here: what happens within a request (one_attempt), which host is
asked next (host_lines), and how outcomes are taken (fetching).

Every host has a line of its own. A failed attempt that deserves another goes back into its host's line after a pause,
and a redirect into the line of the host it leads to. A request keeps its connection until its outcome is handed over: a
slow taker stops the requests.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace

from aiohttp.abc import AbstractResolver

from resources.image_fetcher.body_memory import BodyShare
from resources.image_fetcher.client import open_session
from resources.image_fetcher.host_lines import HostLines, Line, Try
from resources.image_fetcher.host_report import HostReport
from resources.image_fetcher.hosts import Host
from resources.image_fetcher.image_urls import (
    UrlRefused,
    check_allowed,
    keeps_headers,
    parse_image_url,
    without_credentials,
)
from resources.image_fetcher.limits import FetchLimits
from resources.image_fetcher.one_attempt import (
    Answer,
    ask_once,
    body_memory,
    redirect_target,
)
from resources.image_fetcher.reasons import reason_entry
from resources.image_fetcher.request_and_outcome import Fetched, FetchRequest
from resources.partners import PartnerSettings

# Requests drawn ahead or waiting for another attempt, per connection. They are small (no bodies), and enough of them
# keeps the connections busy while a share of the partner's images is backing off.
WAITING_PER_CONNECTION = 32


def waiting_places(settings: PartnerSettings) -> int:
    """How many requests are drawn from the source before the first of them has ended."""
    return _connections(settings) * WAITING_PER_CONNECTION


def _connections(settings: PartnerSettings) -> int:
    return max(settings.max_connections_total, settings.max_connections)


@dataclass(frozen=True)
class Ended:
    """An outcome on its way to the taker, and what its bytes have of the memory until they are his."""

    fetched: Fetched
    share: BodyShare | None


class Tries:
    """The requests of one `fetch_all`: lines of hosts, and tasks for what is in flight."""

    def __init__(
        self,
        settings: PartnerSettings,
        headers: Mapping[str, str],
        limits: FetchLimits,
        report: HostReport,
        ended: asyncio.Queue[Ended | None],
    ) -> None:
        self._settings = settings
        self._headers = headers
        self._limits = limits
        self._ended = ended
        self._memory = body_memory(limits)
        self._loop = asyncio.get_running_loop()
        self._lines = HostLines(settings, limits, report, _connections(settings), self._start)
        self._places = asyncio.Semaphore(waiting_places(settings))
        self._outstanding = 0
        self._drawn = False
        self._done = asyncio.Event()

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
            self._lines.close()
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
        await self._queue(Try(request, first=url, url=url, seconds=self._limits.total_seconds))

    async def _queue(self, wanted: Try, *, first: bool = False) -> None:
        """Put a try into its host's line; at a host that is given up it ends at once."""
        line = self._lines.line(wanted.url)
        if line.host.given_up(self._loop.time()):
            await self._give_up(line, wanted)
            return
        if first:
            line.waiting.appendleft(wanted)
        else:
            line.waiting.append(wanted)
        self._lines.offer(line)

    def _start(self, line: Line, wanted: Try, now: float) -> None:
        self._tasks.create_task(self._ask(line, wanted, now))

    async def _ask(self, line: Line, wanted: Try, started: float) -> None:
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
            self._lines.answered(line)
        if line.host.given_up(now):
            await self._drain(line)
        self._lines.go_on(line)

    def _learn(self, host: Host, wanted: Try, answer: Answer, now: float, started: float) -> None:
        latency, reason = answer.latency, answer.reason
        if reason is None or reason_entry(reason).final:
            if latency is not None:
                host.answered(now, started, latency, len(answer.data or b""))
        elif latency is not None and (reason == "http_429" or (reason == "http_503" and answer.retry_after)):
            host.asked_to_wait(now, started, latency, reason, answer.retry_after)
        else:
            host.failed(now, started, latency, reason, first_attempt=wanted.number == 1)

    async def _follow(self, wanted: Try, answer: Answer, seconds: float) -> None:
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

    async def _settle(self, line: Line, wanted: Try, answer: Answer) -> None:
        """Hand the outcome over, or plan another attempt."""
        again = answer.reason is not None and not reason_entry(answer.reason).final
        if not again or wanted.number == self._limits.attempts:
            await self._end(wanted, answer)
            return
        pause = self._limits.backoff_seconds * 2.0 ** (wanted.number - 1) * random.uniform(0.75, 1.25)
        line.pausing += 1
        self._tasks.create_task(self._again(line, wanted, pause))

    async def _again(self, after: Line, wanted: Try, pause: float) -> None:
        """The next attempt, from the first URL on; jitter keeps a storm's victims from coming back together."""
        await asyncio.sleep(pause)
        after.pausing -= 1
        self._lines.rest(after)
        seconds = self._limits.total_seconds
        await self._queue(Try(wanted.request, wanted.first, wanted.first, seconds, wanted.number + 1))

    async def _drain(self, line: Line) -> None:
        """End the waiting images of a host that is given up."""
        while line.waiting and line.host.given_up(self._loop.time()):
            await self._give_up(line, line.waiting.popleft())

    async def _give_up(self, line: Line, wanted: Try) -> None:
        line.host.counts.given_up += 1
        # Attempts that sent nothing do not count; a redirect was sent.
        attempts = wanted.number - 1 + (wanted.redirects > 0)
        await self._hand_over(
            Fetched(wanted.request.key, None, "host_unavailable", False, attempts, None, wanted.url.text)
        )

    async def _end(self, wanted: Try, answer: Answer) -> None:
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
        await self._ended.put(Ended(fetched, share))
        self._places.release()
        self._outstanding -= 1
        if self._drawn and not self._outstanding:
            self._done.set()


async def _each(requests: AsyncIterable[FetchRequest] | Iterable[FetchRequest]) -> AsyncIterator[FetchRequest]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request
