"""How every process below a supervisor knows it, and dies with it.

The supervisor gives its children its mark, "process id:start time", in the environment, and their children inherit
it. Dagster starts run workers from a thread of the code server, where the kernel's parent-death signal would fire at
the thread's end; so a process that loads our definitions watches the supervisor itself. Does not belong here:
starting processes.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from pathlib import Path

import psutil

SUPERVISOR_VARIABLE = "IMAGE_ASSETS_SUPERVISOR"


def mark_of(pid: int) -> str:
    """The mark of a living process, which no other process of this boot has; ProcessLookupError without one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    return f"{pid}:{fields[19]}"  # starttime, the 22nd field of proc(5), in clock ticks since boot


def follow_supervisor() -> None:
    """From now on this process, with all its children, is killed as soon as its supervisor is gone.

    Does nothing without a supervisor, and when done before.
    """
    if mark := os.environ.get(SUPERVISOR_VARIABLE):
        _follow(mark, os.getpid())


@cache
def _follow(mark: str, _own_pid: int) -> None:  # the own pid, as a forked process has the cache but not the thread
    pid = int(mark.partition(":")[0])
    try:
        supervisor = os.pidfd_open(pid)
        gone = mark_of(pid) != mark  # after the open: the descriptor is of the process that bears the mark
    except ProcessLookupError:
        gone = True
    if gone:
        _die()
    threading.Thread(target=_die_after, args=(supervisor,), name="supervisor-watch", daemon=True).start()


def _die_after(supervisor: int) -> None:
    watch = select.poll()
    watch.register(supervisor, select.POLLIN)
    watch.poll()
    _die()


def _die() -> None:
    try:
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    finally:  # with too many open files the list of processes cannot be read
        os.kill(os.getpid(), signal.SIGKILL)


def end_marked(mark: str, spare: Collection[int] = ()) -> None:
    """Kill every process that bears `mark`, except those in `spare`, and wait until they are gone."""
    while marked := [p for p in psutil.process_iter() if p.pid not in spare and _bears(p, mark)]:
        for process in marked:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(marked)


def _bears(process: psutil.Process, mark: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(SUPERVISOR_VARIABLE) == mark
    except psutil.Error:  # ended meanwhile, or another person's
        return False
