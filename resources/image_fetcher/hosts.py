"""How one host is treated: how many requests at once, how fast, and when not at all. Pure state; the clock is given.

Belongs here: the window of requests in flight, the pauses a server asks for, the circuit breaker, and what is counted
of a host. Does not belong here: how fast it is asked (request_rate), sending, and choosing among hosts (host_lines).

- Window: starts small, grows with every answer (doubling until the first trouble, then by one a round), is halved by an
  error and cut by a fifth when answers begin much later than they used to (AIMD; Jacobson 1988, TCP Vegas 1994).
- Circuit breaker (Nygard, "Release It!"): a run of failures opens it; then one request at a time probes the host, after
  pauses that double. A host without any good answer for `host_patience_seconds` is given up: its images end without a
  request, until a probe succeeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from resources.image_fetcher.limits import FetchLimits
from resources.image_fetcher.request_rate import RequestRate

_FIRST_WINDOW = 4.0
_SLOW_FACTOR, _SLOW_SECONDS = 2.0, 0.05  # this much later than usual is a sign of overload
_LONGEST_PROBE_PAUSE = 30.0
_PATIENCES_WITH_429 = 10  # such limits are often by the minute

_BUCKETS = 64
_BUCKET_BASE = math.log(1.2)  # each latency bucket is a fifth wider than the one before; the first ends at 1 ms


@dataclass
class HostCounts:
    """What is counted of one host, or of several together. Latencies are seconds until the answer began.

    `last_fault` is the reason of the last of the `errors`.
    """

    requests: int = 0
    errors: int = 0
    last_fault: str | None = None
    bytes: int = 0
    given_up: int = 0
    seconds: float = 0.0
    latencies: list[int] = field(default_factory=lambda: [0] * _BUCKETS)

    def add(self, other: HostCounts) -> None:
        """Count the other's with these."""
        self.requests += other.requests
        self.errors += other.errors
        self.last_fault = other.last_fault or self.last_fault
        self.bytes += other.bytes
        self.given_up += other.given_up
        self.seconds = max(self.seconds, other.seconds)
        self.latencies = [mine + theirs for mine, theirs in zip(self.latencies, other.latencies, strict=True)]

    def latency(self, share: float) -> float | None:
        """The latency that `share` of the answers kept, to a fifth; None without answers."""
        wanted = share * sum(self.latencies)
        passed = 0
        for bucket, count in enumerate(self.latencies):
            passed += count
            if count and passed >= wanted:
                return 0.001 * math.exp(_BUCKET_BASE * bucket)
        return None


