"""The most that an image and a host may cost.

Belongs here: the limits and their defaults. Does not belong here: what a partner's settings allow (resources.partners).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FetchLimits:
    """The most an image and a host may cost. Times in seconds; `total_seconds` spans the redirects of one attempt.

    `backoff_seconds` is the pause after the first failed attempt and doubles with each. After `circuit_failures` in a
    row a host's circuit opens; `circuit_seconds` is the pause before its first probe. A host is given up when it gives
    no good answer for more than `host_patience_seconds`, or asks for a longer pause. `large_bytes`: what all bodies
    above a MiB may take of the memory together, and at least two of `max_bytes`.
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
