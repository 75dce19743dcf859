"""One request for one image: its answer within the limits; the outcome is always a value.

Belongs here: reading the answer, which fault is which reason, where a redirect may lead. Does not belong here: the
client's session (client), requests after the first, concurrency and pace (tries).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import urljoin

import aiohttp
import yarl

from resources.image_fetcher.body_memory import FREE_BYTES, BodyMemory, BodyShare
from resources.image_fetcher.content_encoding import decompressed
from resources.image_fetcher.image_urls import ImageUrl, UrlRefused, check_allowed, parse_image_url
from resources.image_fetcher.limits import FetchLimits
from resources.image_fetcher.public_addresses import ForbiddenAddress
from resources.image_fetcher.robots_tag import opt_out
from resources.partners import PRODUCT, PartnerSettings

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Validators are sent back as they came; what is no plain ASCII, or longer, is not worth a request that is refused.
_VALIDATOR = re.compile(r"[ -~]{1,256}")

MakeRoom = Callable[[int], Awaitable[None]]


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
            said = partial(Answer, url=url.text, latency=latency, share=share)
            answer = await _answer(response, said, limits, obey_robots_tag, make_room, conditional=conditional)
            if not keep_alive:
                response.close()
    except (aiohttp.ClientError, OSError, ValueError) as error:
        answer = Answer(None, _fault(error), None, url.text, latency, share=share)
    finally:
        share.keep(len(answer.data) if answer is not None and answer.data is not None else 0)
    return answer


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
    answer: Callable[..., Answer],
    limits: FetchLimits,
    obey_robots_tag: bool,
    make_room: MakeRoom,
    *,
    conditional: bool,
) -> Answer:
    status = response.status
    headers = response.headers
    robots_tag = opt_out(headers.getall("X-Robots-Tag", ()), PRODUCT)
    opted_out = obey_robots_tag and robots_tag is not None
    validators = Validators(_validator(response, "ETag"), _validator(response, "Last-Modified"))
    said = partial(answer, status=status, validators=validators, robots_tag=robots_tag)
    if status in _REDIRECTS:
        return said(None, f"http_{status}", location=headers.get("Location", ""))
    if status == 304 and conditional:
        return said(None, "robots_tag" if opted_out else None, unchanged=not opted_out)
    if status in (204, 205):
        return said(None, "empty_body")
    if status not in (200, 203):
        return said(None, f"http_{status}", retry_after=_seconds(headers.get("Retry-After")))
    if opted_out:
        return said(None, "robots_tag")
    if (response.content_length or 0) > limits.max_bytes:
        return said(None, "body_too_large")
    body = await _body(response, limits.max_bytes, make_room)
    if body is None:
        return said(None, "body_too_large")
    data, reason = decompressed(body, headers.getall("Content-Encoding", ()), limits.max_bytes)
    return said(None, "empty_body") if data == b"" else said(data, reason)


def _validator(response: aiohttp.ClientResponse, name: str) -> str | None:
    value = response.headers.get(name, "")
    return value if _VALIDATOR.fullmatch(value) else None


async def _body(response: aiohttp.ClientResponse, max_bytes: int, make_room: MakeRoom) -> bytes | None:
    """The body as sent, or None as soon as it is larger than the cap. Raises the client's faults.

    Before more than the free bytes are read, room for all it may come to is taken; a compressed body has no free bytes.
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
