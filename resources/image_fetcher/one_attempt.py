"""One attempt at one image: a request, its redirects, its body within the limits; the outcome is always a value.

Belongs here: the client's session, the limits, and which fault is which reason. Does not belong here: attempts after
the first, concurrency and pace (fetching).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urljoin

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver

from resources.image_fetcher.image_urls import (
    ImageUrl,
    UrlRefused,
    check_allowed,
    keeps_headers,
    parse_image_url,
    without_credentials,
)
from resources.image_fetcher.public_addresses import ForbiddenAddress, PublicResolver
from resources.partners import PartnerSettings

USER_AGENT = "image-assets/0.1 (hotel picture ingestion; aiohttp)"

# Idle connections are dropped before the 5 s after which common servers drop them, so that none dies in our hand.
_KEEP_ALIVE_SECONDS = 4.0
_READ_BUFFER = 2**18
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class FetchLimits:
    """The most an image may cost. Times in seconds; `total_seconds` spans the redirects of one attempt.

    `backoff_seconds` is the pause after the first failed attempt and doubles with each; a server's Retry-After
    makes it longer, up to `longest_retry_after`.
    """

    max_bytes: int = 25_000_000
    total_seconds: float = 30
    connect_seconds: float = 5
    stall_seconds: float = 10
    attempts: int = 3
    backoff_seconds: float = 0.5
    max_redirects: int = 3
    longest_retry_after: float = 10


@dataclass(frozen=True)
class Answer:
    """How one attempt ended: `data` or a `reason`. `url` is the address last asked, without credentials."""

    data: bytes | None
    reason: str | None
    status: int | None
    url: str
    retry_after: float | None = None
    location: str | None = None


def open_session(
    settings: PartnerSettings, limits: FetchLimits, names: AbstractResolver, *, keep_alive: bool = True
) -> aiohttp.ClientSession:
    """A client that remembers nothing, obeys no proxy variables, and connects only to addresses that were checked."""
    connector = aiohttp.TCPConnector(
        resolver=PublicResolver(names, allow_private=settings.allow_private_addresses),
        limit=0,  # requests in flight are counted by those who send them
        force_close=not keep_alive,
        keepalive_timeout=_KEEP_ALIVE_SECONDS if keep_alive else None,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        # Decompression is ours, for its cap; images gain nothing from being compressed again, so we ask for none.
        auto_decompress=False,
        headers={"User-Agent": USER_AGENT, "Accept": "image/*, */*;q=0.5", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect_seconds, sock_read=limits.stall_seconds),
        read_bufsize=_READ_BUFFER,
        middlewares=(_sent_once,),
    )


async def attempt(
    session: aiohttp.ClientSession,
    text: str,
    settings: PartnerSettings,
    headers: Mapping[str, str],
    limits: FetchLimits,
    pace: Callable[[], Awaitable[None]],
) -> Answer:
    """Ask once for the image at `text`, following redirects by hand: each is a new check and waits for `pace`."""
    loop = asyncio.get_running_loop()
    left = limits.total_seconds
    try:
        first = url = parse_image_url(text)
        check_allowed(url, settings)
    except UrlRefused as refused:
        return _refusal(refused.reason, without_credentials(text))
    for _ in range(limits.max_redirects + 1):
        await pace()
        started = loop.time()
        sent_headers = headers if keeps_headers(first, url) else {}
        answer = await _request(session, url, sent_headers, limits, left)
        left -= loop.time() - started
        if answer.location is None:
            return answer
        try:
            url = _target(url, answer.location)
            check_allowed(url, settings)
        except UrlRefused as refused:
            return replace(answer, reason=refused.reason, location=None)
    return replace(answer, reason="too_many_redirects", location=None)


class _ClosedWithoutAnswer(aiohttp.ClientError):
    """The server took the request and closed the connection."""


async def _sent_once(
    request: aiohttp.ClientRequest, send: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
) -> aiohttp.ClientResponse:
    """Keep the client from silently sending a request again: attempts are counted, and servers count them too."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _ClosedWithoutAnswer(str(error)) from error


async def _request(
    session: aiohttp.ClientSession, url: ImageUrl, headers: Mapping[str, str], limits: FetchLimits, seconds: float
) -> Answer:
    """One request, no redirect. Whatever goes wrong on the way becomes a reason here."""
    try:
        async with (
            asyncio.timeout(seconds),
            session.get(yarl.URL(url.text, encoded=True), headers=headers, allow_redirects=False) as response,
        ):
            return await _answer(response, url, limits)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return _refusal(_fault(error), url.text)


