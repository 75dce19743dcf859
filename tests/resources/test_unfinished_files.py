"""A local store after its writer was killed: no part of a file stays, no living writer's file goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resources.object_store import ObjectStore, open_store
from resources.unfinished_files import FOLDER, unfinished_key

WRITER = """
import sys, time
from resources.unfinished_files import unfinished_key
from pathlib import Path
path = Path(sys.argv[1]) / unfinished_key()
path.write_bytes(b"half")
Path(str(path) + "#1").write_bytes(b"ha")
print("written", flush=True)
time.sleep(600)
"""


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_a_killed_writer_left_is_gone_when_the_store_is_opened_again(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "written\n"
    open_store(tmp_path.as_uri())
    assert len(files(tmp_path)) == 2, "its writer lives"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    open_store(tmp_path.as_uri())
    assert files(tmp_path) == []


def test_files_of_other_machines_and_of_this_process_stay(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    for name in (unfinished_key(), f"{FOLDER}/elsewhere~1~1.00~{'a' * 32}", f"{FOLDER}/what is this"):
        (tmp_path / name).write_bytes(b"half")
    open_store(tmp_path.as_uri())
    assert len(files(tmp_path)) == 3


def test_writing_leaves_nothing_beside_the_object(store: ObjectStore, tmp_path: Path) -> None:
    local = tmp_path / "file"
    local.write_bytes(b"from a file")
    store.put("a/b/one", b"1")
    store.put("a/b/one", b"2")
    store.put_file("a/two", local)
    assert store.get("a/b/one") == b"2"
    assert store.get("a/two") == b"from a file"
    assert sorted(item.key for item in store.objects("")) == ["a/b/one", "a/two"]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path.as_uri())
    store.put("a", b"in the way of a folder")
    with pytest.raises(OSError, match="a/b"):
        store.put("a/b", b"1")
    with pytest.raises(OSError, match="none"):
        store.put_file("c", tmp_path / "none")
    assert files(tmp_path) == [tmp_path / "a"]


@pytest.mark.parametrize("key", ["", "a//b", "../a", "a/./b", "a\nb", "a/b#1"])
def test_a_key_that_could_not_be_read_is_not_written(tmp_path: Path, key: str) -> None:
    store = open_store((tmp_path / "store").as_uri())
    with pytest.raises(ValueError, match="is no key"):
        store.put(key, b"1")
    assert files(tmp_path) == []
