"""What each host did during a run, for people: a table of bounded length.

Belongs here: adding up and choosing the rows. Does not belong here: how hosts are treated (hosts).
"""

from __future__ import annotations

from dataclasses import dataclass

from resources.image_fetcher.hosts import Host, HostCounts

_KEPT = 512
OTHERS = "(others)"


@dataclass(frozen=True)
class HostRow:
    """One host: rate in requests a second while it was asked, latencies in milliseconds until an answer began."""

    host: str
    requests: int
    per_second: float
    errors: int
    last_fault: str | None
    given_up: int
    bytes: int
    state: str
    p50_ms: float | None
    p95_ms: float | None


class HostReport:
    """Counts by host; beyond some hundred hosts, those with the fewest requests are counted together."""

    def __init__(self) -> None:
        self._counts: dict[str, HostCounts] = {}
        self._states: dict[str, str] = {}
        self._others = HostCounts()
        self._hosts_in_others = 0

    def add(self, host: Host, now: float) -> None:
        """Count what `host` did; its state is the one it ends with."""
        self._counts.setdefault(host.name, HostCounts()).add(host.counts)
        self._states[host.name] = host.state(now)
        if len(self._counts) > 2 * _KEPT:
            for name in self._by_requests()[_KEPT:]:
                self._others.add(self._counts.pop(name))
                del self._states[name]
                self._hosts_in_others += 1

    def rows(self, most: int) -> list[HostRow]:
        """The hosts with the most requests; what does not fit is one row more, `(others)`."""
        names = self._by_requests()
        rest = HostCounts()
        rest.add(self._others)
        for name in names[most:]:
            rest.add(self._counts[name])
        rows = [_row(name, self._counts[name], self._states[name]) for name in names[:most]]
        others = len(names[most:]) + self._hosts_in_others
        return [*rows, _row(OTHERS, rest, f"{others:,} hosts")] if others else rows

    def _by_requests(self) -> list[str]:
        return sorted(self._counts, key=lambda name: (-self._counts[name].requests, name))


def _row(name: str, counts: HostCounts, state: str) -> HostRow:
    return HostRow(
        name,
        counts.requests,
        round(counts.requests / counts.seconds, 3) if counts.seconds else 0.0,
        counts.errors,
        counts.last_fault,
        counts.given_up,
        counts.bytes,
        state,
        *(_milliseconds(counts, share) for share in (0.5, 0.95)),
    )


def _milliseconds(counts: HostCounts, share: float) -> float | None:
    latency = counts.latency(share)
    return None if latency is None else round(latency * 1000, 1)
