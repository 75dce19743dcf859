"""One request for one image: its answer within the limits; the outcome is always a value.

Belongs here: the client's session, the limits, which fault is which reason, where a redirect may lead. Does not belong
here: requests after the first, concurrency and pace (fetching).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver
from aiohttp.connector import Connection

from resources.image_fetcher.body_memory import FREE_BYTES, BodyMemory, BodyShare
from resources.image_fetcher.content_encoding import decompressed
from resources.image_fetcher.image_urls import ImageUrl, UrlRefused, check_allowed, parse_image_url
from resources.image_fetcher.public_addresses import ForbiddenAddress, PublicResolver
from resources.image_fetcher.robots_tag import opt_out
from resources.partners import PRODUCT, PartnerSettings

# Idle connections are dropped before the 5 s after which common servers drop them, so that none dies in our hand.
_KEEP_ALIVE_SECONDS = 4.0
_READ_BUFFER = 2**18
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Validators are sent back as they came; what is no plain ASCII, or longer, is not worth a request that is refused.
_VALIDATOR = re.compile(r"[ -~]{1,256}")

MakeRoom = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class FetchLimits:
    """The most an image and a host may cost. Times in seconds; `total_seconds` spans the redirects of one attempt.

    `backoff_seconds` is the pause after the first failed attempt and doubles with each. `circuit_failures` in a row
    open a host's circuit, `circuit_seconds` is the pause before its first probe. A host is given up that gives no good
    answer, or asks for a pause, of more than `host_patience_seconds`. `large_bytes`: what all bodies above a MiB may
    take of the memory together, and at least two of `max_bytes`.
    """

    max_bytes: int = 25_000_000
    large_bytes: int = 128 * 2**20
    total_seconds: float = 30
    connect_seconds: float = 5
    stall_seconds: float = 10
    attempts: int = 3
    backoff_seconds: float = 0.5
    max_redirects: int = 3
    circuit_failures: int = 10
    circuit_seconds: float = 1
    host_patience_seconds: float = 30


@dataclass(frozen=True)
class Validators:
    """What a server gave to ask later whether a picture changed (RFC 9110, 13.1)."""

    etag: str | None = None
    last_modified: str | None = None

    def request_headers(self) -> dict[str, str]:
        """The conditions of a request that is answered by 304 when nothing changed."""
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if value is not None}


NO_VALIDATORS = Validators()


@dataclass(frozen=True)
class Answer:
    """How one request ended: `data`, `unchanged` or a `reason`. `url` is the address asked, without credentials.

    `latency`: seconds until the answer began, None where none did. `location`: the redirect's target, as sent.
    `share` is what `data` has of the memory, to be given back by whoever hands the data on.
    """

    data: bytes | None
    reason: str | None
    status: int | None
    url: str
    latency: float | None = None
    retry_after: float | None = None
    location: str | None = None
    unchanged: bool = False
    validators: Validators = NO_VALIDATORS
    robots_tag: str | None = None
    share: BodyShare | None = None


def body_memory(limits: FetchLimits) -> BodyMemory:
    """The memory of large bodies. A compressed one has two lives at once, as sent and decompressed."""
    return BodyMemory(max(limits.large_bytes, 2 * limits.max_bytes))


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


def redirect_target(answer: Answer, asked: ImageUrl, settings: PartnerSettings) -> ImageUrl:
    """Where a redirect leads: a new check, as of any URL. Raises UrlRefused."""
    try:
        if not answer.location:
            raise UrlRefused("bad_redirect")
        target = parse_image_url(urljoin(asked.text, answer.location))
    except UrlRefused as refused:
        raise UrlRefused("bad_redirect" if refused.reason == "bad_url" else refused.reason) from refused
    except ValueError as error:
        raise UrlRefused("bad_redirect") from error
    check_allowed(target, settings)
    return target


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


async def ask_once(
    session: aiohttp.ClientSession,
    url: ImageUrl,
    headers: Mapping[str, str],
    limits: FetchLimits,
    seconds: float,
    memory: BodyMemory,
    *,
    obey_robots_tag: bool = False,
    keep_alive: bool = True,
) -> Answer:
    """One request, no redirect, within `seconds`. Whatever goes wrong on the way becomes a reason here.

    With `obey_robots_tag` a picture whose server opts out is not read. Without `keep_alive` the connection is closed.
    Waiting for a share of `memory` is not the server's fault and not counted.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    latency = None
    share = BodyShare(memory)
    answer = None
    try:
        async with (
            asyncio.timeout(seconds) as deadline,
            session.get(_as_given(url), headers=headers, allow_redirects=False) as response,
        ):
            latency = clock() - began

            async def make_room(amount: int) -> None:
                left = began + seconds - clock()
                deadline.reschedule(None)
                await share.take(amount)
                deadline.reschedule(clock() + left)

            conditional = _is_conditional(headers)
            answer = await _answer(response, url, limits, obey_robots_tag, make_room, conditional=conditional)
            if not keep_alive:
                response.close()
    except (aiohttp.ClientError, OSError, ValueError) as error:
        answer = Answer(data=None, reason=_fault(error), status=None, url=url.text)
    finally:
        share.keep(len(answer.data) if answer is not None and answer.data is not None else 0)
    return replace(answer, latency=latency, share=share)


