"""Short private folders for unix sockets: a socket's path may have 107 bytes, too few below a home of any depth.

Does not belong here: what is served through a socket.
"""

from __future__ import annotations

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
    """Create `folder` for our eyes only, or accept it as it is when it belongs to us or to one of `owners` (user ids).

    The folder for temporary files is everybody's: PermissionError when somebody else was there first.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.getuid(), *owners):
            raise PermissionError(f"{folder} belongs to somebody else: remove it") from None
    folder.chmod(0o700)
