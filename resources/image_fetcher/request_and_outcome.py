"""What the fetcher is given and what it gives back: an image's request and its outcome.

Belongs here: these two values. Does not belong here: the answer of a single request (one_attempt).
"""

from __future__ import annotations

from dataclasses import dataclass

from resources.image_fetcher.one_attempt import NO_VALIDATORS, Validators


@dataclass(frozen=True)
class FetchRequest:
    """An image to fetch; `key` is the caller's own and comes back unchanged.

    With `validators` the image is known already, and is only sent again if it changed.
    """

    key: object
    url: str
    validators: Validators = NO_VALIDATORS


@dataclass(frozen=True)
class Fetched:
    """How one image ended: `data`, or `unchanged` since its validators were given, or a `reason` of FETCH_REASONS.

    `final`: the reason is never tried again; else the attempts ran out, or the host was given up. `attempts` counts
    those that sent a request. `url` is the address last asked (after redirects, without credentials), `status` its HTTP
    status where one came, `validators` and `robots_tag` what it said with it.
    """

    key: object
    data: bytes | None
    reason: str | None
    final: bool
    attempts: int
    status: int | None
    url: str
    unchanged: bool = False
    validators: Validators = NO_VALIDATORS
    robots_tag: str | None = None
