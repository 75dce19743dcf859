"""Children that the kernel ends when their parent dies. Does not belong here: what the children are."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def signal_when_parent_dies(number: signal.Signals) -> Callable[[], None]:
    """What a child does before it becomes its program (`preexec_fn`): the kernel sends it `number` when we die.

    Start the child from the main thread: the kernel goes by the thread that started it, not by the process. It
    holds for the child alone, not for the child's children. Linux only.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def before_exec() -> None:
        if prctl(_PR_SET_PDEATHSIG, int(number)) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != parent:  # it died before the kernel knew
            os._exit(1)

    return before_exec
