"""What comes of an answer that has begun: whole bodies within the cap, unpacked, or the reason why not."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import tracemalloc
import zlib

import pytest
from aiohttp import web
from local_servers import serve, serve_raw
from one_image import BODY, ONCE, answered, head, one

from resources.image_fetcher import (
    Fetched,
    FetchLimits,
)


async def nothing(_: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def headers_only(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(head("Content-Length: 10") + b"abc")
    await asyncio.Event().wait()


async def drip(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(head("Content-Length: 100000"))
    while not writer.is_closing():
        writer.write(b"x")
        await asyncio.sleep(0.01)


async def drip_headers(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not writer.is_closing():
        writer.write(b"x")
        await asyncio.sleep(0.01)


async def reset(_: str, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def closed(_: str, writer: asyncio.StreamWriter) -> None:
    return None


async def short(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(head("Content-Length: 100") + b"x" * 60)


async def short_chunked(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(head("Transfer-Encoding: chunked") + b"5\r\nabcde\r\n")


async def reset_within_an_unmeasured_body(head_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(head("Connection: close") + b"x" * 60)
    await asyncio.sleep(0.05)  # a reset at once would overtake the body
    await reset(head_, writer)


async def not_http(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


async def endless_headers(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(1000)) + b"\r\n")


@pytest.mark.parametrize(
    ("behaviour", "reason", "limits"),
    [
        (nothing, "timeout_stall", FetchLimits(attempts=1, stall_seconds=0.05)),
        (headers_only, "timeout_stall", FetchLimits(attempts=1, stall_seconds=0.05)),
        (drip, "timeout_total", FetchLimits(attempts=1, total_seconds=0.2)),
        (drip_headers, "timeout_total", FetchLimits(attempts=1, total_seconds=0.2)),
        (reset, "connection_reset", ONCE),
        (closed, "connection_reset", ONCE),
        (short, "body_incomplete", ONCE),
        (short_chunked, "body_incomplete", ONCE),
        (reset_within_an_unmeasured_body, "body_incomplete", ONCE),
        (not_http, "bad_response", ONCE),
        (endless_headers, "bad_response", ONCE),
    ],
)
def test_a_broken_server_is_a_reason_that_is_tried_again(behaviour, reason: str, limits: FetchLimits) -> None:
    async def scenario() -> tuple[Fetched, float]:
        async with serve_raw(behaviour) as base:
            started = asyncio.get_running_loop().time()
            return await one(base, limits=limits), asyncio.get_running_loop().time() - started

    fetched, seconds = asyncio.run(scenario())
    assert (fetched.data, fetched.reason, fetched.final) == (None, reason, False)
    assert seconds < limits.total_seconds + 2


def test_a_server_that_never_ends_its_handshake_is_a_timeout_of_connecting() -> None:
    async def scenario() -> Fetched:
        async with serve_raw(nothing) as base:
            return await one(base.replace("http:", "https:"), limits=FetchLimits(attempts=1, connect_seconds=0.05))

    assert asyncio.run(scenario()).reason == "timeout_connect"


def test_an_announced_size_above_the_cap_is_refused_without_reading() -> None:
    async def scenario() -> Fetched:
        async with serve(lambda request: answered(web.Response(body=BODY))) as base:
            return await one(base, limits=FetchLimits(max_bytes=len(BODY) - 1))

    fetched = asyncio.run(scenario())
    assert (fetched.reason, fetched.final, fetched.attempts) == ("body_too_large", True, 1)


def test_a_body_of_exactly_the_cap_is_taken() -> None:
    async def scenario() -> Fetched:
        async with serve(lambda request: answered(web.Response(body=BODY))) as base:
            return await one(base, limits=FetchLimits(max_bytes=len(BODY)))

    assert asyncio.run(scenario()).data == BODY


def test_an_endless_body_is_cut_at_the_cap() -> None:
    sent = 0

    async def endless(_: str, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(head("Connection: close"))
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async def scenario() -> Fetched:
        async with serve_raw(endless) as base:
            return await one(base, limits=FetchLimits(max_bytes=1_000_000))

    assert asyncio.run(scenario()).reason == "body_too_large"
    assert sent < 20_000_000


def compressed(data: bytes, window: int) -> bytes:
    stream = zlib.compressobj(wbits=window)
    return stream.compress(data) + stream.flush()


def gzipped(times: int) -> bytes:
    body = BODY
    for _ in range(times):
        body = gzip.compress(body, mtime=0)
    return body


def bomb(size: int) -> bytes:
    stream = zlib.compressobj(wbits=31)
    return b"".join(stream.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)) + stream.flush()


@pytest.mark.parametrize(
    ("encoding", "body", "data", "reason"),
    [
        ("gzip", gzip.compress(BODY, mtime=0), BODY, None),
        ("X-GZIP", gzip.compress(BODY[:5], mtime=0) + gzip.compress(BODY[5:], mtime=0), BODY, None),
        ("deflate", compressed(BODY, 15), BODY, None),
        ("deflate", compressed(BODY, -15), BODY, None),
        ("identity", BODY, BODY, None),
        ("aws-chunked", BODY, BODY, None),
        ("gzip, deflate", compressed(gzip.compress(BODY, mtime=0), 15), BODY, None),
        ("identity, gzip", gzip.compress(BODY, mtime=0), BODY, None),
        ("gzip", gzip.compress(BODY, mtime=0) + bytes(100), BODY, None),
        ("gzip, gzip", gzip.compress(BODY, mtime=0), None, "bad_content_encoding"),
        ("gzip, gzip", gzip.compress(bomb(100_000_000), mtime=0), None, "body_too_large"),
        ("gzip", gzip.compress(b"", mtime=0), None, "empty_body"),
        ("gzip", BODY, None, "bad_content_encoding"),
        ("gzip", gzip.compress(BODY, mtime=0)[:-9], None, "bad_content_encoding"),
        ("deflate", compressed(BODY, 15)[:-9], None, "bad_content_encoding"),
        ("br", BODY, None, "bad_content_encoding"),
        (", ".join(["gzip"] * 5), gzipped(5), BODY, None),
        (", ".join(["gzip"] * 6), gzipped(6), None, "bad_content_encoding"),
        ("gzip", bomb(100_000_000), None, "body_too_large"),
    ],
)
def test_a_compressed_body_is_unpacked_within_the_cap(encoding, body, data, reason) -> None:
    async def scenario() -> Fetched:
        response = web.Response(body=body, headers={"Content-Encoding": encoding})
        async with serve(lambda request: answered(response)) as base:
            return await one(base, limits=FetchLimits(max_bytes=1_000_000))

    tracemalloc.start()
    try:
        fetched = asyncio.run(scenario())
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert (fetched.data, fetched.reason) == (data, reason)
    assert reason is None or fetched.final
