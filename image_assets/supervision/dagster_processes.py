"""Dagster's code server, daemon and webserver for one home: started in order, watched, stopped in order.

One code server serves daemon, UI and runs, over a unix socket. Does not belong here: what the definitions hold.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from image_assets.supervision.active_runs import (
    active_runs,
    cancel_active_runs,
    fail_orphaned_runs,
    report_stopped_runs,
)
from image_assets.supervision.children import Child, check_running, restart_child, start_child, stop_child
from image_assets.supervision.dead_runs import DeadRunWatch, watch_dead_runs
from image_assets.supervision.following import SUPERVISOR_VARIABLE, end_marked
from image_assets.supervision.tenure import Supervision
from resources.socket_folders import make_private, socket_folder

if TYPE_CHECKING:
    from dagster import DagsterInstance

LOCATION_NAME = "image_assets"  # as in workspace.yaml: Dagster keeps a sensor's state by location and name
_READY_SECONDS = 120.0
_POLL_SECONDS = 0.05
_DAEMON_PATIENCE = 15.0
_RUNS_PATIENCE = 10.0
_PATIENCE = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DagsterProcesses:
    """The running children."""

    supervision: Supervision
    instance: DagsterInstance
    code_server: Child
    code_socket: Path
    daemon: Child
    webserver: Child | None
    ui_url: str
    dead_runs: DeadRunWatch

    def check(self) -> None:
        """Restart what ended unexpectedly; call it every second or so, from the main thread.

        ProgramEnded, with the end of the log, when a program ends more than five times within a minute. With the code
        server go its runs: they are killed and reported like those of an earlier supervisor. Runs that died by
        themselves are looked for twice a minute.
        """
        if self.code_server.ended():
            _log.warning("%s", self.code_server.failure("ended and is started again"))
            others = [psutil.Process(child.process.pid) for child in self._clients() if not child.ended()]
            spare = {p.pid for client in others for p in (client, *client.children(recursive=True))}
            end_marked(self.supervision.mark, spare)
            orphaned = {run.run_id for run in active_runs(self.instance)}
            try:
                restart_child(self.code_server)
                _wait_for_code_server(self.code_server, self.code_socket)
            finally:  # a run that waits for one of these starts at once, and would fail without a code server
                fail_orphaned_runs(self.instance, orphaned)
        for child in self._clients():
            if child.ended():
                _log.warning("%s", child.failure("ended and is started again"))
                restart_child(child)
        for run_id in watch_dead_runs(self.dead_runs, self.instance, self.code_server.process.pid):
            _log.warning("The process of run %s died without a word; the run is reported as failed", run_id)

    def _clients(self) -> list[Child]:
        return [self.daemon, *([self.webserver] if self.webserver else [])]


@contextmanager
def run_dagster(
    supervision: Supervision,
    instance: DagsterInstance,
    environment: Mapping[str, str],
    *,
    module: str = "image_assets.definitions",
    ui_port: int | None = None,
) -> Iterator[DagsterProcesses]:
    """Run code server and daemon, and the webserver on 127.0.0.1:`ui_port` if there is one, until the context ends.

    `environment` is the children's whole environment; its DAGSTER_HOME is `instance`'s. Ready means: the code server
    accepts requests, every required daemon has given a sign of life, the UI answers. ProgramEnded, with the end of the
    log, when one does not get there; OSError when the port is taken. At the end webserver and daemon are stopped first,
    runs in progress are canceled (without Dagster's database: killed), and nothing of all this is left running. From
    the main thread only.
    """
    home = supervision.home
    logs = home / "logs"
    environment = {**environment, SUPERVISOR_VARIABLE: supervision.mark}
    sockets = socket_folder(home, "code")
    make_private(sockets)
    code_socket = sockets / "code.sock"
    code_socket.unlink(missing_ok=True)
    workspace = home / "workspace.yaml"
    workspace.write_text(_workspace(code_socket))
    program = [sys.executable, "-P", "-m"]  # a file in the user's folder must not pass for a module

    with ExitStack() as stack:
        stack.callback(sockets.rmdir)
        stack.callback(code_socket.unlink, missing_ok=True)
        stack.callback(report_stopped_runs, instance)
        stack.callback(end_marked, supervision.mark)

        serve = [*program, "dagster", "api", "grpc", "--socket", str(code_socket), "--module-name", module]
        code_server = start_child("code server", [*serve, "--location-name", LOCATION_NAME], environment, logs)
        stack.callback(stop_child, code_server, _PATIENCE)
        _wait_for_code_server(code_server, code_socket)
        stack.callback(cancel_active_runs, instance, _RUNS_PATIENCE)

        started = time.time()
        daemon_command = [*program, "dagster._daemon", "run", "--workspace", str(workspace)]
        daemon = start_child("daemon", daemon_command, environment, logs)
        stack.callback(stop_child, daemon, _DAEMON_PATIENCE)

        webserver, ui_url = None, ""
        if ui_port is not None:
            ui_url = f"http://127.0.0.1:{ui_port}"
            check_port(ui_port)
            address = ["--host", "127.0.0.1", "--port", str(ui_port)]
            command = [*program, "dagster_webserver", "--workspace", str(workspace), *address]
            webserver = start_child("webserver", command, environment, logs)
            stack.callback(stop_child, webserver, _PATIENCE)
            _wait_until(webserver, lambda: _answers(f"{ui_url}/server_info"))
        _wait_until(daemon, lambda: _daemons_live_since(instance, started))
        supervision.announce(ui_url)
        watch = DeadRunWatch(time.monotonic())
        yield DagsterProcesses(supervision, instance, code_server, code_socket, daemon, webserver, ui_url, watch)


def check_port(port: int) -> None:
    """OSError when another program listens on 127.0.0.1:`port`; without this its answer would pass for ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise OSError(error.errno, f"port {port} is taken by another program: choose another port") from None


def _workspace(code_socket: Path) -> str:
    # With --grpc-socket the location would be named after the socket's path, and change with it. JSON is YAML.
    server = {"host": "localhost", "socket": str(code_socket), "location_name": LOCATION_NAME}
    return json.dumps({"load_from": [{"grpc_server": server}]})


def _wait_for_code_server(child: Child, code_socket: Path) -> None:
    def accepts() -> bool:
        # It binds the socket when the definitions are loaded. No gRPC here: its threads do not bear our forks.
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(str(code_socket)) == 0

    _wait_until(child, accepts)


def _daemons_live_since(instance: DagsterInstance, moment: float) -> bool:
    beats = instance.get_daemon_heartbeats()
    required = instance.get_required_daemon_types()
    return all(kind in beats and beats[kind].timestamp >= moment for kind in required)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _wait_until(child: Child, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not ready():
        check_running(child)
        if time.monotonic() > deadline:
            raise child.failure(f"was not ready after {_READY_SECONDS:.0f} seconds")
        time.sleep(_POLL_SECONDS)
