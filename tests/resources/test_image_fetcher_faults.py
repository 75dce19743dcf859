"""Servers that misbehave in every way they are told to: each image ends with its reason, and the others are fetched."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from certificates import Authority
from local_servers import GivenNames, serve, serve_raw

from resources.image_fetcher import Fetched, FetchLimits, FetchRequest, fetch_all, public_addresses
from resources.image_fetcher.public_addresses import is_public
from resources.partners import PartnerSettings

LOCAL = PartnerSettings("acme", allow_private_addresses=True)
QUICK = FetchLimits(
    attempts=2, backoff_seconds=0.001, stall_seconds=0.3, total_seconds=1.0, max_bytes=500_000, circuit_seconds=0.01
)
Behaviour = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


async def for_ever(writer: asyncio.StreamWriter, start: bytes, rest: bytes, pause: float = 0.0) -> None:
    writer.write(start)
    while not writer.is_closing():
        writer.write(rest)
        await writer.drain()
        await asyncio.sleep(pause)


def sending(*parts: bytes) -> Behaviour:
    async def behave(_: str, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return behave


def endless(start: bytes, rest: bytes, pause: float = 0.0) -> Behaviour:
    return lambda _, writer: for_ever(writer, start, rest, pause)


def then_silent(start: bytes) -> Behaviour:
    async def behave(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        await asyncio.Event().wait()

    return behave


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FAULTS: dict[str, tuple[Behaviour, str | None]] = {
    "silent before the status": (then_silent(b""), "timeout_stall"),
    "silent within the status": (then_silent(b"HTTP/1.1 2"), "timeout_stall"),
    "silent within the headers": (then_silent(OK + b"Content-Le"), "timeout_stall"),
    "silent before the body": (then_silent(OK + b"Content-Length: 9\r\n\r\n"), "timeout_stall"),
    "silent within the body": (then_silent(OK + b"Content-Length: 9\r\n\r\nabc"), "timeout_stall"),
    "silent within a chunk": (then_silent(CHUNKED + b"9\r\nabc"), "timeout_stall"),
    "silent before the last chunk": (then_silent(CHUNKED + b"3\r\nabc\r\n"), "timeout_stall"),
    "dripping headers": (endless(OK + b"X: ", b"x", 0.05), "timeout_total"),
    "dripping body": (endless(OK + b"Content-Length: 9999\r\n\r\n", b"x", 0.05), "timeout_total"),
    "endless 100 Continue": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02), "timeout_total"),
    "endless one header": (endless(OK + b"X: ", b"x" * 5000), "bad_response"),
    "endless many headers": (endless(OK, b"X: y\r\n" * 500), "bad_response"),
    "endless body": (endless(OK + b"Connection: close\r\n\r\n", b"x" * 50_000), "body_too_large"),
    "endless chunks": (endless(CHUNKED, b"5\r\nabcde\r\n" * 5000), "body_too_large"),
    "a length that lies too high": (sending(OK + b"Content-Length: 100\r\n\r\n", b"x" * 60), "body_incomplete"),
    # RFC 9110, 8.6, lets a client take equal ones for one; aiohttp's parser does not, and has no switch for it.
    "a length told twice": (sending(OK + b"Content-Length: 3\r\n" + b"Content-Length: 3\r\n\r\nabc"), "bad_response"),
    "a length that is none": (sending(OK + b"Content-Length: many\r\n\r\nabc"), "bad_response"),
    "a negative length": (sending(OK + b"Content-Length: -5\r\n\r\nabc"), "bad_response"),
    "an announced length above the cap": (sending(OK + b"Content-Length: 999999999999\r\n\r\nabc"), "body_too_large"),
    "a chunk size that is none": (sending(CHUNKED + b"zz\r\nabc\r\n"), "bad_response"),
    "no HTTP": (sending(b"220 mail.example ESMTP\r\n\r\n"), "bad_response"),
    "nothing at all": (sending(), "connection_reset"),
    "only half the headers": (sending(OK + b"X: y\r\n"), "connection_reset"),
    "a status that is none": (sending(b"HTTP/1.1 OK\r\n\r\n"), "bad_response"),
    "HTTP/1.0 until the end": (sending(b"HTTP/1.0 200 OK\r\n\r\n", b"abc"), None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_misbehaving_server_is_its_reason(fault: str) -> None:
    behaviour, reason = FAULTS[fault]

    async def scenario() -> list[Fetched]:
        async with serve_raw(behaviour) as base:
            return [one async for one in fetch_all([FetchRequest("k", base)], LOCAL, QUICK)]

    (fetched,) = asyncio.run(asyncio.wait_for(scenario(), 20))
    assert fetched.reason == reason
    assert (fetched.data is None) is (reason is not None)
    assert fetched.attempts == (1 if fetched.final or reason is None else 2)


def test_all_of_them_at_once_stop_nobody() -> None:
    """Every misbehaving server and a good one in one run; its limits leave the good one time on a busy machine."""
    unhurried = replace(QUICK, attempts=1, stall_seconds=2, total_seconds=4)

    async def scenario() -> dict[object, str | None]:
        async def fine(request: web.Request) -> web.Response:
            return web.Response(body=b"x")

        async with AsyncExitStack() as stack:
            requests = [
                FetchRequest(fault, await stack.enter_async_context(serve_raw(behaviour)))
                for fault, (behaviour, _) in FAULTS.items()
            ]
            good = await stack.enter_async_context(serve(fine))
            requests += [FetchRequest(f"good {number}", f"{good}/{number}") for number in range(100)]
            return {one.key: one.reason async for one in fetch_all(requests, LOCAL, unhurried)}

    reasons = asyncio.run(asyncio.wait_for(scenario(), 60))
    expected = {fault: reason for fault, (_, reason) in FAULTS.items()}
    assert reasons == {**expected, **{f"good {number}": None for number in range(100)}}


def test_a_name_that_changes_its_address_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Public when it is checked, private a moment later: what was checked is connected to, or nothing is."""
    passing = "127.0.0.7"
    monkeypatch.setattr(public_addresses, "is_public", lambda address: str(address) == passing or is_public(address))
    asked: list[str] = []

    class Rebinding(GivenNames):
        async def resolve(self, host: str, port: int = 0, family: object = None) -> list:  # type: ignore[override,type-arg]
            found = await super().resolve(host, port)
            self.addresses[host] = ["127.0.0.1"]  # from now on
            return found

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        asked.append(request.transport.get_extra_info("sockname")[0])
        return web.Response(body=b"x", headers={"Connection": "close"})

    async def scenario() -> list[Fetched]:
        names = Rebinding({"moving.test": [passing]})
        async with serve(handler, "0.0.0.0") as base:
            url = f"http://moving.test:{base.rpartition(':')[2]}"
            settings = PartnerSettings("acme", max_connections=1)
            fetched = [one async for one in fetch_all([FetchRequest(1, url)], settings, QUICK, names=names)]
            return fetched + [one async for one in fetch_all([FetchRequest(2, url)], settings, QUICK, names=names)]

    first, second = asyncio.run(scenario())
    assert (first.data, second.reason) == (b"x", "forbidden_address")
    assert asked == [passing]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:0:7f00:1::1", "::127.0.0.1",
    ],
)  # fmt: skip
def test_a_name_of_an_address_that_is_not_public_is_refused(address: str) -> None:
    async def scenario() -> list[Fetched]:
        names = GivenNames({"inside.test": ["93.184.215.14", address]})
        requests = [FetchRequest("k", "http://inside.test/")]
        return [one async for one in fetch_all(requests, PartnerSettings("acme"), QUICK, names=names)]

    (fetched,) = asyncio.run(scenario())
    assert (fetched.reason, fetched.final) == ("forbidden_address", True)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:{port}/" + "ä" * 1000, None),
        ("http://127.0.0.1:{port}/?q=日本 語&x=%zz", None),
        ("http://127.0.0.1:{port}/" + "x" * 17_000, "bad_url"),
        ("http://" + "x" * 300 + "/", "bad_url"),
        ("http://a\u202eb.test/", "bad_url"),
        ("http://127.0.0.1:{port}/a\r\nHost: evil", "bad_url"),
        ("http://127.0.0.1:99999/", "bad_url"),
    ],
)
def test_odd_urls_are_asked_as_they_are_meant_or_refused(url: str, reason: str | None) -> None:
    async def scenario() -> list[Fetched]:
        async def fine(request: web.Request) -> web.Response:
            return web.Response(body=b"x")

        async with serve(fine) as base:
            given = url.replace("{port}", base.rpartition(":")[2])
            return [one async for one in fetch_all([FetchRequest("k", given)], LOCAL, QUICK)]

    (fetched,) = asyncio.run(scenario())
    assert fetched.reason == reason


@pytest.mark.parametrize(
    ("certified", "days", "trusted", "reason"),
    [
        ("pictures.test", 30, True, None),
        ("other.test", 30, True, "tls_failed"),
        ("pictures.test", -1, True, "tls_failed"),
        ("pictures.test", 30, False, "tls_failed"),
    ],
)
def test_a_certificate_must_match_be_valid_and_be_signed_by_somebody_trusted(
    certified: str, days: int, trusted: bool, reason: str | None, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)

    async def scenario() -> list[Fetched]:
        async def fine(request: web.Request) -> web.Response:
            return web.Response(body=b"x")

        async with serve(fine, tls=authority.server(certified, days)) as base:
            names = GivenNames({"pictures.test": ["127.0.0.1"]})
            requests = [FetchRequest("k", f"https://pictures.test:{base.rpartition(':')[2]}/")]
            known: ssl.SSLContext | None = authority.trusting() if trusted else None
            fetching = fetch_all(requests, LOCAL, QUICK, names=names, certificates=known)
            return [one async for one in fetching]

    (fetched,) = asyncio.run(scenario())
    assert (fetched.reason, fetched.data) == (reason, None if reason else b"x")
