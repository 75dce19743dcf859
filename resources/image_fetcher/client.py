"""The HTTP client: connections only to addresses that were checked, and every request sent once.

Belongs here: setting up sessions, connections and requests. Does not belong here: what an answer means (one_attempt).
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection

from resources.image_fetcher.limits import FetchLimits
from resources.image_fetcher.public_addresses import PublicResolver
from resources.partners import PartnerSettings

# Idle connections are dropped before the 5 s after which common servers drop them, so that none dies in our hand.
_KEEP_ALIVE_SECONDS = 4.0
_READ_BUFFER = 2**18


def open_session(
    settings: PartnerSettings,
    limits: FetchLimits,
    names: AbstractResolver,
    *,
    keep_alive: bool = True,
    certificates: ssl.SSLContext | None = None,
) -> aiohttp.ClientSession:
    """A client that remembers nothing, obeys no proxy variables, and connects only to addresses that were checked.

    `certificates` are trusted instead of the system's.
    """
    connector = aiohttp.TCPConnector(
        resolver=PublicResolver(names, allow_private=settings.allow_private_addresses),
        limit=0,  # requests in flight are counted by those who send them
        force_close=not keep_alive,
        keepalive_timeout=_KEEP_ALIVE_SECONDS if keep_alive else None,
        ssl=certificates or True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        # Decompression is ours, for its cap; images gain nothing from being compressed again, so we ask for none.
        auto_decompress=False,
        headers={
            "User-Agent": settings.full_user_agent,
            "Accept": "image/*, */*;q=0.5",
            "Accept-Encoding": "identity",
        },
        timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_seconds, sock_read=limits.stall_seconds),
        read_bufsize=_READ_BUFFER,
        middlewares=(_sent_once,),
        request_class=_Request,
    )


class _ClosedWithoutAnswer(aiohttp.ClientError):
    """The server took the request and closed the connection."""


class _AnsweredUnasked(aiohttp.ClientError):
    """A kept connection has brought more than the answer that was asked for; nothing was sent on it since."""


class _Request(aiohttp.ClientRequest):
    """A request that never takes what came on a kept connection before it was sent for its own answer.

    Else every picture of that connection would be the one before, and be kept under the wrong URL.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if conn.protocol is None or conn.protocol.should_close:
            raise _AnsweredUnasked
        return await super().send(conn)


async def _sent_once(
    request: aiohttp.ClientRequest, send: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
) -> aiohttp.ClientResponse:
    """Keep the client from silently sending a request again: attempts are counted, and servers count them too."""
    while True:
        try:
            return await send(request)
        except _AnsweredUnasked:
            continue  # that connection is closed now, and the next one may be new
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise _ClosedWithoutAnswer(str(error)) from error