def _as_given(url: ImageUrl) -> yarl.URL:
    """The URL to send, byte for byte: yarl would drop a `?` with nothing behind it, were it not part of the path."""
    scheme, _, rest = url.text.partition("://")
    authority, slash, target = rest.partition("/")
    return yarl.URL.build(scheme=scheme, authority=authority, path=slash + target, encoded=True)


def _is_conditional(headers: Mapping[str, str]) -> bool:
    return "If-None-Match" in headers or "If-Modified-Since" in headers


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


async def _answer(
    response: aiohttp.ClientResponse,
    url: ImageUrl,
    limits: FetchLimits,
    obey_robots_tag: bool,
    make_room: MakeRoom,
    *,
    conditional: bool,
) -> Answer:
    status = response.status
    refusal = Answer(
        data=None,
        reason=f"http_{status}",
        status=status,
        url=url.text,
        validators=Validators(_validator(response, "ETag"), _validator(response, "Last-Modified")),
        robots_tag=opt_out(response.headers.getall("X-Robots-Tag", ()), PRODUCT),
    )
    if status in _REDIRECTS:
        return replace(refusal, location=response.headers.get("Location", ""))
    if status == 304 and conditional:
        opted_out = obey_robots_tag and refusal.robots_tag is not None
        return replace(refusal, reason="robots_tag" if opted_out else None, unchanged=not opted_out)
    if status in (204, 205):
        return replace(refusal, reason="empty_body")
    if status not in (200, 203):
        return replace(refusal, retry_after=_seconds(response.headers.get("Retry-After")))
    if obey_robots_tag and refusal.robots_tag is not None:
        return replace(refusal, reason="robots_tag")
    if (response.content_length or 0) > limits.max_bytes:
        return replace(refusal, reason="body_too_large")
    body = await _body(response, limits.max_bytes, make_room)
    if body is None:
        return replace(refusal, reason="body_too_large")
    data, reason = decompressed(body, response.headers.getall("Content-Encoding", ()), limits.max_bytes)
    if data == b"":
        data, reason = None, "empty_body"
    return replace(refusal, data=data, reason=reason)


def _validator(response: aiohttp.ClientResponse, name: str) -> str | None:
    value = response.headers.get(name, "")
    return value if _VALIDATOR.fullmatch(value) else None


async def _body(response: aiohttp.ClientResponse, max_bytes: int, make_room: MakeRoom) -> bytes | None:
    """The body as sent, or None as soon as it is larger than the cap. Raises the client's faults.

    Before it is read beyond its free bytes there is room for all it may come to; of what is compressed none are free.
    """
    free, may_come_to = FREE_BYTES, response.content_length or max_bytes
    if "Content-Encoding" in response.headers:
        free, may_come_to = 0, may_come_to + max_bytes
    has_room = False
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
        if size > free and not has_room:
            await make_room(may_come_to)
            has_room = True
    # A body that ends with the connection looks whole to the client even when the connection broke.
    if protocol is not None and isinstance(protocol.exception(), aiohttp.ClientOSError):
        raise aiohttp.ClientPayloadError("the connection broke within the body")
    return b"".join(chunks)


def _seconds(retry_after: str | None) -> float | None:
    """Seconds to wait, from either form of Retry-After (RFC 9110, 10.2.3); None for any other text."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max((date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)
