"""The demo's folder: emptied each time, and never taken from under a running program."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from demo.folder import FolderInUse, empty_folder
from image_assets.supervision import acquire_supervision


def test_the_folder_is_emptied_each_time(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with empty_folder(folder):
        (folder / "store").mkdir()
        (folder / "store" / "left.txt").touch()
    with empty_folder(folder):
        assert not (folder / "store").exists()


def _hold_as_demo(folder: Path, held: Event, done: Event) -> None:
    with empty_folder(folder):
        held.set()
        done.wait(60)


def _hold_as_command(folder: Path, held: Event, done: Event) -> None:
    with acquire_supervision(folder):
        held.set()
        done.wait(60)


@contextmanager
def _running(target: Callable[[Path, Event, Event], None], folder: Path) -> Iterator[int | None]:
    """Another process that works in the folder while the block runs; its id."""
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    process = context.Process(target=target, args=(folder, held, done))
    process.start()
    try:
        assert held.wait(60)
        yield process.pid
    finally:
        done.set()
        process.join(60)


@pytest.mark.parametrize("other", [_hold_as_demo, _hold_as_command])
def test_a_running_program_is_named_and_left_alone(other: Callable[[Path, Event, Event], None], tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with _running(other, folder) as pid:
        (folder / "theirs.txt").touch()
        with pytest.raises(FolderInUse, match=f"process {pid}"), empty_folder(folder):
            pass
        assert (folder / "theirs.txt").exists()
    with empty_folder(folder):
        assert not (folder / "theirs.txt").exists()
