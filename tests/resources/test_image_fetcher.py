"""Many images at once: retries, pace, back-pressure, and an end that leaves nothing running."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from clocked_loop import run_clocked
from local_servers import SERVER_TASK, serve, serve_raw

from resources.image_fetcher import Fetched, FetchLimits, FetchRequest, fetch_all, waiting_places
from resources.partners import HeaderFromEnvironment, PartnerHeaderError, PartnerSettings

QUICK = FetchLimits(backoff_seconds=0.001)


def local(**values: object) -> PartnerSettings:
    return PartnerSettings("acme", allow_private_addresses=True, **values)  # type: ignore[arg-type]


async def everything(urls: list[str], settings: PartnerSettings, limits: FetchLimits = QUICK) -> dict[str, Fetched]:
    requests = [FetchRequest(url, url) for url in urls]
    return {str(one.key): one async for one in fetch_all(requests, settings, limits)}


def counting(answer: Callable[[int], web.Response]) -> tuple[Counter[str], Callable]:
    """A handler that knows how often each path was asked; `answer` gets the number, from 1."""
    asked: Counter[str] = Counter()

    async def handler(request: web.Request) -> web.Response:
        asked[request.path] += 1
        return answer(asked[request.path])

    return asked, handler


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_a_fault_that_passes_is_tried_again_until_it_is_fine(status: int) -> None:
    asked, handler = counting(lambda number: web.Response(status=status) if number < 3 else web.Response(body=b"x"))

    async def scenario() -> Fetched:
        async with serve(handler) as base:
            return (await everything([base + "/a"], local()))[base + "/a"]

    fetched = asyncio.run(scenario())
    assert (fetched.data, fetched.attempts, fetched.status) == (b"x", 3, 200)
    assert asked == {"/a": 3}


@pytest.mark.parametrize(("status", "attempts"), [(500, 3), (429, 3), (404, 1), (410, 1), (403, 1), (400, 1)])
def test_only_faults_that_may_pass_are_tried_again_and_three_times_in_all(status: int, attempts: int) -> None:
    asked, handler = counting(lambda number: web.Response(status=status))

    async def scenario() -> Fetched:
        async with serve(handler) as base:
            return (await everything([base + "/a"], local()))[base + "/a"]

    fetched = asyncio.run(scenario())
    assert (fetched.data, fetched.reason, fetched.attempts) == (None, f"http_{status}", attempts)
    assert fetched.final is (attempts == 1)
    assert asked == {"/a": attempts}


def test_a_connection_closed_without_an_answer_is_asked_three_times_and_not_once_more() -> None:
    asked = []

    async def close(head: str, writer: asyncio.StreamWriter) -> None:
        asked.append(head)

    async def scenario() -> Fetched:
        async with serve_raw(close) as base:
            return (await everything([base], local()))[base]

    fetched = asyncio.run(scenario())
    assert (fetched.reason, fetched.attempts, fetched.final) == ("connection_reset", 3, False)
    assert len(asked) == 3


def test_connections_are_kept_between_images() -> None:
    ports = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(body=b"x")

    async def scenario() -> None:
        async with serve(handler) as base:
            await everything([f"{base}/{i}" for i in range(20)], local(max_connections=2))

    asyncio.run(scenario())
    assert len(ports) <= 2


def test_a_server_that_drops_kept_connections_without_a_word_loses_no_image() -> None:
    async def answer_and_close(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")

    async def scenario() -> dict[str, Fetched]:
        async with serve_raw(answer_and_close) as base:
            return await everything([f"{base}/{i}" for i in range(20)], local(max_connections=1))

    assert [one.data for one in asyncio.run(scenario()).values()] == [b"abc"] * 20


def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_image() -> None:
    """A proxy that lost count sends another answer while the connection rests."""
    asked: list[str] = []

    async def scenario() -> list[Fetched]:
        taken = asyncio.Semaphore(0)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while path := (await reader.readuntil(b"\r\n\r\n")).split()[1]:
                    asked.append(path.decode())
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + path)
                    await taken.acquire()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
            writer.close()

        images = []
        async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
            base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            requests = [FetchRequest(f"/{n}", f"{base}/{n}") for n in range(10)]
            async for one in fetch_all(requests, local(max_connections=1, requests_per_second=50), QUICK):
                images.append(one)
                taken.release()
        return images

    images = run_clocked(scenario())
    assert [(one.data, one.attempts) for one in images] == [(f"/{n}".encode(), 1) for n in range(10)]
    assert asked == [f"/{n}" for n in range(10)]


def in_seconds(seconds: float) -> str:
    """A date as Retry-After may have it; whole seconds are all it can say."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        (lambda: "1", 1, 3),
        (lambda: in_seconds(2), 0.9, 4),
        (lambda: "0", 0, 0.9),
        (lambda: "soon", 0, 0.9),
        (lambda: "Wed, 21 Oct 2015 07:28:00 GMT", 0, 0.9),
    ],
)
def test_the_whole_host_rests_as_long_as_retry_after_says(
    retry_after: Callable[[], str], least: float, most: float, status: int
) -> None:
    times: list[float] = []

    async def handler(request: web.Request) -> web.Response:
        times.append(asyncio.get_running_loop().time())
        if len(times) == 1:
            return web.Response(status=status, headers={"Retry-After": retry_after()})
        return web.Response(body=b"x")

    async def scenario() -> dict[str, Fetched]:
        async with serve(handler) as base:
            return await everything([f"{base}/{i}" for i in range(3)], local(max_connections=1))

    assert [one.data for one in asyncio.run(scenario()).values()] == [b"x"] * 3
    assert least <= times[1] - times[0] < most