# The client's faults, each before those it is a kind of.
_FAULTS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ConnectionTimeoutError, "timeout_connect"),
    (aiohttp.ServerTimeoutError, "timeout_stall"),
    (TimeoutError, "timeout_total"),
    (aiohttp.ClientConnectorDNSError, "dns_failed"),
    (aiohttp.ClientSSLError, "tls_failed"),
    (aiohttp.ClientConnectorError, "connection_failed"),
    (aiohttp.ClientPayloadError, "body_incomplete"),
    (aiohttp.InvalidURL, "bad_url"),
    (aiohttp.ClientResponseError, "bad_response"),
    (aiohttp.ClientError, "connection_reset"),
    (OSError, "connection_reset"),
    (ValueError, "bad_url"),  # a name that TLS or the name service cannot even encode
)


def _fault(error: Exception) -> str:
    if isinstance(error.__cause__, ForbiddenAddress):
        return "forbidden_address"
    return next(reason for kind, reason in _FAULTS if isinstance(error, kind))


async def _answer(response: aiohttp.ClientResponse, url: ImageUrl, limits: FetchLimits) -> Answer:
    status = response.status
    refusal = Answer(data=None, reason=f"http_{status}", status=status, url=url.text)
    if status in _REDIRECTS:
        return replace(refusal, location=response.headers.get("Location", ""))
    if status in (204, 205):
        return replace(refusal, reason="empty_body")
    if status not in (200, 203):
        return replace(refusal, retry_after=_seconds(response.headers.get("Retry-After")))
    if (response.content_length or 0) > limits.max_bytes:
        return replace(refusal, reason="body_too_large")
    body = await _body(response, limits.max_bytes)
    if body is None:
        return replace(refusal, reason="body_too_large")
    data, reason = _decompressed(body, response.headers.get("Content-Encoding", ""), limits.max_bytes)
    if data == b"":
        data, reason = None, "empty_body"
    return replace(refusal, data=data, reason=reason)


async def _body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes | None:
    """The body as sent, or None as soon as it is larger than the cap. Raises the client's faults."""
    connection = response.connection
    measured = response.content_length is not None or "Transfer-Encoding" in response.headers
    protocol = None if measured or connection is None else connection.protocol
    chunks = []
    size = 0
    while chunk := await response.content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            return None
    # A body that ends with the connection looks whole to the client even when the connection broke.
    if protocol is not None and isinstance(protocol.exception(), aiohttp.ClientOSError):
        raise aiohttp.ClientPayloadError("the connection broke within the body")
    return b"".join(chunks)


def _decompressed(body: bytes, encoding: str, max_bytes: int) -> tuple[bytes | None, str | None]:
    """The body without its Content-Encoding, never inflated beyond the cap: (data, None) or (None, reason).

    Encodings nobody knows (`utf-8`, `none`, `aws-chunked` are common mistakes) are ignored, as browsers do.
    """
    match encoding.strip().lower():
        case "gzip" | "x-gzip":
            windows = [zlib.MAX_WBITS | 16]
        case "deflate":
            windows = [zlib.MAX_WBITS, -zlib.MAX_WBITS]  # with zlib's header, as it should be, or bare
        case "br" | "zstd" | "compress" | "x-compress":
            return None, "bad_content_encoding"
        case _:
            return body, None
    for window in windows:
        try:
            data = _inflated(body, window, max_bytes)
        except zlib.error:
            continue
        return (None, "body_too_large") if len(data) > max_bytes else (data, None)
    return None, "bad_content_encoding"


def _inflated(body: bytes, window: int, max_bytes: int) -> bytes:
    """At most one byte more than the cap; gzip may be several members in a row. Raises zlib.error, cut short too."""
    inflated = bytearray()
    while body and len(inflated) <= max_bytes:
        stream = zlib.decompressobj(window)
        inflated += stream.decompress(body, max_bytes + 1 - len(inflated))
        if not stream.eof and len(inflated) <= max_bytes:
            raise zlib.error("the compressed body ends early")
        body = stream.unused_data if window > zlib.MAX_WBITS else b""
    return bytes(inflated)


def _target(url: ImageUrl, location: str) -> ImageUrl:
    """Where a redirect leads. Raises UrlRefused: bad_redirect, or what is wrong with the address."""
    try:
        if not location:
            raise UrlRefused("bad_redirect")
        return parse_image_url(urljoin(url.text, location))
    except UrlRefused as refused:
        raise UrlRefused("bad_redirect" if refused.reason == "bad_url" else refused.reason) from refused
    except ValueError as error:
        raise UrlRefused("bad_redirect") from error


def _refusal(reason: str, url: str) -> Answer:
    return Answer(data=None, reason=reason, status=None, url=url)


def _seconds(retry_after: str | None) -> float | None:
    text = (retry_after or "").strip()
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
