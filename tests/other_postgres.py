"""A PostgreSQL that is not our embedded one: the distribution's, with a password, on a TCP port of its own.

Its language's own sort order (ICU) differs from ours on purpose: results must not depend on it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
REASON = "needs a PostgreSQL under /usr/lib/postgresql (Debian's package `postgresql`)"
# Every character that a URL must escape.
PASSWORD = "p@ss:/w?rd#[1]%20+&='\" ü"


@dataclass
class OtherPostgres:
    """A server that is there until `stop`, and again after `start`, always at the same URL."""

    url: str
    command: Sequence[str | Path]
    system_user: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it answers when this returns."""
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL, cwd="/", user=self.system_user)
        _wait_for(self.url, self.process)

    def stop(self) -> None:
        """End it and all its connections; nothing of it runs when this returns."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)  # fast shutdown
        self.process.wait()


@contextmanager
def other_postgres(user: str = "owner", password: str = PASSWORD) -> Iterator[OtherPostgres]:
    """A fresh server that runs, with an empty database; everything is gone when the block ends."""
    binaries = INSTALLED[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="other-postgres-"))
    # As root, PostgreSQL refuses to run: then it is the package's own user.
    system_user = pwd.getpwnam("postgres").pw_uid if os.geteuid() == 0 else os.geteuid()
    os.chown(folder, system_user, -1)
    port = free_port()
    secret = folder / "password"
    secret.write_text(password)
    secret.chmod(0o644)
    try:
        options = ["--auth=scram-sha-256", f"--username={user}", f"--pwfile={secret}", "--encoding=UTF8", "--no-sync"]
        options += ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        subprocess.run(
            [binaries / "initdb", "-D", folder / "data", *options],
            check=True,
            capture_output=True,
            cwd="/",
            user=system_user,
        )
        settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off"]
        command = [binaries / "postgres", "-D", folder / "data", *(part for each in settings for part in ("-c", each))]
        url = f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@127.0.0.1:{port}/postgres"
        server = OtherPostgres(url, command, system_user)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
