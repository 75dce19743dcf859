"""Many images of one partner at once: concurrency, pace, retries and back-pressure.

Belongs here: when each attempt starts and in what the outcomes are handed over. Does not belong here: what happens
within an attempt (one_attempt).

As many workers as the partner allows connections take attempts from one line. A failed attempt that deserves another
goes back into the line after its pause, and its worker goes on at once, so a connection is never held by waiting.
Outcomes go through a queue of the same length: a slow taker stops the workers, and no more than twice
`max_connections` bodies are ever in memory.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver

from resources.image_fetcher.one_attempt import Answer, FetchLimits, attempt, open_session
from resources.image_fetcher.reasons import reason_entry
from resources.partners import PartnerSettings, resolve_headers

# Requests drawn ahead or waiting for another attempt, per connection. They are small (no bodies), and enough of them
# keeps the connections busy while a share of the partner's images is backing off.
_WAITING_PER_CONNECTION = 32


@dataclass(frozen=True)
class FetchRequest:
    """An image to fetch; `key` is the caller's own and comes back unchanged."""

    key: object
    url: str


@dataclass(frozen=True)
class Fetched:
    """How one image ended: `data`, or None and a `reason` of FETCH_REASONS.

    `final`: the reason is never tried again; else the attempts ran out. `url` is the address last asked (after
    redirects, without credentials), `status` its HTTP status where one came.
    """

    key: object
    data: bytes | None
    reason: str | None
    final: bool
    attempts: int
    status: int | None
    url: str


@dataclass(frozen=True)
class _Try:
    request: FetchRequest
    number: int


async def fetch_all(
    requests: AsyncIterable[FetchRequest] | Iterable[FetchRequest],
    settings: PartnerSettings,
    limits: FetchLimits | None = None,
    *,
    names: AbstractResolver | None = None,
) -> AsyncIterator[Fetched]:
    """Fetch images of one partner, within its settings; each request gives one Fetched, in the order they end.

    An image's trouble is always a value. What raises is the caller's: its source of requests, or a partner's header
    whose variable is not set (PartnerHeaderError). `names` answers for host names instead of the system.
    Whoever stops taking early should close the iterator (`contextlib.aclosing`); all work is then cancelled.
    """
    headers = resolve_headers(settings)
    ended: asyncio.Queue[Fetched | None] = asyncio.Queue(settings.max_connections)
    running = asyncio.create_task(_run(requests, settings, headers, limits or FetchLimits(), names, ended))
    try:
        while (fetched := await ended.get()) is not None:
            yield fetched
        await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _run(
    requests: AsyncIterable[FetchRequest] | Iterable[FetchRequest],
    settings: PartnerSettings,
    headers: Mapping[str, str],
    limits: FetchLimits,
    names: AbstractResolver | None,
    ended: asyncio.Queue[Fetched | None],
) -> None:
    """Do all the requests, then put None. In a task of its own: a task group must not span the taker's yields."""
    line: asyncio.Queue[_Try] = asyncio.Queue()
    places = asyncio.Semaphore(settings.max_connections * _WAITING_PER_CONNECTION)
    pace = _pace(settings.requests_per_second)
    try:
        names = names or aiohttp.ThreadedResolver()
        async with (
            open_session(settings, limits, names) as session,
            # Some servers drop kept connections without a word: a second attempt must not meet another of those.
            open_session(settings, limits, names, keep_alive=False) as fresh,
            asyncio.TaskGroup() as tasks,
        ):

            async def ask(wanted: _Try) -> Answer:
                client = session if wanted.number == 1 else fresh
                return await attempt(client, wanted.request.url, settings, headers, limits, pace)

            async def again(after: _Try, pause: float) -> None:
                await asyncio.sleep(pause)
                line.put_nowait(_Try(after.request, after.number + 1))
                line.task_done()  # only now, so that the line never looks finished in between

            async def work() -> None:
                while True:
                    current = await line.get()
                    answer = await ask(current)
                    final = answer.reason is not None and reason_entry(answer.reason).final
                    if answer.reason is not None and not final and current.number < limits.attempts:
                        tasks.create_task(again(current, _pause(current.number, answer.retry_after, limits)))
                        continue
                    await ended.put(
                        Fetched(
                            key=current.request.key,
                            data=answer.data,
                            reason=answer.reason,
                            final=final,
                            attempts=current.number,
                            status=answer.status,
                            url=answer.url,
                        )
                    )
                    places.release()
                    line.task_done()

            workers = [tasks.create_task(work()) for _ in range(settings.max_connections)]
            async for request in _each(requests):
                await places.acquire()
                line.put_nowait(_Try(request, number=1))
            await line.join()
            for worker in workers:
                worker.cancel()
    except BaseExceptionGroup as broken:
        # Only the caller's source, or a mistake of ours, can end here; what is fetched already is still handed over.
        await ended.put(None)
        raise broken.exceptions[0] from broken
    await ended.put(None)


async def _each(requests: AsyncIterable[FetchRequest] | Iterable[FetchRequest]) -> AsyncIterator[FetchRequest]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request


def _pace(per_second: float | None) -> Callable[[], Awaitable[None]]:
    """Something to await before each request: it spaces them evenly, with no burst after a quiet time."""
    free_at = 0.0

    async def wait() -> None:
        nonlocal free_at
        if per_second is None:
            return
        now = asyncio.get_running_loop().time()
        start = max(now, free_at)
        free_at = start + 1 / per_second
        if start > now:
            await asyncio.sleep(start - now)

    return wait


def _pause(number: int, retry_after: float | None, limits: FetchLimits) -> float:
    """Seconds between attempt `number` and the next; jitter keeps a storm's victims from coming back together."""
    backoff = limits.backoff_seconds * 2.0 ** (number - 1) * random.uniform(0.75, 1.25)
    return max(backoff, min(retry_after or 0.0, limits.longest_retry_after))