class Host:
    """One host while it is asked. Times are the event loop's, in seconds."""

    def __init__(self, name: str, most: int, per_second: float | None, limits: FetchLimits, now: float) -> None:
        self.name = name
        self.counts = HostCounts()
        self.in_flight = 0
        self._most = most
        self._window = min(_FIRST_WINDOW, most)
        self._doubling = True
        self._rate = RequestRate(per_second, now)
        self._limits = limits
        self._began = now
        self._paused_until = now
        self._failures = 0
        self._openings = 0
        self._gives_up_at = math.inf
        self._latency: float | None = None
        self._usual_latency = 0.0
        self._cut_at = -math.inf

    @property
    def open(self) -> bool:
        """Whether the circuit is open: only a probe goes through."""
        return self._openings > 0

    def has_room(self) -> bool:
        """Whether one more request may be in flight."""
        return self.in_flight < (1 if self.open else int(self._window))

    def ready_at(self) -> float:
        """When the next request may start, if there is room."""
        return max(self._rate.next_at(), self._paused_until)

    def given_up(self, now: float) -> bool:
        """Whether waiting images end without a request: no good answer for too long, or a pause that lasts longer."""
        return now < self._paused_until and self._paused_until >= self._gives_up_at

    def state(self, now: float) -> str:
        """For people: `open` (the circuit), `paused` (as the host asked), `slowed` (fewer or slower), else `steady`."""
        if self.open:
            return "open"
        if now < self._paused_until:
            return "paused"
        slowed = self._window < min(self._most, _FIRST_WINDOW) or self._rate.slowed
        return "slowed" if slowed else "steady"

    def start(self, now: float) -> None:
        """A request goes out."""
        self.in_flight += 1
        self._rate.start(now)

    def end(self) -> None:
        """A request is over, its outcome handed over."""
        self.in_flight -= 1

    def answered(self, now: float, started: float, latency: float, size: int) -> None:
        """The host gave an answer that says it works (a 404 too). `latency`: seconds until it began."""
        self._count(now, latency, size)
        self._failures = self._openings = 0
        self._gives_up_at = math.inf
        self._rate.answered(now)
        if self._is_slow(latency) and started > self._cut_at:
            # Not below where it started: on a busy machine of ours every host seems slow.
            self._cut(now, 0.8, least=min(_FIRST_WINDOW, self._window))
        else:
            self._window = min(self._window + (1 if self._doubling else 1 / self._window), self._most)

    def failed(self, now: float, started: float, latency: float | None, reason: str, *, first_attempt: bool) -> None:
        """A fault of the host: no connection, no whole answer, a server error. `latency` None: no answer began.

        Further attempts do not open the circuit: those of a host's few broken images come together, at the end of its
        line. No answer at all counts twice.
        """
        self._count_error(now, latency, reason)
        if first_attempt:
            self._failures += 2 if latency is None else 1
        if started > self._cut_at:
            self._cut(now, 0.5)
        if self.open or self._failures >= self._limits.circuit_failures:
            pause = min(self._limits.circuit_seconds * 2.0**self._openings, _LONGEST_PROBE_PAUSE)
            self._openings += 1
            self._pause(now, pause, self._limits.host_patience_seconds)

    def asked_to_wait(self, now: float, started: float, latency: float, reason: str, retry_after: float | None) -> None:
        """429, or 503 with Retry-After: the whole host rests as long as it says and is asked more slowly then."""
        self._count_error(now, latency, reason)
        self._rate.refused(now, started)
        if started > self._cut_at:
            self._cut(now, 0.5)
        patience = self._limits.host_patience_seconds * (_PATIENCES_WITH_429 if reason == "http_429" else 1)
        self._pause(now, retry_after or self._rate.spacing, patience)

    def _pause(self, now: float, seconds: float, patience: float) -> None:
        self._paused_until = max(self._paused_until, now + seconds)
        self._gives_up_at = min(self._gives_up_at, now + patience)

    def _cut(self, now: float, factor: float, least: float = 1.0) -> None:
        """Once a round: requests that were under way already say nothing about the smaller window."""
        self._window = max(self._window * factor, least)
        self._doubling = False
        self._cut_at = now

    def _is_slow(self, latency: float) -> bool:
        if self._latency is None:
            self._latency = self._usual_latency = latency
        self._latency += 0.2 * (latency - self._latency)
        # The least seen lately: it rises slowly, so that a host that became slow for good is not punished for ever.
        self._usual_latency = min(self._latency, self._usual_latency + 0.005 * (self._latency - self._usual_latency))
        return self._latency > _SLOW_FACTOR * self._usual_latency + _SLOW_SECONDS

    def _count(self, now: float, latency: float | None, size: int) -> None:
        self.counts.requests += 1
        self.counts.bytes += size
        self.counts.seconds = now - self._began
        if latency is not None:
            bucket = math.ceil(math.log(max(latency, 0.001) / 0.001) / _BUCKET_BASE)
            self.counts.latencies[min(bucket, _BUCKETS - 1)] += 1

    def _count_error(self, now: float, latency: float | None, reason: str) -> None:
        self._count(now, latency, 0)
        self.counts.errors += 1
        self.counts.last_fault = reason
