"""The demo's own folder: one demo at a time, nothing left from the one before.

Does not belong here: what is put into it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from image_assets.supervision import SupervisedElsewhere, acquire_supervision
from resources.lock_files import open_lock_file, read_lock_file, try_lock, write_lock_file

# How long the embedded PostgreSQL of a command that was killed may take to stop by itself.
_STOP_SECONDS = 20.0
_POSTGRES_LOCKS = ("postgres.users", "postgres.keeper")


class FolderInUse(RuntimeError):
    """Somebody works in the folder; the message says who and what to do."""


@contextmanager
def empty_folder(folder: Path) -> Iterator[Path]:
    """Hold `folder`, emptied, while the block runs. Raises FolderInUse instead of disturbing a running program."""
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = open_lock_file(folder.with_name(f"{folder.name}.lock"))
    try:
        if not try_lock(lock, fcntl.LOCK_EX):
            raise FolderInUse(
                f"Another demo is running in {folder} (process {read_lock_file(lock) or '?'}). "
                "Wait for it, or stop it with Ctrl-C."
            )
        write_lock_file(lock, str(os.getpid()))
        _clear(folder)
        yield folder
    finally:
        os.close(lock)


def _clear(folder: Path) -> None:
    """Remove the folder's content, after what a killed demo left running has ended."""
    # Becoming the supervisor also ends the processes that an earlier one left behind.
    with acquire_supervision(folder) as supervision:
        if isinstance(supervision, SupervisedElsewhere):
            raise FolderInUse(
                f"image-assets is running on {folder} (process {supervision.pid}). "
                f"Stop it (Ctrl-C in its terminal, or: kill {supervision.pid}) and start the demo again."
            )
        _await_postgres(folder)
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != "supervisor.lock":
                entry.unlink()


def _await_postgres(folder: Path) -> None:
    """Wait until nobody uses the embedded PostgreSQL and its keeper has ended; the kernel frees a dead one's locks."""
    deadline = time.monotonic() + _STOP_SECONDS
    while not _all_free([folder / name for name in _POSTGRES_LOCKS]):
        if time.monotonic() > deadline:
            raise FolderInUse(
                f"A program still uses the database in {folder} (image-assets status or doctor?). "
                "Stop it and start the demo again."
            )
        time.sleep(0.1)


def _all_free(paths: list[Path]) -> bool:
    with ExitStack() as stack:
        locks = [open_lock_file(path) for path in paths]
        for lock in locks:
            stack.callback(os.close, lock)
        return all(try_lock(lock, fcntl.LOCK_EX) for lock in locks)
