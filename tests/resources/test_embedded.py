"""The embedded server's life, with real processes: it lives exactly as long as its users, however they end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from resources.ledger.embedded import EmbeddedPostgresError, embedded_postgres
from resources.processes import lives
from resources.socket_folders import LONGEST_SOCKET_PATH, make_private, socket_folder

ROOT = Path(__file__).parents[2]
# Prints the server's URL and stays until its standard input is closed.
USER = """
import sys
from pathlib import Path
from resources.ledger.embedded import embedded_postgres
with embedded_postgres(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""
# Comes and goes ten times, each time asking the server something.
CHURN = """
import sys
from pathlib import Path
import psycopg
from resources.ledger.embedded import embedded_postgres
for _ in range(10):
    with embedded_postgres(Path(sys.argv[1])) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
"""
# Kills the server and its keeper as their init would see it that reaps nobody, and uses the server again.
NEVER_REAPED = """
import ctypes, os, signal, sys
from pathlib import Path
import psutil, psycopg
from resources.ledger.embedded import embedded_postgres
PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1) == 0
home = Path(sys.argv[1])
with embedded_postgres(home):
    server = psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))
    keeper = server.parent()
    server.send_signal(signal.SIGSTOP)  # so that the keeper's death does not end it in order
    keeper.kill()
    server.kill()
    while server.status() != psutil.STATUS_ZOMBIE:
        pass
with embedded_postgres(home) as url, psycopg.connect(url) as connection:
    assert connection.execute("SELECT 1").fetchone() == (1,)
assert server.status() == psutil.STATUS_ZOMBIE
"""


@pytest.fixture
def home() -> Iterator[Path]:
    # Not tmp_path: pytest closes its folders to other users, and as root the server is another user.
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder).resolve()
        kill(server_processes(Path(folder).resolve()))
        shutil.rmtree(socket_folder(Path(folder), "pg"), ignore_errors=True)


def server_processes(home: Path) -> list[psutil.Process]:
    """The keeper and every PostgreSQL process of `home`."""

    def belongs(process: psutil.Process) -> bool:
        try:
            keeper = str(home) in process.cmdline() and "embedded_keeper" in " ".join(process.cmdline())
            return keeper or Path(process.cwd()) == home / "postgres"
        except psutil.Error:
            return False

    return [process for process in psutil.process_iter() if belongs(process)]


def keeper_of(home: Path) -> psutil.Process:
    return next(p for p in server_processes(home) if p.name() != "postgres")


