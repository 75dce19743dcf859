"""A PostgreSQL that is not our embedded one: the distribution's, with a password, on a TCP port of its own.

Its language's own sort order (ICU) differs from ours on purpose: results must not depend on it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
REASON = "needs a PostgreSQL under /usr/lib/postgresql (Debian's package `postgresql`)"
# Every character that a URL must escape.
PASSWORD = "p@ss:/w?rd#[1]%20+&='\" ü"


@contextmanager
def other_postgres(user: str = "owner", password: str = PASSWORD) -> Iterator[str]:
    """The URL of an empty database of a fresh server; everything is gone when the block ends."""
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
        server = subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", *(part for each in settings for part in ("-c", each))],
            stderr=subprocess.DEVNULL,
            cwd="/",
            user=system_user,
        )
        try:
            url = f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@127.0.0.1:{port}/postgres"
            _wait_for(url, server)
            yield url
        finally:
            server.send_signal(2)  # fast shutdown
            server.wait()
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
