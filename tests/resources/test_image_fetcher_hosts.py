"""Many hosts at once: each as politely as it needs, none at the cost of another."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from clocked_loop import run_clocked
from local_servers import GivenNames, serve, serve_raw

from resources.image_fetcher import Fetched, FetchLimits, FetchRequest, HostReport, fetch_all
from resources.partners import PartnerSettings

QUICK = FetchLimits(backoff_seconds=0.001, circuit_seconds=0.01, host_patience_seconds=0.5)


def local(**values: object) -> PartnerSettings:
    return PartnerSettings("acme", allow_private_addresses=True, **values)  # type: ignore[arg-type]


async def fetch(
    urls: Iterable[str],
    settings: PartnerSettings,
    limits: FetchLimits = QUICK,
    names: GivenNames | None = None,
    report: HostReport | None = None,
) -> list[Fetched]:
    """In the order they end; the key of each is its URL."""
    requests = [FetchRequest(url, url) for url in urls]
    return [one async for one in fetch_all(requests, settings, limits, names=names, report=report)]


class Hosts:
    """Names that all lead to this machine, and the port where one server answers for all of them."""

    def __init__(self, port: str) -> None:
        self.port = port
        self.names = GivenNames({})

    def urls(self, host: str, count: int) -> list[str]:
        self.names.addresses[host] = ["127.0.0.1"]
        return [f"http://{host}:{self.port}/{number}" for number in range(count)]


@asynccontextmanager
async def hosts(handler: Callable[[str, web.Request], object]) -> AsyncIterator[Hosts]:
    """`handler` gets the name of the host that was asked, and the request."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await handler(request.host.partition(":")[0], request)  # type: ignore[misc]

    async with serve(handle) as base:
        yield Hosts(base.rpartition(":")[2])


def unused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


async def fine(host: str, request: web.Request) -> web.Response:
    return web.Response(body=b"x")


def test_a_dead_host_costs_a_few_requests_and_all_its_images_have_a_reason() -> None:
    report = HostReport()
    port = unused_port()
    urls = [f"http://127.0.0.1:{port}/{number}" for number in range(3000)]
    fetched = asyncio.run(asyncio.wait_for(fetch(urls, local(), report=report), 30))
    reasons = Counter(one.reason for one in fetched)
    assert len(fetched) == 3000
    assert reasons.keys() <= {"connection_failed", "host_unavailable"}
    assert reasons["host_unavailable"] > 2900
    assert all(not one.final and one.attempts <= 3 for one in fetched)
    (row,) = report.rows(10)
    assert row.requests == sum(one.attempts for one in fetched) < 100
    assert (row.state, row.last_fault, row.given_up) == ("open", "connection_failed", reasons["host_unavailable"])


def test_a_host_of_broken_images_only_is_asked_for_few_of_them() -> None:
    asked: Counter[str] = Counter()

    async def broken(host: str, request: web.Request) -> web.Response:
        asked[host] += 1
        return web.Response(status=500)

    async def scenario() -> list[Fetched]:
        async with hosts(broken) as site:
            return await fetch(site.urls("broken.test", 500), local(), names=site.names)

    reasons = Counter(one.reason for one in asyncio.run(scenario()))
    assert reasons.keys() <= {"http_500", "host_unavailable"}
    assert asked["broken.test"] < 100


def test_some_broken_images_do_not_make_a_host_unavailable() -> None:
    async def partly(host: str, request: web.Request) -> web.Response:
        return web.Response(status=500 if int(request.path[1:]) % 3 == 0 else 200, body=b"x")

    async def scenario() -> list[Fetched]:
        async with hosts(partly) as site:
            return await fetch(site.urls("partly.test", 300), local(), names=site.names)

    fetched = asyncio.run(scenario())
    assert Counter(one.reason for one in fetched) == {None: 200, "http_500": 100}
    assert all(one.attempts == 3 for one in fetched if one.reason)


