"""Compiled loops: their code is kept from one process to the next, and compiled anew when any source of it changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OUTER = """
from image_assets.compiling import compiled
from inner import plus
from numbers_of_inner import LESS

@compiled
def twice(x):
    return 2 * plus(x) - LESS

print(twice(20.0), sum(twice.stats.cache_hits.values()))
"""
INNER = """
from image_assets.compiling import compiled

@compiled
def plus(x):
    return x + 1
"""
NUMBERS = "LESS = 0"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for name, text in (("outer", OUTER), ("inner", INNER), ("numbers_of_inner", NUMBERS)):
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def result_and_hits(sources: Path) -> tuple[float, int]:
    """What the outer loop gives in a process of its own, and how often its code was there already."""
    # A file that changes within a second and keeps its size looks the same to Python's own cache.
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(sources), *sys.path]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run = subprocess.run(
        [sys.executable, "-c", "import outer"], env=environment, cwd=sources, capture_output=True, text=True, check=True
    )
    result, hits = run.stdout.split()
    return float(result), int(hits)


def test_a_loop_is_compiled_once_and_for_all_processes(sources: Path) -> None:
    assert [result_and_hits(sources) for _ in range(2)] == [(42, 0), (42, 1)]


@pytest.mark.parametrize(
    ("name", "old", "new", "result"),
    [("inner", "x + 1", "x + 3", 46), ("outer", "2 *", "3 *", 63), ("numbers_of_inner", "LESS = 0", "LESS = 2", 40)],
)
def test_a_loop_is_compiled_anew_when_it_or_what_it_calls_or_a_number_in_it_changed(
    sources: Path, name: str, old: str, new: str, result: float
) -> None:
    assert result_and_hits(sources) == (42, 0)
    changed = sources / f"{name}.py"
    changed.write_text(changed.read_text().replace(old, new))
    assert [result_and_hits(sources) for _ in range(2)] == [(result, 0), (result, 1)]
