"""Worker processes that are lost, starved, many, or orphaned: always a verdict, never a process left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest
from image_files import FORMATS, bilevel_png, encoded
from pictures import drawn

from image_assets.raw_images import Screening, ScreeningLimits, screen
from image_assets.raw_images.decoder_pool import IMAGES_PER_WORKER

_SLOW_LIMITS = ScreeningLimits(max_pixels=10**9, decode_seconds=60)
_DECODING_BYTES = 150 * 2**20  # an idle worker is far smaller; only one that decodes a slow picture grows so large
_SLOW_SIZE = (20_000, 20_000)


@pytest.fixture(scope="module")
def slow() -> bytes:
    """A picture whose decode takes long enough to meddle with it."""
    return bilevel_png(*_SLOW_SIZE)


@pytest.fixture(scope="module")
def quick() -> bytes:
    return encoded("jpeg", drawn(1, 400, 300))


def _workers(parent: int | None = None) -> list[psutil.Process]:
    children = psutil.Process(parent).children()
    return [child for child in children if child.is_running() and "decoder_process" in " ".join(child.cmdline())]


@contextmanager
def _meddling(sent: signal.Signals, times: int) -> Iterator[list[int]]:
    """Send a signal to the first `times` workers that are seen decoding the slow picture."""
    met: list[int] = []
    done = threading.Event()

    def meddle() -> None:
        while len(met) < times and not done.wait(0.002):
            for worker in _workers():
                try:
                    if worker.pid not in met and worker.memory_info().rss > _DECODING_BYTES:
                        met.append(worker.pid)
                        worker.send_signal(sent)
                except psutil.NoSuchProcess:
                    continue

    thread = threading.Thread(target=meddle)
    thread.start()
    try:
        yield met
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("sent", [signal.SIGSEGV, signal.SIGKILL, signal.SIGALRM])
def test_a_worker_lost_once_costs_no_image(slow: bytes, quick: bytes, sent: signal.Signals) -> None:
    with _meddling(sent, times=1) as met:
        screening = screen(slow, _SLOW_LIMITS)
    assert len(met) == 1
    assert screening == Screening(True, None, "png", *_SLOW_SIZE)
    assert screen(quick).accepted


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (signal.SIGSEGV, "decoder_crashed"),
        (signal.SIGABRT, "decoder_crashed"),
        (signal.SIGKILL, "decoder_memory"),
        (signal.SIGALRM, "decoder_timeout"),
    ],
)
def test_a_worker_lost_twice_is_the_images_fault(
    slow: bytes, quick: bytes, sent: signal.Signals, reason: str
) -> None:
    with _meddling(sent, times=2) as met:
        screening = screen(slow, _SLOW_LIMITS)
    assert len(set(met)) == 2
    assert screening == Screening(False, reason, "png", *_SLOW_SIZE)  # type: ignore[arg-type]
    assert screen(quick).accepted


def test_a_worker_that_stands_still_is_replaced(quick: bytes) -> None:
    assert screen(quick).accepted
    stopped = _workers()
    for worker in stopped:
        worker.suspend()
    large = quick + bytes(3 * 2**20)  # more than a pipe holds, so that the sending stops too
    assert screen(large, ScreeningLimits(decode_seconds=0.2)).accepted
    assert any(not worker.is_running() for worker in stopped)
    for worker in stopped:
        if worker.is_running():
            worker.kill()


def test_workers_killed_while_idle_are_not_noticed(quick: bytes) -> None:
    assert screen(quick).accepted
    gone = _workers()
    for worker in gone:
        worker.kill()
    psutil.wait_procs(gone, timeout=0.5)
    assert screen(quick).accepted


def test_lost_workers_leave_no_files_open(slow: bytes, quick: bytes) -> None:
    assert screen(quick).accepted
    before = psutil.Process().num_fds()
    for _ in range(5):
        assert screen(slow, ScreeningLimits(max_pixels=10**9, decode_seconds=0.02)).reason == "decoder_timeout"
    assert screen(quick).accepted
    assert psutil.Process().num_fds() <= before


def test_workers_are_replaced_after_many_images() -> None:
    tiny = encoded("gif", drawn(1, 300, 200))
    seen: set[int] = set()
    for number in range(IMAGES_PER_WORKER + 1):
        assert screen(tiny).accepted
        if number % IMAGES_PER_WORKER == 0:
            seen.add(max(worker.pid for worker in _workers()))
    assert len(seen) == 2


def test_many_threads_each_get_their_own_verdict() -> None:
    sizes = [(300 + 7 * number, 200 + 3 * number) for number in range(40)]
    files = [encoded(FORMATS[number % 5], drawn(number, *size)) for number, size in enumerate(sizes)]
    broken = [data[: len(data) // 2] for data in files]
    with ThreadPoolExecutor(32) as threads:
        screenings = list(threads.map(screen, [*files, *broken] * 3))
    expected = [Screening(True, None, FORMATS[n % 5], *size) for n, size in enumerate(sizes)]  # type: ignore[arg-type]
    for repeat in range(3):
        judged = screenings[repeat * 80 : repeat * 80 + 80]
        assert judged[:40] == expected
        assert {screening.reason for screening in judged[40:]} == {"truncated"}
    assert len(_workers()) <= len(os.sched_getaffinity(0))


def _parent(tmp_path: os.PathLike[str], program: str, *files: bytes) -> subprocess.Popen[str]:
    """A Python process of its own that screens; `data` holds the files."""
    names = []
    for number, data in enumerate(files):
        names.append(os.path.join(tmp_path, f"{number}.bin"))  # noqa: PTH118
        with open(names[-1], "wb") as file:  # noqa: PTH123
            file.write(data)
    prelude = (
        "import os, pathlib, sys, threading\n"
        "from image_assets.raw_images import ScreeningLimits, screen\n"
        "data = [pathlib.Path(name).read_bytes() for name in sys.argv[1:]]\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", prelude + program, *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _line(parent: subprocess.Popen[str]) -> str:
    assert parent.stdout is not None
    return parent.stdout.readline().strip()