def test_a_host_that_comes_back_loses_no_image() -> None:
    """The first probe that is answered closes the circuit."""
    asked = 0

    async def restarting(host: str, request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=502) if asked <= 14 else web.Response(body=b"x")

    async def scenario() -> list[Fetched]:
        async with hosts(restarting) as site:
            limits = FetchLimits(backoff_seconds=0.2, circuit_seconds=0.02)
            return await fetch(site.urls("restarting.test", 100), local(), limits, site.names)

    assert [one.data for one in asyncio.run(scenario())] == [b"x"] * 100


def test_hosts_that_hang_hold_nobody_else_back() -> None:
    """Twenty hosts never answer and have more images than all connections; the answering one is done meanwhile."""

    async def scenario() -> tuple[list[str], int]:
        async def hang_or_answer(host: str, request: web.Request) -> web.Response:
            if host.startswith("hanging"):
                await asyncio.Event().wait()
            return web.Response(body=b"x")

        async with hosts(hang_or_answer) as site:
            urls = [url for number in range(20) for url in site.urls(f"hanging{number}.test", 20)]
            urls += site.urls("answering.test", 200)
            settings = local(max_connections_total=32, attempts=1)
            limits = FetchLimits(attempts=1, stall_seconds=0.5, host_patience_seconds=0.1, circuit_seconds=0.1)
            ended = [str(one.key) for one in await fetch(urls, settings, limits, site.names)]
            return ended, len(urls)

    ended, count = asyncio.run(asyncio.wait_for(scenario(), 60))
    assert len(ended) == count
    answering = [place for place, url in enumerate(ended) if "answering" in url]
    assert answering[-1] < len(ended) - 200, "the hanging hosts' images end after those of the answering one"


def test_each_host_has_connections_of_its_own_up_to_its_limit_and_the_limit_of_all() -> None:
    at_once: Counter[str] = Counter()
    most: Counter[str] = Counter()

    async def busy(host: str, request: web.Request) -> web.Response:
        for name in (host, "all"):
            at_once[name] += 1
            most[name] = max(most[name], at_once[name])
        await asyncio.sleep(0.005)
        at_once.subtract((host, "all"))
        return web.Response(body=b"x")

    async def scenario() -> None:
        async with hosts(busy) as site:
            urls = [url for number in range(4) for url in site.urls(f"h{number}.test", 60)]
            await fetch(urls, local(max_connections=6, max_connections_total=15), names=site.names)

    asyncio.run(scenario())
    assert most["all"] == 15
    assert {most[f"h{number}.test"] for number in range(4)} <= {4, 5, 6}


def test_the_rate_is_each_hosts_own() -> None:
    times: dict[str, list[float]] = {}

    async def timed(host: str, request: web.Request) -> web.Response:
        times.setdefault(host, []).append(asyncio.get_running_loop().time())
        return web.Response(body=b"x")

    async def scenario() -> tuple[float, float]:
        async with hosts(timed) as site:
            urls = [url for number in range(10) for url in site.urls(f"h{number}.test", 5)]
            began = asyncio.get_running_loop().time()
            await fetch(urls, local(requests_per_second=20.0), names=site.names)
            return began, asyncio.get_running_loop().time()

    began, ended = asyncio.run(scenario())
    assert len(times) == 10
    assert all(asked[-1] - began >= 4 / 20 - 0.01 for asked in times.values())
    assert ended - began < 50 / 20, "one after the other would take this long"


def test_a_storm_of_429_ends_with_every_image_and_a_slower_rate() -> None:
    """The server takes one request in 20 ms; it says no to what comes sooner, and not how long to wait."""
    refused = taken = 0
    next_at = 0.0

    async def limited(host: str, request: web.Request) -> web.Response:
        nonlocal refused, taken, next_at
        now = asyncio.get_running_loop().time()
        if now < next_at:
            refused += 1
            return web.Response(status=429)
        taken += 1
        next_at = now + 0.02
        return web.Response(body=b"x")

    async def scenario() -> list[Fetched]:
        async with hosts(limited) as site:
            limits = FetchLimits(backoff_seconds=0.05, attempts=10)
            return await fetch(site.urls("limited.test", 50), local(), limits, site.names)

    assert all(one.data == b"x" for one in run_clocked(scenario()))
    assert taken == 50
    assert refused < 40


