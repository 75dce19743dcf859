"""Decoder workers: started on demand, reused, replaced when they are lost.

Workers are plain child processes over pipes, not `multiprocessing`: a Dagster run is often itself such a child, and has
threads. Safe to call from many threads at once; a process forked from this one starts with workers of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from image_assets.raw_images.decoder_protocol import READY, REPLY, parse_reply, request_head, wall_seconds
from image_assets.raw_images.verdicts import ImageFormat, Reason, Screening, ScreeningLimits

IMAGES_PER_WORKER = 1000
"""Workers are replaced after so many images, so that what a codec leaks is given back."""

_START_SECONDS = 60
_START_ATTEMPTS = 3
_GRACE_SECONDS = 1.0  # after the worker's own wall limit
_PIPE_BYTES = 2**20  # most files go through in one write
_PACKAGE_ROOT = str(Path(__file__).parents[2])


class DecoderUnavailable(OSError):
    """No worker can be started. This is a fault of the machine or the installation, and says nothing about an image."""


def decode_in_worker(data: bytes, image_format: ImageFormat, limits: ScreeningLimits) -> Screening:
    """The verdict of a worker process; waits for a free one.

    A lost worker is the image's fault only if it happens again in a fresh one: an outsider may have killed the first.
    Errors: DecoderUnavailable.
    """
    return _pool.decode(data, image_format, limits)


@dataclass(frozen=True)
class _Answer:
    """A verdict; `again` when somebody else than the image may be at fault, and a fresh worker shall be asked."""

    screening: Screening
    again: bool = False


class _Worker:
    """One child process, used by one thread at a time."""

    def __init__(self) -> None:
        path = os.pathsep.join(filter(None, (_PACKAGE_ROOT, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "image_assets.raw_images.decoder_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            # numpy comes with a codec; its BLAS would take address space for every core from the worker's limit.
            env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._pipes = [
            pipe for pipe in (self._process.stdin, self._process.stdout, self._process.stderr) if pipe is not None
        ]
        self._requests, self._replies, self._errors = (pipe.fileno() for pipe in self._pipes)
        self._writable, self._readable = select.poll(), select.poll()
        self._writable.register(self._requests, select.POLLOUT)
        self._readable.register(self._replies, select.POLLIN)
        os.set_blocking(self._requests, False)
        # More than a user's share of pipe memory is refused; the usual 64 KiB do as well.
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(self._requests, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._images = 0
        self._lost = False
        self._greet()

    def _greet(self) -> None:
        try:
            ready = self._read(len(READY), time.monotonic() + _START_SECONDS) == READY
        except (EOFError, TimeoutError):
            ready = False
        if not ready:
            self.kill()
            said = os.read(self._errors, 4000).decode(errors="replace").strip()
            self.close()
            raise DecoderUnavailable(f"a decoder worker does not start: {said or 'it says nothing'}")

    def decode(self, data: bytes, image_format: ImageFormat, limits: ScreeningLimits) -> _Answer:
        """The verdict. The loss of the worker is one too, with the size if it was known by then."""
        known = Screening(False, None, image_format)
        head = request_head(data, image_format, limits)
        deadline = time.monotonic() + wall_seconds(limits) + _GRACE_SECONDS
        self._images += 1
        try:
            self._write(head, deadline)
            self._write(data, deadline)
            final = False
            while not final:
                final, known = parse_reply(self._read(REPLY.size, deadline), image_format)
        except TimeoutError:
            self._lost = True
            return _Answer(replace(known, reason="decoder_timeout"), again=True)
        except (BrokenPipeError, EOFError, ValueError):
            self._lost = True
            reason, again = self._cause_of_death()
            return _Answer(replace(known, reason=reason), again)
        # What ran out of memory may have left a codec in disorder.
        self._lost = known.reason == "decoder_memory" and known.memory_needed is None
        return _Answer(known, again=self._lost)

    def reusable(self) -> bool:
        return not self._lost and self._images < IMAGES_PER_WORKER and self._process.poll() is None

    def kill(self) -> None:
        """End the process at once; it holds nothing worth keeping."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Give the pipes back, whatever becomes of the process."""
        for pipe in self._pipes:
            pipe.close()

    def _cause_of_death(self) -> tuple[Reason, bool]:
        """(reason, whether somebody else may be at fault)"""
        try:
            ended_by = -self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return "decoder_crashed", True  # it lives and talks nonsense
        if ended_by == signal.SIGPROF:
            return "decoder_timeout", False
        if ended_by == signal.SIGALRM:
            return "decoder_timeout", True
        # SIGKILL comes from the kernel when memory runs out.
        return ("decoder_memory" if ended_by == signal.SIGKILL else "decoder_crashed"), True

    def _write(self, data: bytes, deadline: float) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._requests, rest) :]
            except BlockingIOError:
                _wait(self._writable, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        # Messages are shorter than PIPE_BUF, so each arrives whole.
        _wait(self._readable, deadline)
        message = os.read(self._replies, size)
        if not message:
            raise EOFError
        return message


def _wait(pipe: select.poll, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0 or not pipe.poll(math.ceil(left * 1000)):
        raise TimeoutError


class _Pool:
    """As many workers as there are processors to run them; the one used last is used next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free = _processors()
        self._waiting: deque[threading.Lock] = deque()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()

    def decode(self, data: bytes, image_format: ImageFormat, limits: ScreeningLimits) -> Screening:
        with self._turn():
            answer = self._ask(self._take(), data, image_format, limits)
            if answer.again:
                answer = self._ask(self._start(), data, image_format, limits)
        return answer.screening

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """One of the places at work, first come first served: a semaphore would let a busy thread starve the others."""
        turn = threading.Lock()
        turn.acquire()
        with self._lock:
            if self._free and not self._waiting:
                self._free -= 1
                turn.release()
            else:
                self._waiting.append(turn)
        try:
            turn.acquire()
            yield
        finally:
            with self._lock:
                if turn in self._waiting:  # interrupted while waiting
                    self._waiting.remove(turn)
                elif self._waiting:
                    self._waiting.popleft().release()
                else:
                    self._free += 1

    def kill_all(self) -> None:
        for worker in tuple(self._all):
            worker.kill()

    def forget_all(self) -> None:
        """In a forked process: the workers are its parent's."""
        for worker in tuple(self._all):
            worker.close()

    def _ask(self, worker: _Worker, data: bytes, image_format: ImageFormat, limits: ScreeningLimits) -> _Answer:
        try:
            answer = worker.decode(data, image_format, limits)
        except BaseException:
            self._drop(worker)  # interrupted: it may be anywhere in its work
            raise
        if worker.reusable():
            with self._lock:
                self._idle.append(worker)
        else:
            self._drop(worker)
        return answer

    def _take(self) -> _Worker:
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                return self._start()
            if worker.reusable():
                return worker
            self._drop(worker)

    def _start(self) -> _Worker:
        attempts_left = _START_ATTEMPTS
        while True:
            attempts_left -= 1
            try:
                worker = _Worker()
            except DecoderUnavailable:
                if not attempts_left:
                    raise
            except OSError as error:
                raise DecoderUnavailable(f"no decoder worker can be started: {error}") from error
            else:
                with self._lock:
                    self._all.add(worker)
                return worker

    def _drop(self, worker: _Worker) -> None:
        worker.kill()
        worker.close()
        with self._lock:
            self._all.discard(worker)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: what this process may use
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_pool = _Pool()


def _start_anew() -> None:
    global _pool
    _pool.forget_all()
    _pool = _Pool()


os.register_at_fork(after_in_child=_start_anew)
atexit.register(lambda: _pool.kill_all())
