"""How many requests a second one host is sent. Pure state; the clock is given.

Belongs here: the partner's own limit, and the rate that follows from the host's 429s. Does not belong here: how many
requests may be in flight, and the pauses a host asks for (hosts).

A token bucket of one token: requests are spaced, also after a quiet time. The rate is that of TCP's congestion control
(Jacobson 1988), which AWS's adaptive retries use too: without a limit until the first 429, which cuts it to less than
was really sent; then it grows by a constant a second, to stay near what the host allows.

- 429s of requests that were under way together count once.
- A rate at which ten answers in a row were good is hardly cut: a host that says 429 at random, however slowly it is
  asked, would be asked ever more slowly else.
- After 429s only (the quota of this minute is used up, say) the rate comes back quickly to where they began.
"""

from __future__ import annotations

import math
from collections import deque

_CUT, _CUT_AGAIN, _CUT_PROVEN = 0.7, 0.5, 0.9
_PROVING_ANSWERS = 10
_GROWTH_A_SECOND = 1.0
_LEAST_GROWTH = 1 / 30  # an answer: fast hosts are not kept waiting
_MOST_GROWTH = 0.05  # as a share, an answer: for a slow host a request a second is a leap
_COMING_BACK = 1.5
_LEAST_RATE = 0.1
_UNLIMITED = 1000.0
_MEASURED_REQUESTS = 16
_LATE_TOKEN = 0.01  # a timer's delay does not slow the rate down


class RequestRate:
    """The spacing of one host's requests; `per_second` is the partner's limit, None without one."""

    def __init__(self, per_second: float | None, now: float) -> None:
        self._most = per_second or math.inf
        self._rate = self._most
        self._next_token = now
        self._sent: deque[float] = deque(maxlen=_MEASURED_REQUESTS)
        self._cut_at = -math.inf
        self._good_in_a_row = 0
        self._proven = 0.0
        self._before_refusals = 0.0

    @property
    def slowed(self) -> bool:
        """Whether the host has fewer requests than the partner's settings allow."""
        return self._rate < self._most

    @property
    def spacing(self) -> float:
        """Seconds between two requests."""
        return 1 / self._rate

    def next_at(self) -> float:
        """When the next request may start."""
        return self._next_token

    def start(self, now: float) -> None:
        """A request goes out."""
        self._sent.append(now)
        if self._rate < math.inf:
            self._next_token = max(self._next_token, now - _LATE_TOKEN) + self.spacing

    def answered(self, now: float) -> None:
        """A good answer came."""
        self._good_in_a_row += 1
        if self._good_in_a_row >= _PROVING_ANSWERS:
            self._proven = max(self._proven, self._real(now))
        if self._rate < self._before_refusals:
            self._rate = min(self._rate * _COMING_BACK, self._before_refusals)
        else:
            self._rate += min(max(_GROWTH_A_SECOND / self._rate, _LEAST_GROWTH), _MOST_GROWTH * self._rate)
        if self._rate >= min(self._most, _UNLIMITED):
            self._rate = self._most

    def refused(self, now: float, started: float) -> None:
        """The answer to a request that started then was 429."""
        again = self._good_in_a_row == 0
        self._good_in_a_row = 0
        if started <= self._cut_at:
            return
        self._cut_at = now
        if again:
            self._proven = 0.0
            self._rate = max(self._real(now) * _CUT_AGAIN, _LEAST_RATE)
        else:
            self._proven *= _CUT_PROVEN
            self._rate = max(self._real(now) * _CUT, min(self._rate, self._proven), _LEAST_RATE)
            self._before_refusals = self._rate
        self._rate = min(self._rate, self._most)

    def _real(self, now: float) -> float:
        """The rate, or what was really sent lately where that is far less."""
        seconds = max(now - self._sent[0], 1 / _UNLIMITED)
        return self._rate if seconds * self._rate < 2 * len(self._sent) else len(self._sent) / seconds
