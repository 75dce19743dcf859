"""Files of a local store that are being written, and what killed writers left of them.

Belongs here: where a file lies until it is whole, writing it, and sweeping. Does not belong here: the store itself.

A file is written in a folder of its own and then moved to its key. Its name tells who writes it, so that whoever opens
the store next can tell files of living processes from those of dead ones.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import uuid
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from resources.processes import started_at

FOLDER = ".writing"

# What obstore takes for no key of a folder either: it would neither read nor list it.
_NO_KEY = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\x00-\x1f\x7f]|#[0-9]+$")

Result = TypeVar("Result")


def write_whole(store: Path, key: str, content: bytes | Path) -> None:
    """Write bytes, or what is in a file, under `key`; a reader sees the old content or the new one, never a part.

    Folders are made when they are missing. Raises ValueError for a key that no file can have, and OSError; then nothing
    is left aside.
    """
    if _NO_KEY.search(key):
        raise ValueError(f"{key!r} is no key of a file")
    unfinished = f"{store}/{unfinished_key()}"
    try:
        write_aside(unfinished, content)
        move(unfinished, f"{store}/{key}")
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


# Every original and rendition comes through here: paths are strings, since a Path costs a tenth of what writing does.


def write_aside(unfinished: str, content: bytes | Path) -> None:
    """Write a new file, for nobody to see yet."""
    with _with_its_folder(unfinished, lambda: open(unfinished, "xb")) as file:  # noqa: PTH123
        if isinstance(content, Path):
            with content.open("rb") as source:
                shutil.copyfileobj(source, file, 2**20)
        else:
            file.write(content)


def move(unfinished: str, target: str) -> None:
    """Put a file that is whole in the place of `target`."""
    _with_its_folder(target, lambda: os.replace(unfinished, target))  # noqa: PTH105


def _with_its_folder(path: str, act: Callable[[], Result]) -> Result:
    try:
        return act()
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return act()


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
    """When a process started, as file names tell it; None when it is gone."""
    since = started_at(pid)
    return None if since is None else f"{since:.2f}"


@lru_cache(4)  # a forked child has a pid of its own
def _start_of(pid: int) -> str | None:
    return _start(pid)
