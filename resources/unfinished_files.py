"""Files of a local store that are being written, and what killed writers left of them.

Belongs here: where a file lies until it is whole, and sweeping. Does not belong here: the store itself.

A file is written in a folder of its own and then moved to its key. Its name tells who writes it, so that whoever opens
the store next can tell files of living processes from those of dead ones.
"""

from __future__ import annotations

import os
import socket
import uuid
from functools import lru_cache
from pathlib import Path

import psutil

FOLDER = ".writing"


def unfinished_key() -> str:
    """A new key for a file that this process writes."""
    return f"{FOLDER}/{_host()}~{os.getpid()}~{_start_of(os.getpid())}~{uuid.uuid4().hex}"


def sweep(store: Path) -> None:
    """Remove what dead processes of this machine left in the store at `store`."""
    folder = store / FOLDER
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        host, pid, start, _ = path.name.split("~") if path.name.count("~") == 3 else ("", "", "", "")
        if host == _host() and pid.isdecimal() and start != _start(int(pid)):
            path.unlink(missing_ok=True)


def _host() -> str:
    return socket.gethostname().replace("~", "-").replace("/", "-")


def _start(pid: int) -> str | None:
    """When a process started; None when there is none, or only what is left of it until its parent looks."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return None


@lru_cache(4)  # a forked child has a pid of its own
def _start_of(pid: int) -> str | None:
    return _start(pid)
