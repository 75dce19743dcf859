"""A home for commands under test, and its processes seen from outside. Does not belong here: what they do."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from resources.socket_folders import socket_folder


@contextmanager
def fresh_home(prefix: str) -> Iterator[Path]:
    """An empty home; in the end nothing of it remains, also when the test failed.

    Not tmp_path: pytest closes its folders to other users, and as root the server is another user.
    """
    with tempfile.TemporaryDirectory(prefix=prefix) as folder:
        home = Path(folder).resolve()
        yield home
        kill(processes_of(home))
        for purpose in ("pg", "code"):
            shutil.rmtree(socket_folder(home, purpose), ignore_errors=True)


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process that works for `home`: its environment, command or folder says so. Not this one.

    `info["cmdline"]` is the command it was found with, whatever has become of it.
    """

    def belongs(process: psutil.Process) -> bool:
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            words = [*(process.info["cmdline"] or ()), *process.environ().values(), process.cwd()]
            return any(str(home) in word for word in words)
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter(["cmdline"]) if belongs(process)]


def kill(processes: list[psutil.Process]) -> None:
    """SIGKILL one after the other; some may be gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def assert_no_process_of(home: Path) -> None:
    """All processes of `home` end by themselves, and soon: a run that is being started once it has loaded our code."""
    deadline = time.monotonic() + 60
    while left := processes_of(home):
        assert time.monotonic() < deadline, [process.info["cmdline"] for process in left]
        psutil.wait_procs(left, timeout=1)
