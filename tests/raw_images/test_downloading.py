"""From arrivals to micro-batches of verdicts: cut by count, bytes and time, bounded, and never hanging."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

import pytest
from image_files import avif_that_claims
from pictures import drawn, jpeg

from image_assets.raw_images import ScreeningLimits, downloading
from image_assets.raw_images.downloading import Arrived, Judged, judge, judged_batches

T = TypeVar("T")
LIMITS = ScreeningLimits()
judge_within_limits = partial(judge, limits=LIMITS)
# A test that hangs fails after this; nothing waits for it to pass.
_PATIENCE = 60.0


def absent(number: int) -> Arrived:
    """An image that never arrived: judged at once."""
    return Arrived(str(number), None, "http_404", True, 1, 404)


def picture(number: int) -> Arrived:
    return Arrived(str(number), jpeg(drawn(number)), None, True, 1, 200)


async def stream(arrivals: Sequence[Arrived]) -> AsyncIterator[Arrived]:
    for arrived in arrivals:
        yield arrived


async def collect(arrivals: AsyncIterator[Arrived], at_once: int = 4) -> list[list[Judged]]:
    return [batch async for batch in judged_batches(arrivals, judge_within_limits, at_once)]


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function, and fail where it hangs."""

    async def bounded() -> T:
        async with asyncio.timeout(_PATIENCE):
            return await main()

    return asyncio.run(bounded())


async def until_quiet(state: Callable[[], T]) -> T:
    """What `state` says when it has not changed for many rounds of the event loop and its threads."""
    last, unchanged = state(), 0
    while unchanged < 20:
        await asyncio.to_thread(lambda: None)
        await asyncio.sleep(0)
        unchanged = unchanged + 1 if state() == last else 0
        last = state()
    return last


def test_an_accepted_picture_is_available_under_the_digest_of_its_bytes() -> None:
    data = jpeg(drawn(1))
    judged = judge(Arrived("k", data, None, True, 2, 200), LIMITS)
    assert (judged.outcome, judged.reason, judged.attempts, judged.status) == ("available", None, 2, 200)
    assert (judged.sha256, judged.data) == (hashlib.sha256(data).hexdigest(), data)


def test_a_picture_below_a_limit_is_rejected_but_its_bytes_are_kept() -> None:
    data = jpeg(drawn(1, 240, 100))
    judged = judge(Arrived("k", data, None, True, 1, 200), LIMITS)
    assert (judged.outcome, judged.data) == ("rejected", data)
    assert judged.sha256 == hashlib.sha256(data).hexdigest()


def test_a_picture_whose_decode_would_take_too_much_memory_is_rejected_but_its_bytes_are_kept() -> None:
    data = avif_that_claims(8000, 6000, "4:4:4")
    judged = judge(Arrived("k", data, None, True, 1, 200), LIMITS)
    assert (judged.outcome, judged.reason, judged.data) == ("rejected", "decoder_memory", data)
    assert judged.sha256 == hashlib.sha256(data).hexdigest()


def test_bytes_that_are_no_picture_are_rejected_and_not_kept() -> None:
    judged = judge(Arrived("k", b"<html>not found</html>", None, True, 1, 200), LIMITS)
    assert (judged.outcome, judged.sha256, judged.data) == ("rejected", None, b"")
    assert judged.reason


@pytest.mark.parametrize(("final", "outcome"), [(True, "rejected"), (False, "failed")])
def test_a_refusal_is_final_and_a_fault_is_not(final: bool, outcome: str) -> None:
    judged = judge(Arrived("k", None, "http_x", final, 3, 500), LIMITS)
    assert (judged.outcome, judged.reason, judged.attempts, judged.status) == (outcome, "http_x", 3, 500)


def test_every_arrival_is_in_exactly_one_batch_whatever_arrives() -> None:
    arrivals = [picture(n) if n % 3 else absent(n) for n in range(30)]
    batches = run(lambda: collect(stream(arrivals)))
    assert sorted(judged.fetch_key for batch in batches for judged in batch) == sorted(str(n) for n in range(30))
    assert all(batches)


def test_an_empty_stream_has_no_batches() -> None:
    assert run(lambda: collect(stream([]))) == []


def test_a_batch_is_cut_at_its_number_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "BATCH_IMAGES", 5)
    assert [len(b) for b in run(lambda: collect(stream([absent(n) for n in range(12)])))] == [5, 5, 2]


def test_a_batch_is_cut_when_it_holds_enough_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    arrivals = [picture(n) for n in range(6)]
    sizes = [len(arrived.data or b"") for arrived in arrivals]
    monkeypatch.setattr(downloading, "BATCH_BYTES", 2 * min(sizes))
    batches = run(lambda: collect(stream(arrivals), at_once=1))
    assert len(batches) == 3
    assert all(sum(len(judged.data) for judged in batch[:-1]) < 2 * min(sizes) for batch in batches)


def test_a_batch_is_cut_in_time_although_more_is_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second image only comes once the first one was handed out."""
    monkeypatch.setattr(downloading, "BATCH_SECONDS", 0.01)

    async def main() -> list[list[str]]:
        first_kept = asyncio.Event()

        async def slow() -> AsyncIterator[Arrived]:
            yield absent(1)
            await first_kept.wait()
            yield absent(2)

        batches = []
        async for batch in judged_batches(slow(), judge_within_limits, 4):
            batches.append([judged.fetch_key for judged in batch])
            first_kept.set()
        return batches

    assert run(main) == [["1"], ["2"]]


def test_while_a_batch_is_kept_only_a_few_images_are_taken_from_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "BATCH_IMAGES", 2)
    at_once = 3

    async def main() -> tuple[int, int]:
        taken = 0

        async def counted() -> AsyncIterator[Arrived]:
            nonlocal taken
            for number in range(100):
                taken += 1
                yield absent(number)

        kept = 0
        most = 0
        async for batch in judged_batches(counted(), judge_within_limits, at_once):
            kept += len(batch)
            most = max(most, await until_quiet(lambda: taken) - kept)
        return most, kept

    most, kept = run(main)
    assert kept == 100
    assert 0 < most <= at_once + 1, "what is judged, and the one that waits for its turn"


def test_an_error_of_the_stream_surfaces_and_does_not_pass_for_its_end() -> None:
    async def failing() -> AsyncIterator[Arrived]:
        yield absent(1)
        raise ConnectionError("the store is gone")

    with pytest.raises(ExceptionGroup) as caught:
        run(lambda: collect(failing()))
    assert [str(error) for error in caught.value.exceptions] == ["the store is gone"]


def test_a_consumer_that_fails_ends_everything_though_much_is_waiting() -> None:
    """A store that fails while verdicts pile up must end the run, not hang it."""

    async def main() -> None:
        async for _ in judged_batches(stream([absent(n) for n in range(1000)]), judge_within_limits, 2):
            await until_quiet(lambda: len(asyncio.all_tasks()))
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run(main)


def test_closing_early_leaves_no_task_behind() -> None:
    async def main() -> int:
        before = asyncio.all_tasks()
        batches = judged_batches(stream([absent(n) for n in range(1000)]), judge_within_limits, 2)
        await anext(batches)
        await until_quiet(lambda: len(asyncio.all_tasks()))
        await batches.aclose()  # type: ignore[attr-defined]
        return len(asyncio.all_tasks() - before)

    assert run(main) == 0
