"""URLs as catalogues and redirects give them: read, checked, and kept exact.

Belongs here: parsing, percent-encoding, host names, the check against a partner's settings that needs no network.
Does not belong here: resolving names (public_addresses) and sending requests.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import yarl

from resources.image_fetcher.public_addresses import Address, is_public
from resources.partners import PartnerSettings

# Longer ones are refused: no server takes them, and the ledger and the logs would carry them about.
LONGEST_URL = 16_384

_DEFAULT_PORTS = {"http": 80, "https": 443}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SERVER = re.compile(r"[^:/?#]*://[^/?#]*")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
# What may not stand in a request line; everything else, `%` too, is left exactly as it was given.
_TO_ENCODE = re.compile(r'[^!-~]|["<>\\^`{|}]')
_CREDENTIALS = re.compile(r"(?<=//)[^/?#]*@")


class UrlRefused(ValueError):
    """A URL that is not requested; `reason` is one of FETCH_REASONS."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class ImageUrl:
    """A URL that can be requested: `text` is what is sent, `host` is lower case, ASCII, without brackets."""

    text: str
    scheme: str
    host: str
    port: int
    address: Address | None

    @property
    def default_port(self) -> bool:
        """Whether the port is the one of its scheme."""
        return self.port == _DEFAULT_PORTS[self.scheme]


def parse_image_url(text: str) -> ImageUrl:
    """Read a URL: non-ASCII and unsafe characters percent-encoded, the host IDNA-encoded, the fragment dropped.

    Raises UrlRefused with bad_url, forbidden_scheme, credentials_in_url, or forbidden_address for an IPv4 address in a
    form that only C libraries understand (`0x7f.1`, `2130706433`): no honest catalogue writes one.
    """
    text = text.strip()
    if not text or len(text) > LONGEST_URL or _CONTROL.search(text):
        raise UrlRefused("bad_url")
    start = _SERVER.match(text)
    server, target = (text, "") if start is None else (start[0], text[start.end() :])
    shown, scheme, host, port, address = _server(server)
    try:
        target = _encoded(target.partition("#")[0])
    except ValueError as error:
        raise UrlRefused("bad_url") from error
    return ImageUrl(
        text=shown + (target if target.startswith("/") else f"/{target}"),
        scheme=scheme,
        host=host,
        port=port,
        address=address,
    )


def check_allowed(url: ImageUrl, settings: PartnerSettings) -> None:
    """Raises UrlRefused when the partner's settings forbid the host, or the host is an address that is not public."""
    if settings.allowed_hosts and not any(_matches(url.host, allowed) for allowed in settings.allowed_hosts):
        raise UrlRefused("forbidden_host")
    if url.address is not None and not settings.allow_private_addresses and not is_public(url.address):
        raise UrlRefused("forbidden_address")


def keeps_headers(first: ImageUrl, now: ImageUrl) -> bool:
    """Whether a redirect from `first` to `now` may see the partner's headers: the same server, never less encrypted."""
    same_server = (first.scheme, first.host, first.port) == (now.scheme, now.host, now.port)
    upgraded = (first.scheme, first.port, now.scheme, now.port) == ("http", 80, "https", 443)
    return same_server or (upgraded and first.host == now.host)


def without_credentials(text: str) -> str:
    """The URL as it may be shown, logged and stored."""
    return _CREDENTIALS.sub("", text)


@lru_cache(4096)  # a partner's images share a few hosts
def _server(text: str) -> tuple[str, str, str, int, Address | None]:
    """A URL up to its path: as it is sent, and its scheme, host, port and the address that the host may be."""
    try:
        parts = urlsplit(text)
        if parts.scheme and parts.scheme not in _DEFAULT_PORTS:
            raise UrlRefused("forbidden_scheme")
        if "@" in parts.netloc:
            raise UrlRefused("credentials_in_url")
        if not parts.scheme or not parts.hostname:
            raise UrlRefused("bad_url")
        host, address = _host(parts.hostname)
        if parts.port == 0:
            raise UrlRefused("bad_url")
    except UrlRefused:
        raise
    except ValueError as error:
        raise UrlRefused("bad_url") from error
    shown_host = f"[{host}]" if ":" in host else host
    shown_port = "" if parts.port is None else f":{parts.port}"
    shown = f"{parts.scheme}://{shown_host}{shown_port}"
    return shown, parts.scheme, host, parts.port or _DEFAULT_PORTS[parts.scheme], address


@lru_cache(4096)
def _host(given: str) -> tuple[str, Address | None]:
    if ":" in given:
        try:
            address = ipaddress.IPv6Address(given)
        except ValueError as error:
            raise UrlRefused("bad_url") from error
        if address.scope_id is not None:
            raise UrlRefused("forbidden_address")
        return str(address), address
    host = (yarl.URL.build(scheme="http", host=given).raw_host or "").lower()
    labels = host.removesuffix(".").split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(host) > 254:
        raise UrlRefused("bad_url")
    if not _NUMERIC_LABEL.fullmatch(labels[-1]):
        return host, None
    try:
        return host, ipaddress.IPv4Address(host)
    except ValueError:
        pass
    try:
        socket.inet_aton(host.removesuffix("."))
    except OSError as error:
        raise UrlRefused("bad_url") from error
    raise UrlRefused("forbidden_address")


def _matches(host: str, allowed: str) -> bool:
    name = allowed.removeprefix("*.")
    try:
        name, _ = _host(name)
    except ValueError:
        return False
    host, name = host.removesuffix("."), name.removesuffix(".")
    return host.endswith(f".{name}") if allowed.startswith("*.") else host == name


def _encoded(text: str) -> str:
    # Location headers come as bytes that need not be UTF-8; `surrogateescape` keeps each of them.
    return _TO_ENCODE.sub(lambda found: "".join(f"%{b:02X}" for b in found[0].encode("utf-8", "surrogateescape")), text)
