"""Workers live and die with the process that screens, whatever happens to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from image_files import bilevel_png, encoded
from pictures import drawn

_DECODING_BYTES = 150 * 2**20  # an idle worker is far smaller

_PRELUDE = """
import os, pathlib, resource, signal, sys, threading
from image_assets.raw_images import ScreeningLimits, screen
from image_assets.raw_images.decoder_pool import DecoderUnavailable
picture, slow = (pathlib.Path(name).read_bytes() for name in sys.argv[1:])
slow_limits = ScreeningLimits(max_pixels=10**9, decode_seconds=20)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The paths of a picture, and of one whose decode takes long."""
    folder = tmp_path_factory.mktemp("files")
    contents = {"picture.jpg": encoded("jpeg", drawn(1, 3000, 2000)), "slow.png": bilevel_png(20_000, 20_000)}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in contents]


def _start(program: str, files: list[str], *options: str) -> subprocess.Popen[str]:
    """A Python process of its own that screens."""
    return subprocess.Popen(
        [sys.executable, *options, "-c", _PRELUDE + program, *files],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _outcome(program: str, files: list[str], *options: str) -> str:
    """What a program that screens prints, when it ends well."""
    with _start(program, files, *options) as process:
        out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    return out.strip()


def _workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if "decoder_process" in " ".join(child.cmdline())]


def test_idle_workers_end_when_their_parent_is_killed(files: list[str]) -> None:
    with _start("print(screen(picture).accepted, flush=True); sys.stdin.read()", files) as parent:
        assert _said(parent) == "True"
        workers = _workers_of(parent)
        assert workers
        parent.kill()
        assert psutil.wait_procs(workers, timeout=10)[1] == []


def test_busy_workers_end_when_their_parent_is_killed(files: list[str]) -> None:
    program = """
for _ in range(4):
    threading.Thread(target=lambda: [screen(slow, slow_limits) for _ in range(100)]).start()
print("started", flush=True)
"""
    with _start(program, files) as parent:
        assert _said(parent) == "started"
        workers = _workers_of(parent)
        while not any(worker.memory_info().rss > _DECODING_BYTES for worker in workers):
            psutil.wait_procs(workers, timeout=0.01)
            workers = _workers_of(parent)
        parent.kill()
        assert psutil.wait_procs(workers, timeout=30)[1] == []


def test_workers_end_with_a_parent_that_ends_by_itself(files: list[str]) -> None:
    program = """
print(screen(picture).accepted)
print(*[child.pid for child in __import__("psutil").Process().children()])
"""
    accepted, pids = _outcome(program, files).splitlines()
    assert accepted == "True"
    assert pids
    assert not any(psutil.pid_exists(int(pid)) for pid in pids.split())


def test_a_forked_process_has_workers_of_its_own(files: list[str]) -> None:
    program = """
assert screen(picture).accepted
forked = os.fork()
if not forked:
    os._exit(0 if screen(picture).accepted else 1)
same = [screen(picture).accepted for _ in range(5)]
print(os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]), all(same))
"""
    assert _outcome(program, files) == "0 True"


def test_a_forked_process_does_not_keep_its_parents_workers_alive(files: list[str]) -> None:
    program = """
assert screen(picture).accepted
line = f"forked {os.fork() and 'parent'}\\n"
os.write(1, line.encode())  # at once, or the two lines mix
sys.stdin.read()
"""
    with _start(program, files) as parent:
        assert {_said(parent), _said(parent)} == {"forked parent", "forked 0"}
        workers = _workers_of(parent)
        assert workers
        parent.kill()
        # The forked process still reads from the same standard input, and so lives on.
        assert psutil.wait_procs(workers, timeout=10)[1] == []


def test_a_decode_that_gets_no_memory_is_a_verdict(files: list[str]) -> None:
    program = """
resource.setrlimit(resource.RLIMIT_AS, (200 * 2**20, 200 * 2**20))
print(*vars(screen(slow, slow_limits)).values())
print(screen(picture).accepted)
"""
    assert _outcome(program, files).splitlines() == ["False decoder_memory png 20000 20000 None", "True"]


def test_workers_ignore_the_signal_handling_of_their_parent(files: list[str]) -> None:
    program = """
for deaf in (signal.SIGPROF, signal.SIGALRM):
    signal.signal(deaf, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGPROF, signal.SIGALRM))
print(screen(slow, ScreeningLimits(max_pixels=10**9, decode_seconds=0.05)).reason)
"""
    assert _outcome(program, files) == "decoder_timeout"


def test_a_machine_that_cannot_run_workers_is_not_the_images_fault(files: list[str], tmp_path: Path) -> None:
    program = f"""
os.environ["PYTHONPATH"] = {str(tmp_path)!r}
try:
    print(screen(picture))
except DecoderUnavailable as error:
    print(error)
"""
    # Comes before Pillow on the workers' path, after it on ours.
    (tmp_path / "PIL.py").write_text("raise ImportError('Pillow is broken here')")
    assert "Pillow is broken here" in _outcome(program, files)


def test_workers_load_the_codecs_and_little_else() -> None:
    program = """
import sys, image_assets.raw_images.decoder_process
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert {"PIL", "simplejpeg"} <= set(loaded)
    assert not {"dagster", "pandas", "numba", "sqlalchemy", "aiohttp", "asyncio"} & set(loaded)
