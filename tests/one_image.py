"""A single image asked for once, of a server that a test plays. Does not belong here: the servers (local_servers)."""

from __future__ import annotations

import numpy as np
from aiohttp import web

from resources.image_fetcher import Fetched, FetchLimits, FetchRequest, fetch_all
from resources.partners import PartnerSettings

LOCAL = PartnerSettings("acme", allow_private_addresses=True)
ONCE = FetchLimits(attempts=1, total_seconds=20)
BODY = np.random.default_rng(5).bytes(100_000)


async def one(url: str, settings: PartnerSettings = LOCAL, limits: FetchLimits = ONCE, names=None) -> Fetched:
    (fetched,) = [one async for one in fetch_all([FetchRequest("k", url)], settings, limits, names=names)]
    return fetched


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


async def answered(response: web.StreamResponse) -> web.StreamResponse:
    return response
