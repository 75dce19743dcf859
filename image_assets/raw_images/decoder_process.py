"""The program of a decoder worker: `python -m image_assets.raw_images.decoder_process`.

One image at a time, from standard input to standard output, each under limits of memory, CPU time and wall time that
the kernel enforces; it ends when its input ends, so it never outlives its parent. Imports only the codecs and the
standard library: a worker must start fast and stay small.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from functools import partial
from pathlib import Path
from typing import BinaryIO

from image_assets.raw_images.decoder_protocol import (
    READY,
    REQUEST,
    parse_head,
    size_reply,
    verdict_reply,
    wall_seconds,
)
from image_assets.raw_images.decoding import configure_pillow, decode
from image_assets.raw_images.verdicts import ScreeningLimits

# Address space, which is never less than the memory in use, and the kernel refuses it at the very allocation.
_BASE_BYTES = 512 * 2**20
_BYTES_PER_PIXEL = 32  # WebP, the hungriest measured, needs 16; AVIF of more than 8 bits goes beyond


def serve(requests: BinaryIO, replies: int) -> None:
    """Answer requests until the input ends."""
    os.write(replies, READY)
    while len(lengths := requests.read(REQUEST.size)) == REQUEST.size:
        head_length, data_length = REQUEST.unpack(lengths)
        image_format, limits = parse_head(requests.read(head_length))
        _limit_memory(data_length, limits.max_pixels)
        _limit_time(limits.decode_seconds, wall_seconds(limits))
        data = requests.read(data_length)
        if len(data) < data_length:
            return
        screening = decode(data, image_format, limits, partial(_measured, replies, data_length, limits))
        del data
        _limit_time(0, 0)
        os.write(replies, verdict_reply(screening))


def _measured(replies: int, data_length: int, limits: ScreeningLimits, width: int, height: int) -> None:
    """Tell the size, and leave no more memory than a picture of that size can need: a small one gets little."""
    os.write(replies, size_reply(width, height))
    _limit_memory(data_length, min(width * height, limits.max_pixels))


def _limit_memory(data_length: int, pixels: int) -> None:
    wanted = _BASE_BYTES + 4 * data_length + _BYTES_PER_PIXEL * pixels
    # macOS knows no such limit and says so by an error.
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _limit_time(cpu: float, wall: float) -> None:
    """Die by SIGPROF after `cpu` seconds of CPU time, by SIGALRM after `wall` seconds; zeros switch both off."""
    signal.setitimer(signal.ITIMER_PROF, cpu)
    signal.setitimer(signal.ITIMER_REAL, wall)


def _confine() -> None:
    """Set up what holds for the whole life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the parent, whose end we notice
    for deadly in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(deadly, signal.SIG_DFL)  # kills inside a codec too, where Python's handlers wait
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for none in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(none, (0, 0))
    # When memory runs out, the kernel shall take a worker and not the pipeline.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main() -> None:
    replies = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    _confine()
    configure_pillow()
    with os.fdopen(os.dup(0), "rb") as requests:
        # What codecs print must not reach the replies, nor fill a pipe that nobody reads.
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        serve(requests, replies)


if __name__ == "__main__":
    main()
