"""Many images of one partner at once: how they are asked for, and in what the outcomes are handed over.

Does not belong here: concurrency, pace and retries (tries, host_lines), and what happens within a request
(one_attempt).

Outcomes go through a short queue, so that no more bodies are in memory than there are connections and places in it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Iterable

from aiohttp.abc import AbstractResolver

from resources.image_fetcher.host_report import HostReport
from resources.image_fetcher.limits import FetchLimits
from resources.image_fetcher.request_and_outcome import Fetched, FetchRequest
from resources.image_fetcher.system_names import SystemNames
from resources.image_fetcher.tries import Ended, Tries
from resources.partners import PartnerSettings, resolve_headers


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

    An image's trouble is always a value. Only what is the caller's raises: its source of requests, or a partner's
    header whose variable is not set (PartnerHeaderError).

    `limits` are the partner's own unless given, `names` answers for host names and `certificates` are trusted instead
    of the system's; `report` is filled with what each host did. At most `waiting_places(settings)` requests are drawn
    ahead of their outcomes. Whoever stops taking early should close the iterator (`contextlib.aclosing`); all work is
    then cancelled.
    """
    headers = resolve_headers(settings)
    # No longer than one host's share of the connections: a slow taker is felt at once.
    ended: asyncio.Queue[Ended | None] = asyncio.Queue(settings.max_connections)
    fetching = Tries(settings, headers, limits or limits_of(settings), report or HostReport(), ended)
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
    """The limits with the partner's own counts, spans and sizes."""
    return FetchLimits(
        max_bytes=settings.max_bytes,
        total_seconds=settings.total_seconds,
        connect_seconds=settings.connect_seconds,
        stall_seconds=settings.stall_seconds,
        attempts=settings.attempts,
        backoff_seconds=settings.backoff_seconds,
        host_patience_seconds=settings.host_patience_seconds,
    )
