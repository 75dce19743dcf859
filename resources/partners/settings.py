"""The settings of partners, as values: what each means and its default.

Does not belong here: reading and checking the file (partners_file), or obeying the settings (the fetcher, the gates and
the ranking each take what is theirs).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

PRODUCT = "image-assets"
"""What we call ourselves to other people's servers."""

DEFAULT_USER_AGENT = f"{PRODUCT}/0.1 (hotel picture ingestion)"

UNPRINTABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header may hold: line breaks and other control characters."""


class PartnerHeaderError(ValueError):
    """A header of a partner cannot be sent; the message names the partner, the header and the variable."""


@dataclass(frozen=True)
class HeaderFromEnvironment:
    """A header whose value is a secret kept out of the file: the environment variable that holds it."""

    variable: str


@dataclass(frozen=True)
class PartnerSettings:
    """What one partner's servers may be asked, how fast, and how much its pictures and changes are trusted.

    `max_connections` and `requests_per_second` (None is no limit) hold for each host, `max_connections_total` for all
    of them. `attempts` is the most for one image in a round; `backoff_seconds` the pause before the second, doubled for
    each further one; a host without a good answer for `host_patience_seconds` is given up. One attempt may take
    `total_seconds` with its redirects, of them `connect_seconds` until a connection stands and `stall_seconds` without
    a byte. `max_bytes` is the most that
    one file may have, as sent and decompressed. `recheck_after` is in days, None is never. `max_deleted_share` and
    `max_failed_share` are shares from 0 to 1.
    """

    partner_id: str = ""
    allow_private_addresses: bool = False
    allowed_hosts: tuple[str, ...] = ()
    max_connections: int = 16
    max_connections_total: int = 64
    requests_per_second: float | None = None
    attempts: int = 3
    backoff_seconds: float = 0.5
    host_patience_seconds: float = 30.0
    total_seconds: float = 30.0
    connect_seconds: float = 5.0
    stall_seconds: float = 10.0
    max_bytes: int = 25_000_000
    user_agent: str = DEFAULT_USER_AGENT
    contact: str | None = None
    obey_robots_tag: bool = False
    recheck_after: float | None = None
    trust: float = 1.0
    max_deleted_share: float = 0.3
    max_failed_share: float = 0.5
    headers: Mapping[str, str | HeaderFromEnvironment] = field(default_factory=dict, repr=False)

    @property
    def full_user_agent(self) -> str:
        """Who asks, and whom a server's operator can write to."""
        return f"{self.user_agent} (+{self.contact})" if self.contact else self.user_agent


@dataclass(frozen=True)
class Partners:
    """The settings of every partner, and the choices that hold for all of them.

    `unlisted` are the settings of partners that the file does not list. `screening` and `placeholders` hold the file's
    own limits, empty for the defaults (which image formats exist is the screening's affair). `algorithm` names the hash
    of the fingerprints (which names exist is the fingerprints' affair); None for the default. `grouping` holds what the
    file says about the same picture: any of `rule` (which rules exist, and their thresholds, is the image groups'
    affair), `threshold`, `mirrored`, `max_false_merge_rate` and `min_recall`.
    """

    listed: Mapping[str, PartnerSettings] = field(default_factory=dict)
    unlisted: PartnerSettings = PartnerSettings()
    screening: Mapping[str, Any] = field(default_factory=dict)
    placeholders: Mapping[str, Any] = field(default_factory=dict)
    algorithm: str | None = None
    grouping: Mapping[str, Any] = field(default_factory=dict)

    def of(self, partner_id: str) -> PartnerSettings:
        """The partner's settings; the defaults when the file does not list it."""
        return self.listed.get(partner_id) or replace(self.unlisted, partner_id=partner_id)


def resolve_headers(settings: PartnerSettings, variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The headers to send, secrets looked up now, so that a changed secret needs no restart.

    Raises PartnerHeaderError when a variable is not set or holds a line break; the value is never shown.
    """
    resolved = {}
    for name, value in settings.headers.items():
        if isinstance(value, HeaderFromEnvironment):
            wanted = f"partner {settings.partner_id!r}, header {name!r}: environment variable {value.variable!r}"
            if value.variable not in variables:
                raise PartnerHeaderError(f"{wanted} is not set")
            if UNPRINTABLE.search(variables[value.variable]):
                raise PartnerHeaderError(f"{wanted} holds a line break or another control character")
            resolved[name] = variables[value.variable]
        else:
            resolved[name] = value
    return resolved
