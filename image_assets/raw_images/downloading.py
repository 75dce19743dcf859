"""From fetched bytes to verdicts, in micro-batches: screening beside the fetching, with bounded memory.

Belongs here: judging what was fetched and cutting the stream of verdicts into batches by count, bytes and time.
Does not belong here: requests (the fetcher is a resource), the store, the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass

from image_assets.raw_images.screening import LIMIT_REASONS, Screening, ScreeningLimits, screen

BATCH_IMAGES = 200
BATCH_BYTES = 64 * 2**20
BATCH_SECONDS = 2.0


@dataclass(frozen=True)
class Said:
    """What the server said with an image: its validators, and the directives by which it opts out."""

    etag: str | None = None
    last_modified: str | None = None
    robots_tag: str | None = None


NOTHING_SAID = Said()

_NO_PICTURE_ANY_MORE = frozenset({"http_404", "http_410", "robots_tag"})


@dataclass(frozen=True)
class Arrived:
    """Bytes of one queued image, or why there are none. `final`: a refusal, never asked for again.

    Without bytes and without a reason the image is `unchanged` since it was fetched before.
    """

    fetch_key: str
    data: bytes | None
    reason: str | None
    final: bool
    attempts: int
    status: int | None
    said: Said = NOTHING_SAID


@dataclass(frozen=True)
class Judged:
    """The outcome of one queued image: `available`, `rejected`, `failed` or `unchanged`.

    `data` is kept (stored) only when `sha256` is set; `arrived_bytes` is what came, kept or not.
    """

    fetch_key: str
    outcome: str
    reason: str | None
    attempts: int
    status: int | None
    screening: Screening | None = None
    sha256: str | None = None
    data: bytes = b""
    arrived_bytes: int = 0
    said: Said = NOTHING_SAID

    @property
    def conclusive(self) -> bool:
        """Whether it may end a picture that was there before: another picture came, or the server says there is none.

        A refusal, a fault, a login or maintenance page and damaged bytes say nothing about the picture.
        """
        return self.sha256 is not None or self.reason in _NO_PICTURE_ANY_MORE


def judge(arrived: Arrived, limits: ScreeningLimits) -> Judged:
    """Screen what arrived. Bytes are kept when accepted, or refused for a limit that may change one day."""
    if arrived.data is None:
        outcome = "unchanged" if arrived.reason is None else "rejected" if arrived.final else "failed"
        return Judged(arrived.fetch_key, outcome, arrived.reason, arrived.attempts, arrived.status, said=arrived.said)
    screening = screen(arrived.data, limits)
    outcome = "available" if screening.accepted else "rejected"
    keep = screening.accepted or (screening.reason in LIMIT_REASONS and screening.width is not None)
    return Judged(
        arrived.fetch_key,
        outcome,
        screening.reason,
        arrived.attempts,
        arrived.status,
        screening,
        hashlib.sha256(arrived.data).hexdigest() if keep else None,
        arrived.data if keep else b"",
        len(arrived.data),
        arrived.said,
    )


async def judged_batches(
    arrivals: AsyncIterable[Arrived], judge_one: Callable[[Arrived], Judged], at_once: int
) -> AsyncIterator[list[Judged]]:
    """Judge arrivals, `at_once` at a time in threads, and hand them out in micro-batches in the order they finish.

    A batch is cut at BATCH_IMAGES, BATCH_BYTES, or BATCH_SECONDS after its first image, whichever comes first. While
    the consumer keeps a batch, at most `at_once` images are judged and the fetching waits.
    """
    # Unbounded, so that the end can be told even when nobody listens any more; the slots bound what is in it.
    finished: asyncio.Queue[Judged | None] = asyncio.Queue()
    slots = asyncio.Semaphore(at_once)

    async def judge_beside(arrived: Arrived) -> None:
        finished.put_nowait(await asyncio.to_thread(judge_one, arrived))

    async def judge_all() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                async for arrived in arrivals:
                    await slots.acquire()
                    group.create_task(judge_beside(arrived))
        finally:
            finished.put_nowait(None)

    producer = asyncio.create_task(judge_all())
    try:
        while batch := await _next_batch(finished, slots):
            yield batch
        await producer
    finally:
        producer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await producer


async def _next_batch(finished: asyncio.Queue[Judged | None], slots: asyncio.Semaphore) -> list[Judged]:
    """The next micro-batch, freeing the slot of each image in it; empty at the end of the stream."""
    batch: list[Judged] = []
    size = 0
    deadline: float | None = None
    while len(batch) < BATCH_IMAGES and size < BATCH_BYTES:
        try:
            async with asyncio.timeout_at(deadline):
                judged = await finished.get()
        except TimeoutError:
            break
        if judged is None:
            finished.put_nowait(None)
            break
        slots.release()
        batch.append(judged)
        size += len(judged.data)
        deadline = deadline or asyncio.get_running_loop().time() + BATCH_SECONDS
    return batch
