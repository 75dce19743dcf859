"""Every way in which a fetch can end without an image: the one table of reasons.

Belongs here: names, meanings, and whether a reason is final. Does not belong here: finding out which one applies, or
the reasons for refusing bytes that did come (screening has its own).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class FetchReason:
    """What a reason means, and whether it ends the matter at once (`final`) or the request is tried again."""

    meaning: str
    final: bool


_FINAL = True
_RETRIED = False

FETCH_REASONS: Mapping[str, FetchReason] = MappingProxyType(
    {
        # The address is refused before anything is sent.
        "bad_url": FetchReason("The text is not a URL that can be requested", _FINAL),
        "credentials_in_url": FetchReason("The URL carries a user name or password", _FINAL),
        "forbidden_scheme": FetchReason("The URL is neither http nor https", _FINAL),
        "forbidden_host": FetchReason("The host is not among the partner's allowed_hosts", _FINAL),
        "forbidden_address": FetchReason(
            "The host is, or resolves to, an address that is not public, or is an address in disguise", _FINAL
        ),
        # No whole answer came.
        "dns_failed": FetchReason("The host name could not be resolved", _RETRIED),
        "tls_failed": FetchReason("No trusted TLS connection: certificate or handshake", _RETRIED),
        "connection_failed": FetchReason("No connection: refused or unreachable", _RETRIED),
        "connection_reset": FetchReason("The connection was closed before an answer came", _RETRIED),
        "timeout_connect": FetchReason("No connection within the time allowed for connecting", _RETRIED),
        "timeout_stall": FetchReason("No byte came for longer than the time allowed for a stall", _RETRIED),
        "timeout_total": FetchReason("The whole request took longer than allowed", _RETRIED),
        "bad_response": FetchReason("The answer is not HTTP, or its headers are too large", _RETRIED),
        "body_incomplete": FetchReason("The connection ended before the whole body had come", _RETRIED),
        "host_unavailable": FetchReason(
            "The host was given up after a run of faults, or asked for a long pause; not requested (again)",
            _RETRIED,
        ),
        # An answer came and is no image.
        "empty_body": FetchReason("A successful answer without a single byte", _FINAL),
        "body_too_large": FetchReason("The body is larger than the byte cap, as sent or decompressed", _FINAL),
        "bad_content_encoding": FetchReason(
            "The body cannot be decompressed as its header says, or was compressed more than 5 times", _FINAL
        ),
        "bad_redirect": FetchReason("A redirect to nowhere: no Location, or one that is not a URL", _FINAL),
        "too_many_redirects": FetchReason("More redirects than allowed, or a loop of them", _FINAL),
        "robots_tag": FetchReason(
            "The server opts out by X-Robots-Tag, and the partner's settings say obey_robots_tag", _FINAL
        ),
        "http_408": FetchReason("The server gave up waiting for the request", _RETRIED),
        "http_425": FetchReason("The server wants the request again later", _RETRIED),
        "http_429": FetchReason("Too many requests", _RETRIED),
        "http_2xx": FetchReason("A success that carries no whole image, such as 202 or 206", _FINAL),
        "http_3xx": FetchReason("A status that is neither success nor a redirect, such as 304", _FINAL),
        "http_4xx": FetchReason("The server refuses: not found, gone, forbidden and the like", _FINAL),
        "http_5xx": FetchReason("The server failed", _RETRIED),
        "http_xxx": FetchReason("A status outside of HTTP's classes", _FINAL),
    }
)


def reason_entry(reason: str) -> FetchReason:
    """The table's entry for a reason; statuses without one of their own (`http_404`) have their class's.

    Raises KeyError for what is no reason of a fetch.
    """
    if reason.startswith("http_") and reason not in FETCH_REASONS:
        return FETCH_REASONS.get(f"{reason[:6]}xx", FETCH_REASONS["http_xxx"])
    return FETCH_REASONS[reason]
