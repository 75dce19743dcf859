"""Programs that run as our children: started with a log, restarted within bounds, stopped within a time limit.

Does not belong here: which programs.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL

from resources.parent_death import signal_when_parent_dies

RESTARTS_PER_MINUTE = 5
_TAIL_BYTES = 4_000


class ProgramEnded(RuntimeError):
    """A program that should run does not; the message quotes the end of its log."""


@dataclass
class Child:
    """A running program; `process` changes with every restart."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes]
    restarts: list[float] = field(default_factory=list)

    def failure(self, what: str) -> ProgramEnded:
        """`what` happened to this program, with the end of its log."""
        with self.log.open("rb") as stream:
            stream.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            tail = stream.read().decode(errors="replace").strip()
        return ProgramEnded(f"Dagster's {self.name} {what}. The end of {self.log}:\n{tail}")

    def ended(self) -> bool:
        """Whether it is no longer running."""
        return self.process.poll() is not None


def start_child(name: str, command: Sequence[str], environment: Mapping[str, str], logs: Path) -> Child:
    """Run `command` with its output appended to `<logs>/<name>.log`; killed when we die. From the main thread."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{name.replace(' ', '-')}.log"
    return Child(name, command, environment, log, _start(command, environment, log))


def restart_child(child: Child) -> None:
    """Start an ended child again; ProgramEnded when that happens too often."""
    now = time.monotonic()
    child.restarts[:] = [moment for moment in child.restarts if now - moment < 60]
    if len(child.restarts) >= RESTARTS_PER_MINUTE:
        raise child.failure(f"ended {RESTARTS_PER_MINUTE + 1} times within a minute ({_cause(child)})")
    child.restarts.append(now)
    child.process = _start(child.command, child.environment, child.log)


def check_running(child: Child) -> None:
    """ProgramEnded when it is not running."""
    if child.ended():
        raise child.failure(f"ended while it was starting ({_cause(child)})")


def stop_child(child: Child, patience: float) -> None:
    """Ask it to end (SIGTERM), and kill it after `patience` seconds."""
    child.process.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.process.wait(patience)
    child.process.kill()
    child.process.wait()


def _cause(child: Child) -> str:
    code = child.process.returncode
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _start(command: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is ours to hear; we stop the children in order
            preexec_fn=signal_when_parent_dies(SIGKILL),
        )
