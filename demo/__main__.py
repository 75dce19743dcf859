"""`python -m demo`: play both weeks against the real pipeline, tell what happened, and check it.

Exit code 0 only when the outcome is the expected one. Everything lies under `var/demo`, made anew each time.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from urllib.parse import quote

import yaml

from demo import narration
from demo.catalogue_files import write_week
from demo.expectations import ExpectedWeek, compare, expected_weeks
from demo.folder import FolderInUse, empty_folder
from demo.hotels import PARTNERS
from demo.outcome import WeekOutcome, open_ledger, read_outcome
from demo.partner_server import PartnerServer, partner_server
from demo.photographs import photograph_folder
from demo.scenario import Week, two_weeks

PROJECT = Path(__file__).resolve().parent.parent
_SHARDS = "2"


class RunFailed(RuntimeError):
    """`image-assets run --until-idle` ended with an error; it has said why."""


def main() -> int:
    """Play the demo. Returns the exit code."""
    signal.signal(signal.SIGTERM, _stop)
    began = time.monotonic()
    try:
        with empty_folder(PROJECT / "var" / "demo") as home:
            return _play(home, began)
    except (FolderInUse, RunFailed) as problem:
        print(f"\n{problem}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    return 1


def _play(home: Path, began: float) -> int:
    photographs = photograph_folder()
    _say(narration.opening(photographs is not None))
    weeks = two_weeks()
    partners_file = _write_partners(home)
    environment = _environment(home, partners_file)
    outcomes: list[WeekOutcome] = []
    right = True
    with partner_server(photographs) as server:
        expected = expected_weeks(weeks, server.host)
        for week, introduce, outlook in zip(
            weeks, (narration.week_one_begins, narration.week_two_begins), expected, strict=True
        ):
            _say(introduce(week))
            outcome = _play_week(home / "store", week, server, environment)
            _say(narration.stage_by_stage(week, outcome, outcomes[-1] if outcomes else None))
            right &= _judge(week, outlook, outcome, outcomes, server.host)
            outcomes.append(outcome)
    _say(narration.closing(outcomes[-1], _ui_command(home, partners_file), time.monotonic() - began))
    return 0 if right else 1


def _play_week(store: Path, week: Week, server: PartnerServer, environment: Mapping[str, str]) -> WeekOutcome:
    server.play(week)
    write_week(store, week, server.host)
    _say("\n$ image-assets run --until-idle")
    command = [sys.executable, "-m", "image_assets.cli", "run", "--until-idle"]
    with subprocess.Popen(command, env=dict(environment), cwd=PROJECT) as run:
        try:
            code = run.wait()
        except BaseException:
            run.terminate()
            raise
    if code != 0:
        raise RunFailed(f"image-assets run --until-idle ended with exit code {code}; the demo ends here.")
    with open_ledger(store.parent) as connection:
        return read_outcome(connection, store, week.week_id, server.requests())


def _judge(week: Week, expected: ExpectedWeek, outcome: WeekOutcome, earlier: list[WeekOutcome], host: str) -> bool:
    published_before = frozenset().union(*(past.published for past in earlier))
    findings = compare(expected, outcome, published_before, host)
    _say(narration.verdict(week, findings))
    return all(finding.holds for finding in findings)


def _write_partners(home: Path) -> Path:
    """The pipeline refuses private addresses unless told otherwise, and the demo's server has one."""
    settings = {"allow_private_addresses": True, "allowed_hosts": ["127.0.0.1"]}
    path = home / "partners.yaml"
    path.write_text(
        yaml.safe_dump({"partners": {partner.partner_id: dict(settings) for partner in PARTNERS}}, allow_unicode=True)
    )
    return path


def _environment(home: Path, partners_file: Path) -> dict[str, str]:
    """Ours, with all that places the pipeline set for the demo: nobody's own database or store is touched."""
    own = ("DATABASE_URL", "RENDITIONS_FILE", "RELEASE_WAIT", "DAGSTER_HOME")
    return {
        **{name: value for name, value in os.environ.items() if name not in own},
        "IMAGE_ASSETS_HOME": str(home),
        "IMAGE_STORE_URL": "file://" + quote(str(home / "store")),
        "PARTNERS_FILE": str(partners_file),
        "HOTEL_SHARDS": _SHARDS,
    }


def _ui_command(home: Path, partners_file: Path) -> str:
    """One line for the shell, from the current folder; what is set otherwise there is set back to its default."""
    settings = {
        "IMAGE_ASSETS_HOME": _from_here(home),
        "PARTNERS_FILE": _from_here(partners_file),
        "HOTEL_SHARDS": _SHARDS,
        **{name: "" for name in ("IMAGE_STORE_URL", "DATABASE_URL", "RENDITIONS_FILE") if os.environ.get(name)},
    }
    program = Path(sys.executable).with_name("image-assets")
    assignments = " ".join(f"{name}={shlex.quote(value) if value else ''}" for name, value in settings.items())
    return f"{assignments} {shlex.quote(_from_here(program))} dev"


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _say(text: str) -> None:
    print(text, flush=True)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
