"""What makes a command stop in order. Does not belong here: how it stops."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def exit_on_stop_signals() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal raise SystemExit(128 + signal) here, once.

    What is open then closes in order; further signals do not cut that short (every step of it has its time limit).
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = {each: signal.signal(each, leave) for each in STOP_SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