def test_waiting_for_another_attempt_holds_no_connection() -> None:
    asked: list[tuple[str, float]] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append((request.path, asyncio.get_running_loop().time()))
        return web.Response(status=503 if len(asked) == 1 else 200, body=b"x")

    async def scenario() -> dict[str, Fetched]:
        async with serve(handler) as base:
            urls = [base + "/busy", base + "/1", base + "/2"]
            return await everything(urls, local(max_connections=1), FetchLimits(backoff_seconds=1))

    fetched = asyncio.run(scenario())
    assert all(one.data == b"x" for one in fetched.values())
    assert [path for path, _ in asked] == ["/busy", "/1", "/2", "/busy"]
    assert asked[2][1] - asked[0][1] < 0.7  # the pause is 0.75 s at least


@pytest.mark.parametrize("connections", [1, 3, 8])
def test_exactly_as_many_requests_as_allowed_are_in_flight(connections: int) -> None:
    """Requests come until as many as allowed were in flight, however slowly the host's window grows, and some more."""
    at_once = most = asked = 0

    async def scenario() -> int:
        async def handler(request: web.Request) -> web.Response:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.005)
            at_once -= 1
            return web.Response(body=b"x")

        async with serve(handler) as base:

            def requests() -> Iterator[FetchRequest]:
                nonlocal asked
                while most < connections:
                    yield FetchRequest(asked := asked + 1, base)
                for _ in range(50):
                    yield FetchRequest(asked := asked + 1, base)

            settings = local(max_connections=connections, max_connections_total=connections)
            return len([one async for one in fetch_all(requests(), settings, QUICK)])

    assert asyncio.run(asyncio.wait_for(scenario(), 60)) == asked
    assert most == connections


def test_every_request_has_one_outcome_that_does_not_depend_on_the_order() -> None:
    def expected(number: int) -> tuple[bytes | None, str | None]:
        return {0: (None, "http_404"), 1: (None, "http_500"), 2: (None, "empty_body")}.get(
            number % 7, (str(number).encode(), None)
        )

    async def handler(request: web.Request) -> web.Response:
        number = int(request.path[1:])
        data, reason = expected(number)
        status = {"http_404": 404, "http_500": 500}.get(reason or "", 200)
        return web.Response(status=status, body=data or b"")

    async def scenario(numbers: list[int]) -> dict[int, tuple[bytes | None, str | None]]:
        async with serve(handler) as base:
            requests = (FetchRequest(number, f"{base}/{number}") for number in numbers)
            fetched = [one async for one in fetch_all(requests, local(max_connections=5), QUICK)]
            assert len(fetched) == len(numbers)
            return {one.key: (one.data, one.reason) for one in fetched}  # type: ignore[misc]

    wanted = {number: expected(number) for number in range(200)}
    assert asyncio.run(scenario(list(range(200)))) == wanted
    assert asyncio.run(scenario(list(reversed(range(200))))) == wanted


def test_requests_are_spaced_as_the_partner_wishes_retries_and_redirects_too() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": "/there"})
        return web.Response(status=503 if len(asked) < 3 else 200, body=b"x")

    async def scenario() -> float:
        async with serve(handler) as base:
            urls = [f"{base}/{name}" for name in ("a", "b", "moved", "c")]
            started = asyncio.get_running_loop().time()
            await everything(urls, local(requests_per_second=20.0), QUICK)
            return asyncio.get_running_loop().time() - started

    seconds = asyncio.run(scenario())
    assert len(asked) == 7
    assert seconds >= 6 / 20


def test_a_slow_taker_stops_the_fetching_and_bodies_do_not_pile_up() -> None:
    asked, handler = counting(lambda number: web.Response(body=b"x"))

    async def scenario() -> None:
        connections = 4
        async with serve(handler) as base:
            taken = 0
            requests = (FetchRequest(i, f"{base}/{i}") for i in range(200))
            async for _ in fetch_all(requests, local(max_connections=connections), QUICK):
                taken += 1
                for _ in range(60):
                    await asyncio.sleep(0)
                assert asked.total() <= taken + 2 * connections

    asyncio.run(scenario())
    assert asked.total() == 200


