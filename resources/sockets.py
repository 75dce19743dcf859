"""Short private folders for unix sockets, and files that processes lock to know of each other.

A socket's path may have 107 bytes, so sockets cannot live below a home of any depth. Locks are `flock`s: the
kernel releases them however their holder dies. Does not belong here: what is served or kept.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from pathlib import Path

LONGEST_SOCKET_PATH = 107
_LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432")


def socket_folder(home: Path, purpose: str) -> Path:
    """The folder for the sockets of `purpose` that belong to `home`: always the same one, not yet created."""
    digest = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:12]
    name = f"image-assets-{os.getuid()}-{digest}-{purpose}"
    folder = Path(tempfile.gettempdir()) / name
    fits = len(os.fsencode(folder)) + _LONGEST_SOCKET_NAME <= LONGEST_SOCKET_PATH
    return folder if fits else Path("/tmp") / name


def make_private(folder: Path, *owners: int) -> None:
    """Create `folder` for our eyes only, or accept it as it is when it belongs to us or to one of `owners`.

    The folder for temporary files is everybody's: PermissionError when somebody else was there first.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.getuid(), *owners):
            raise PermissionError(f"{folder} belongs to somebody else: remove it") from None
    folder.chmod(0o700)


def open_lock_file(path: Path) -> int:
    """A descriptor of `path`, created when missing; it does not pass to programs we start."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take the lock (`fcntl.LOCK_EX` or `LOCK_SH`) if nobody stands against it; False leaves us without any."""
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
