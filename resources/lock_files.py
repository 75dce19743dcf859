"""Files that processes lock to know of each other: the kernel releases a `flock` however its holder dies.

Does not belong here: what a lock stands for.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def open_lock_file(path: Path) -> int:
    """A descriptor of `path`, created when missing; it does not pass to programs we start."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take the lock (`fcntl.LOCK_EX` or `LOCK_SH`) if no other holder prevents it; False leaves us without any lock."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_lock_file(descriptor: int) -> str:
    """What the lock's holder wrote."""
    return os.pread(descriptor, 65_536, 0).decode()


def write_lock_file(descriptor: int, text: str) -> None:
    """Replace what the file says; only the lock's holder may."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
