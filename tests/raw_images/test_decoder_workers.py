"""Workers that crash, stand still, are killed or replaced: always a verdict, and the next image goes on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

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


def _workers() -> list[psutil.Process]:
    workers = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # ended meanwhile
            if "decoder_process" in " ".join(child.cmdline()):
                workers.append(child)
    return workers


@contextmanager
def _meddling(sent: signal.Signals, times: int) -> Iterator[list[int]]:
    """Send a signal to the first `times` workers that are seen decoding the slow picture."""
    met: list[int] = []
    done = threading.Event()

    def meddle() -> None:
        while len(met) < times and not done.wait(0.002):
            for worker in _workers():
                with suppress(psutil.Error):
                    if worker.pid not in met and worker.memory_info().rss > _DECODING_BYTES:
                        worker.send_signal(sent)
                        met.append(worker.pid)

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
def test_a_worker_lost_twice_is_the_images_fault(slow: bytes, quick: bytes, sent: signal.Signals, reason: str) -> None:
    with _meddling(sent, times=2) as met:
        screening = screen(slow, _SLOW_LIMITS)
    assert len(set(met)) == 2
    assert screening == Screening(False, reason, "png", *_SLOW_SIZE)  # type: ignore[arg-type]
    assert screen(quick).accepted


@pytest.mark.parametrize("padding", [0, 3 * 2**20])
def test_a_worker_that_stands_still_is_replaced(quick: bytes, padding: int) -> None:
    """With more padding than a pipe holds, the sending stands still; with none, the answer does not come."""
    assert screen(quick).accepted
    stopped = _workers()
    for worker in stopped:
        worker.suspend()
    assert screen(quick + bytes(padding), ScreeningLimits(decode_seconds=0.2)).accepted
    assert any(not worker.is_running() for worker in stopped)
    for worker in stopped:
        if worker.is_running():
            worker.kill()


def test_a_worker_may_use_memory_for_the_pixels_of_its_picture_and_leaves_no_core(quick: bytes) -> None:
    def limits() -> list[int]:
        return [worker.rlimit(psutil.RLIMIT_AS)[0] for worker in _workers()]

    assert screen(quick).accepted
    assert 512 * 2**20 < min(limits()) < 600 * 2**20
    assert screen(bilevel_png(6000, 5000)).accepted
    assert 512 * 2**20 + 32 * 30_000_000 < max(limits()) < 2**31
    assert {worker.rlimit(psutil.RLIMIT_CORE) for worker in _workers()} == {(0, 0)}


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


def test_threads_are_served_in_turn(quick: bytes) -> None:
    """Each of many threads with an endless supply of images gets its share."""
    served: list[int] = []

    def keep_screening(number: int) -> None:
        while len(served) < 400:
            assert screen(quick).accepted
            served.append(number)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(screen, [quick] * 100))  # whoever starts a worker waits for it: not what is asked here
        list(threads.map(keep_screening, range(8)))
    assert min(served.count(number) for number in range(8)) >= 20


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