def postmaster_of(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def ends(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=20)[1]


@contextmanager
def user(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that uses the server, and the URL it was given; it leaves at the end, unless it is dead."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, home], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row and row[0]


def create(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 35 AS n")


def test_two_processes_share_one_server_and_the_last_one_to_leave_stops_it(home: Path) -> None:
    with ExitStack() as later:
        with user(home) as (_, first):
            started = ask(first, "SELECT pg_postmaster_start_time()")
            _, second = later.enter_context(user(home))
            assert second == first
        assert ask(second, "SELECT pg_postmaster_start_time()") == started
        assert server_processes(home)
    assert not [p for p in server_processes(home) if p.name() == "postgres"]
    assert ends(server_processes(home))
    assert not socket_folder(home, "pg").exists()


def test_leaving_as_the_last_user_waits_until_the_server_is_down(home: Path) -> None:
    for _ in range(3):
        with embedded_postgres(home) as url:
            postmaster = postmaster_of(home)
            assert ask(url, "SELECT 1") == 1
        assert not lives(postmaster.pid)


def test_the_server_stops_when_its_last_user_is_killed(home: Path) -> None:
    with user(home) as (process, url):
        assert ask(url, "SELECT 1") == 1
        running = server_processes(home)
        assert len(running) > 2
        process.kill()
        process.wait()
        assert ends(running)
    assert server_processes(home) == []


def test_committed_rows_survive_a_kill_of_every_process(home: Path) -> None:
    with user(home) as (process, url):
        create(url)
        running = server_processes(home)
        kill([psutil.Process(process.pid), *running])
        assert ends(running)
    with user(home) as (_, url):
        assert ask(url, "SELECT n FROM kept") == 35


def test_after_a_keepers_kill_a_newcomer_gets_a_server_that_stays(home: Path) -> None:
    with ExitStack() as later:
        with user(home) as (_, url):
            create(url)
            old = postmaster_of(home)
            keeper_of(home).kill()
            _, newcomer = later.enter_context(user(home))
            assert ends([old])
            assert ask(newcomer, "SELECT n FROM kept") == 35
        # The old server's user has left as well: the new one is not disturbed by that.
        assert ask(newcomer, "SELECT n FROM kept") == 35


def test_a_killed_keeper_takes_its_server_along(home: Path) -> None:
    with user(home):
        running = server_processes(home)
        keeper_of(home).kill()
        assert ends(running)


def test_a_killed_server_is_replaced_for_the_next_user(home: Path) -> None:
    with user(home) as (_, url):
        create(url)
        keeper = keeper_of(home)
        postmaster_of(home).kill()
        assert ends([keeper])
        with user(home) as (_, again):
            assert ask(again, "SELECT n FROM kept") == 35


def test_a_session_that_outlives_its_server_does_not_block_the_next_one(home: Path) -> None:
    with user(home) as (_, url), closing(psycopg.connect(url)) as connection:
        create(url)
        session = psutil.Process(connection.info.backend_pid)
        session.suspend()  # so that it cannot notice that its server is gone
        kill([keeper_of(home), postmaster_of(home)])
        with user(home) as (_, again):
            assert ask(again, "SELECT n FROM kept") == 35
        assert not lives(session.pid)


def test_a_killed_server_that_nobody_reaps_does_not_block_the_next_one(home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", NEVER_REAPED, home], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_users_who_come_and_go_all_the_time_always_find_a_server(home: Path) -> None:
    with ThreadPoolExecutor() as pool:
        command = [sys.executable, "-c", CHURN, str(home)]
        runs = list(pool.map(lambda _: subprocess.run(command, cwd=ROOT, check=False), range(4)))
    assert [run.returncode for run in runs] == [0] * 4
    assert ends(server_processes(home))


def test_a_creation_that_was_cut_short_is_done_again(home: Path) -> None:
    (home / "postgres.new-1").mkdir()
    (home / "postgres.new-1" / "PG_VERSION").write_text("18\n")
    with embedded_postgres(home) as url:
        assert ask(url, "SELECT 1") == 1
    assert sorted(path.name for path in home.glob("postgres*")) == [
        "postgres",
        "postgres.keeper",
        "postgres.log",
        "postgres.users",
    ]


def test_data_of_another_version_is_refused_with_the_servers_own_words(home: Path) -> None:
    with embedded_postgres(home):
        pass
    (home / "postgres" / "PG_VERSION").write_text("9.6\n")
    message = r"did not start.*:\n.*FATAL.*\n.*version 9\.6, which is not compatible"
    with pytest.raises(EmbeddedPostgresError, match=message), embedded_postgres(home):
        pass
    assert ends(server_processes(home))


def test_nobody_is_reached_over_the_network_and_nothing_is_given_up_for_speed(home: Path) -> None:
    with embedded_postgres(home) as url:
        listening = [c for p in server_processes(home) for c in p.net_connections("inet")]
        assert listening == []
        assert ask(url, "SHOW fsync") == "on"
        assert ask(url, "SHOW synchronous_commit") == "on"
        assert socket_folder(home, "pg").stat().st_mode & 0o777 == 0o700


def test_a_deep_home_has_a_short_socket_folder(home: Path) -> None:
    deep = home / "/".join(["much-too-deep"] * 30)
    assert len(str(socket_folder(deep, "pg") / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH
    assert socket_folder(deep, "pg") != socket_folder(deep.parent, "pg")
    with embedded_postgres(deep) as url:
        assert ask(url, "SELECT 1") == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_socket_folder_that_somebody_else_made_is_refused(home: Path) -> None:
    folder = home / "sockets"
    folder.mkdir()
    os.chown(folder, 12_345, 12_345)
    with pytest.raises(PermissionError, match="belongs to somebody else"):
        make_private(folder)
    make_private(folder, 12_345)