def test_a_pause_longer_than_our_patience_is_obeyed_without_waiting_for_it() -> None:
    asked = 0

    async def closed_for_the_day(host: str, request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=503, headers={"Retry-After": "86400"})

    async def scenario() -> list[Fetched]:
        async with hosts(closed_for_the_day) as site:
            return await fetch(site.urls("closed.test", 100), local(), FetchLimits(), site.names)

    fetched = asyncio.run(asyncio.wait_for(scenario(), 10))
    assert {one.reason for one in fetched} == {"host_unavailable"}
    assert asked <= 4, "what was in flight when it said so"


def test_a_redirect_to_another_host_waits_for_that_host() -> None:
    asked: Counter[str] = Counter()
    at_once = most = 0

    async def redirecting(host: str, request: web.Request) -> web.Response:
        nonlocal at_once, most
        asked[host] += 1
        if host != "store.test":
            port = request.host.partition(":")[2]
            return web.Response(status=302, headers={"Location": f"http://store.test:{port}{request.path}"})
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.002)
        at_once -= 1
        return web.Response(body=b"x")

    async def scenario() -> list[Fetched]:
        async with hosts(redirecting) as site:
            site.urls("store.test", 0)
            urls = [url for number in range(5) for url in site.urls(f"front{number}.test", 10)]
            return await fetch(urls, local(max_connections=2), names=site.names)

    fetched = asyncio.run(scenario())
    assert all(one.data == b"x" and one.attempts == 1 and "store.test" in one.url for one in fetched)
    assert asked["store.test"] == 50
    assert most <= 2


def test_the_report_names_the_busiest_hosts_and_counts_the_rest_together() -> None:
    report = HostReport()

    async def scenario() -> None:
        async with hosts(fine) as site:
            urls = site.urls("busy.test", 30) + [u for n in range(1300) for u in site.urls(f"h{n}.test", 1)]
            await fetch(urls, local(), names=site.names, report=report)

    asyncio.run(scenario())
    rows = report.rows(2)
    assert rows[0].host.startswith("busy.test:")
    assert [row.host for row in rows[2:]] == ["(others)"]
    assert rows[0].requests == 30
    assert sum(row.requests for row in rows) == 1330
    assert rows[0].p50_ms is not None
    assert rows[0].p50_ms <= rows[0].p95_ms


def test_a_server_that_drips_costs_one_connection_for_the_total_time_at_most() -> None:
    async def drip(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.01)

    async def scenario() -> tuple[list[Fetched], float]:
        async with serve_raw(drip) as slow, serve(lambda request: fine("", request)) as fast:
            began = asyncio.get_running_loop().time()
            limits = FetchLimits(attempts=1, total_seconds=0.3)
            ended = await fetch([slow, *(f"{fast}/{n}" for n in range(50))], local(), limits)
            return ended, asyncio.get_running_loop().time() - began

    ended, seconds = asyncio.run(scenario())
    assert [one.reason for one in ended[:50]] == [None] * 50
    assert ended[50].reason == "timeout_total"
    assert seconds < 5


@pytest.mark.parametrize("host", ["a.test", "A.test."])
def test_one_name_is_one_host(host: str) -> None:
    report = HostReport()

    async def scenario() -> None:
        async with hosts(fine) as site:
            site.names.addresses |= {"a.test.": ["127.0.0.1"]}
            await fetch([*site.urls("a.test", 3), f"http://{host}:{site.port}/x"], local(), QUICK, site.names, report)

    asyncio.run(scenario())
    assert [row.requests for row in report.rows(5)] == [4]
