"""An event loop whose clock is its own: where nothing is left to do but wait, the time waited for has come at once.

Sockets are real, so clients and servers of one loop speak as ever; only their pauses take no time. What other threads
or processes do takes no time either, so it is for what happens in one loop.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# What was written to a socket has arrived at its other end by then.
_ON_ITS_WAY = 0.001


class _Selector(selectors.DefaultSelector):
    """Waits for sockets only as long as something may be on its way, and puts the clock forward by the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(_ON_ITS_WAY)
        if not ready:
            self.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run_clocked(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on a clock that starts at 0; the loop's `time()` says how long all of it would have taken."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)
