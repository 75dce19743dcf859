"""Processes of this machine: whether one is still at work, and since when.

A process that was killed stays visible until its parent looks at it (a zombie); it counts as gone. Does not belong
here: ending processes.
"""

from __future__ import annotations

import psutil


def started_at(pid: int) -> float | None:
    """When the process started, as Unix time; None when it is gone. With its id this names a process for good."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def lives(pid: int) -> bool:
    """Whether the process is still there."""
    return started_at(pid) is not None