def test_requests_are_drawn_from_an_endless_source_only_as_they_are_needed() -> None:
    drawn = 0

    async def scenario() -> None:
        async with serve(lambda request: answered(b"x")) as base:

            async def endless() -> AsyncIterator[FetchRequest]:
                nonlocal drawn
                while True:
                    drawn += 1
                    yield FetchRequest(drawn, f"{base}/{drawn}")

            async with aclosing(fetch_all(endless(), local(max_connections=2), QUICK)) as fetching:
                async for one in fetching:
                    if one.key == 500:
                        break

    asyncio.run(asyncio.wait_for(scenario(), 60))
    assert drawn <= 500 + waiting_places(local(max_connections=2))


async def answered(body: bytes) -> web.Response:
    return web.Response(body=body)


def left_behind(before: set[asyncio.Task[object]]) -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() - before if task.get_name() != SERVER_TASK}


def test_closing_early_cancels_all_work() -> None:
    async def scenario() -> None:
        hanging = asyncio.Event()

        async def handler(head: str, writer: asyncio.StreamWriter) -> None:
            if head.startswith("GET /0 "):
                await hanging.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
            else:
                hanging.set()
                await asyncio.Event().wait()

        async with serve_raw(handler) as base:
            before = asyncio.all_tasks()
            requests = [FetchRequest(i, f"{base}/{i}") for i in range(50)]
            async with aclosing(fetch_all(requests, local(), QUICK)) as fetching:
                async for one in fetching:
                    assert one.data == b"x"
                    break
            assert left_behind(before) == set()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_a_cancelled_taker_leaves_nothing_running() -> None:
    async def scenario() -> None:
        arrived = asyncio.Event()

        async def hang(head: str, writer: asyncio.StreamWriter) -> None:
            arrived.set()
            await asyncio.Event().wait()

        async with serve_raw(hang) as base:
            before = asyncio.all_tasks()
            taker = asyncio.create_task(everything([base], local()))
            await arrived.wait()
            taker.cancel()
            with pytest.raises(asyncio.CancelledError):
                await taker
            assert left_behind(before) == set()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_a_source_that_breaks_raises_its_own_error_after_what_was_fetched() -> None:
    class LedgerGone(Exception):
        pass

    taken: list[object] = []

    async def scenario() -> None:
        async with serve(lambda request: answered(b"x")) as base:
            first_taken = asyncio.Event()

            async def breaking() -> AsyncIterator[FetchRequest]:
                yield FetchRequest("first", base)
                await first_taken.wait()
                raise LedgerGone("connection lost")

            async for one in fetch_all(breaking(), local(), QUICK):
                taken.append(one.key)
                first_taken.set()

    with pytest.raises(LedgerGone, match="connection lost"):
        asyncio.run(asyncio.wait_for(scenario(), 30))
    assert taken == ["first"]


@pytest.mark.parametrize(("most", "reason"), [(1000, None), (999, "body_too_large")])
def test_a_file_may_be_as_large_as_the_partners_settings_say(most: int, reason: str | None) -> None:
    async def scenario() -> list[Fetched]:
        async def handler(request: web.Request) -> web.Response:
            return web.Response(body=bytes(1000))

        async with serve(handler) as base:
            return [one async for one in fetch_all([FetchRequest(1, base)], local(max_bytes=most))]

    assert [one.reason for one in asyncio.run(scenario())] == [reason]


@pytest.mark.parametrize(
    ("setting", "scheme", "reason"),
    [
        ("total_seconds", "http", "timeout_total"),
        ("stall_seconds", "http", "timeout_stall"),
        ("connect_seconds", "https", "timeout_connect"),
    ],
)
def test_a_server_has_the_time_that_the_partners_settings_give(setting: str, scheme: str, reason: str) -> None:
    """It never answers, nor does it end a handshake; without the setting that takes 30, 10 and 5 seconds."""

    async def silent(_: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def scenario() -> tuple[Fetched, float]:
        async with serve_raw(silent) as base:
            settings = local(attempts=1, **{setting: 0.5})
            requests = [FetchRequest(1, base.replace("http", scheme))]
            (fetched,) = [one async for one in fetch_all(requests, settings)]
            return fetched, asyncio.get_running_loop().time()

    fetched, seconds = run_clocked(scenario())
    assert (fetched.reason, fetched.final) == (reason, False)
    assert 0.5 <= seconds < 1


def test_nothing_to_fetch_ends_at_once() -> None:
    assert asyncio.run(everything([], local())) == {}


def test_a_missing_secret_is_told_before_anything_is_sent() -> None:
    asked, handler = counting(lambda number: web.Response(body=b"x"))

    async def scenario() -> None:
        async with serve(handler) as base:
            await everything([base], local(headers={"Authorization": HeaderFromEnvironment("NO_SUCH_SECRET_HERE")}))

    with pytest.raises(PartnerHeaderError, match=r"acme.*Authorization.*NO_SUCH_SECRET_HERE"):
        asyncio.run(scenario())
    assert asked == {}
