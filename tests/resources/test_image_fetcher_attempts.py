"""Each way in which one request can end: the bytes, or the one reason that says why not."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from aiohttp import web
from local_servers import GivenNames, serve, serve_raw

from resources.image_fetcher import (
    FETCH_REASONS,
    Fetched,
    FetchLimits,
    FetchRequest,
    fetch_all,
    public_addresses,
    reason_entry,
)
from resources.image_fetcher.public_addresses import is_public
from resources.partners import PartnerSettings

LOCAL = PartnerSettings("acme", allow_private_addresses=True)
ONCE = FetchLimits(attempts=1, total_seconds=20)
BODY = np.random.default_rng(5).bytes(100_000)


async def one(url: str, settings: PartnerSettings = LOCAL, limits: FetchLimits = ONCE, names=None) -> Fetched:
    (fetched,) = [one async for one in fetch_all([FetchRequest("k", url)], settings, limits, names=names)]
    return fetched


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def test_an_image_comes_with_its_bytes() -> None:
    async def scenario() -> None:
        async with serve(lambda request: answered(web.Response(body=BODY))) as base:
            fetched = await one(base + "/a.jpg")
        assert fetched == Fetched("k", BODY, None, False, 1, 200, base + "/a.jpg")

    asyncio.run(scenario())


async def answered(response: web.StreamResponse) -> web.StreamResponse:
    return response


def test_the_server_sees_the_url_as_the_catalogue_has_it_and_an_honest_request() -> None:
    paths = ("/a/../b//c;v=1?q=a+b%20c&x=%zz", "/Ünï/ø.jpg?ü=1#part", "/Ünï", "/x?")
    seen: list[tuple[str, dict[str, str]]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.raw_path, dict(request.headers)))
        return web.Response(body=BODY, headers={"Set-Cookie": "a=b; Path=/"})

    async def scenario() -> None:
        names = GivenNames({"partner.test": ["127.0.0.1"]})  # clients send cookies to names only
        settings = PartnerSettings("p", allow_private_addresses=True, max_connections=1, headers={"X-Key": "s3cret"})
        async with serve(handler) as base:
            base = f"http://partner.test:{base.rpartition(':')[2]}"
            requests = [FetchRequest(path, base + path) for path in paths]
            assert all([one.data == BODY async for one in fetch_all(requests, settings, ONCE, names=names)])

    asyncio.run(scenario())
    assert [path for path, _ in seen] == [
        "/a/../b//c;v=1?q=a+b%20c&x=%zz",
        "/%C3%9Cn%C3%AF/%C3%B8.jpg?%C3%BC=1",
        "/%C3%9Cn%C3%AF",
        "/x?",
    ]
    for _, headers in seen:
        assert headers["User-Agent"].startswith("image-assets/")
        assert headers["X-Key"] == "s3cret"
        assert "Cookie" not in headers


@pytest.mark.parametrize(
    ("status", "reason", "final"),
    [(code, f"http_{code}", True) for code in (202, 206, 304, 400, 401, 403, 404, 410, 414, 451)]
    + [(code, f"http_{code}", False) for code in (408, 425, 429, 500, 502, 503, 504, 599)]
    + [(204, "empty_body", True), (200, "empty_body", True), (302, "bad_redirect", True)],
)
def test_a_status_without_an_image_is_its_reason(status: int, reason: str, final: bool) -> None:
    async def scenario() -> Fetched:
        async with serve(lambda request: answered(web.Response(status=status))) as base:
            return await one(base)

    fetched = asyncio.run(scenario())
    assert (fetched.data, fetched.reason, fetched.final, fetched.status) == (None, reason, final, status)


def test_every_reason_is_in_the_table() -> None:
    assert reason_entry("http_404") is FETCH_REASONS["http_4xx"]
    assert reason_entry("http_503") is FETCH_REASONS["http_5xx"]
    assert reason_entry("http_429") is FETCH_REASONS["http_429"]
    assert reason_entry("http_999") is FETCH_REASONS["http_xxx"]
    assert reason_entry("body_too_large") is FETCH_REASONS["body_too_large"]
    with pytest.raises(KeyError):
        reason_entry("too_small")


@pytest.mark.parametrize(
    ("hops", "reason"), [(0, None), (1, None), (3, None), (4, "too_many_redirects"), (9, "too_many_redirects")]
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_at_most_three_redirects_are_followed(hops: int, reason: str | None, status: int) -> None:
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        left = int(request.path[1:])
        if left:
            return web.Response(status=status, headers={"Location": f"{left - 1}"})
        return web.Response(body=BODY)

    async def scenario() -> Fetched:
        async with serve(handler) as base:
            return await one(f"{base}/{hops}")

    fetched = asyncio.run(scenario())
    assert fetched.reason == reason
    assert fetched.data == (None if reason else BODY)
    assert len(asked) == min(hops + 1, 4)
    assert fetched.url.endswith(asked[-1])


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("/", "too_many_redirects"),
        ("http://a..b/", "bad_redirect"),
        ("http://[::1/", "bad_redirect"),
        ("file:///etc/passwd", "forbidden_scheme"),
        ("javascript:alert(1)", "forbidden_scheme"),
        ("http://user:secret@127.0.0.1/", "credentials_in_url"),
        ("http://169.254.169.254/latest/meta-data/", "forbidden_address"),
        ("//10.0.0.1/", "forbidden_address"),
        ("http://[::ffff:169.254.169.254]/", "forbidden_address"),
        ("http://0x7f.1/", "forbidden_address"),
        ("http://inside.test/", "forbidden_address"),
        ("http://nowhere.test/", "dns_failed"),
    ],
)
def test_a_redirect_is_a_new_check(location: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is at an address of our own that passes for public; every other address is what it is."""
    monkeypatch.setattr(
        public_addresses, "is_public", lambda address: str(address) == "127.0.0.7" or is_public(address)
    )

    async def scenario() -> Fetched:
        names = GivenNames({"partner.test": ["127.0.0.7"], "inside.test": ["127.0.0.1"]})

        async def redirect(request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": location})

        async with serve(redirect, "127.0.0.7") as base:
            return await one(f"http://partner.test:{base.rpartition(':')[2]}/", PartnerSettings("acme"), names=names)

    fetched = asyncio.run(scenario())
    assert (fetched.data, fetched.reason) == (None, reason)
    assert "secret" not in fetched.url


def test_the_partners_headers_are_not_sent_to_another_host() -> None:
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.host.partition(":")[0], request.path, request.headers.get("X-Key")))
        port = request.host.partition(":")[2]
        target = {"/1": "/2", "/2": f"http://b.test:{port}/3"}.get(request.path)
        return web.Response(status=302, headers={"Location": target}) if target else web.Response(body=BODY)

    async def scenario() -> Fetched:
        names = GivenNames({"a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"]})
        settings = PartnerSettings("p", allow_private_addresses=True, headers={"X-Key": "s3cret"})
        async with serve(handler) as base:
            return await one(f"http://a.test:{base.rpartition(':')[2]}/1", settings, names=names)

    assert asyncio.run(scenario()).data == BODY
    assert seen == [("a.test", "/1", "s3cret"), ("a.test", "/2", "s3cret"), ("b.test", "/3", None)]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://inside.test:{port}/", "http://[::1]:{port}/"])
def test_a_private_address_is_never_connected_to(url: str) -> None:
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=BODY)

    async def scenario() -> Fetched:
        async with serve(handler) as base:
            names = GivenNames({"inside.test": ["127.0.0.1"]})
            port = base.rpartition(":")[2]
            return await one(url.format(port=port), PartnerSettings("acme"), FetchLimits(), names)

    fetched = asyncio.run(scenario())
    assert (fetched.reason, fetched.final) == ("forbidden_address", True)
    assert asked == []


def test_a_name_is_resolved_once_and_that_very_address_connected_to() -> None:
    async def scenario() -> None:
        names = GivenNames({"only-here.test": ["127.0.0.1"]})
        async with serve(lambda request: answered(web.Response(body=BODY))) as base:
            fetched = await one(f"http://only-here.test:{base.rpartition(':')[2]}/", names=names)
        assert fetched.data == BODY
        assert names.asked == ["only-here.test"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nonsense", "bad_url"),
        ("ftp://127.0.0.1/a", "forbidden_scheme"),
        ("http://user:s3cret@127.0.0.1/a", "credentials_in_url"),
        ("http://other.test/a", "forbidden_host"),
    ],
)
def test_a_url_that_may_not_be_asked_is_final_and_shows_no_secret(url: str, reason: str) -> None:
    settings = PartnerSettings("p", allow_private_addresses=True, allowed_hosts=("127.0.0.1",))
    fetched = asyncio.run(one(url, settings))
    assert (fetched.reason, fetched.final, fetched.status) == (reason, True, None)
    assert "s3cret" not in fetched.url


def test_a_name_that_does_not_resolve_is_a_fault() -> None:
    fetched = asyncio.run(one("http://nowhere.test/", names=GivenNames({})))
    assert (fetched.reason, fetched.final) == ("dns_failed", False)


def test_a_closed_port_is_a_failed_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        fetched = asyncio.run(one(f"http://127.0.0.1:{unused.getsockname()[1]}/"))
    assert (fetched.reason, fetched.final) == ("connection_failed", False)


def test_a_server_without_tls_is_a_tls_fault() -> None:
    async def scenario() -> Fetched:
        async with serve(lambda request: answered(web.Response(body=BODY))) as base:
            return await one(base.replace("http:", "https:"))

    assert asyncio.run(scenario()).reason == "tls_failed"


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


def test_what_is_unchanged_is_not_sent_again() -> None:
    """The first answer's validators make the second a 304; without any the picture comes whole."""
    said = {"ETag": 'W/"5"', "Last-Modified": "Tue, 24 Nov 2026 10:00:00 GMT"}
    asked: list[tuple[str | None, str | None]] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append((request.headers.get("If-None-Match"), request.headers.get("If-Modified-Since")))
        if asked[-1][0] == said["ETag"]:
            return web.Response(status=304, headers=said)
        return web.Response(body=BODY, headers=said)

    async def scenario() -> tuple[Fetched, Fetched]:
        async with serve(handler) as base:
            first = await one(base)
            request = FetchRequest("k", base, first.validators)
            (second,) = [fetched async for fetched in fetch_all([request], LOCAL, ONCE)]
            return first, second

    first, second = asyncio.run(scenario())
    assert (first.validators.etag, first.validators.last_modified) == (said["ETag"], said["Last-Modified"])
    assert (second.unchanged, second.data, second.reason, second.status) == (True, None, None, 304)
    assert asked == [(None, None), (said["ETag"], said["Last-Modified"])]


@pytest.mark.parametrize("etag", ['"' + "x" * 300 + '"', '"ü"', ""])
def test_a_validator_that_cannot_be_sent_back_is_not_kept(etag: str) -> None:
    async def scenario() -> Fetched:
        async with serve(lambda request: answered(web.Response(body=BODY, headers={"ETag": etag}))) as base:
            return await one(base)

    fetched = asyncio.run(scenario())
    assert (fetched.data, fetched.validators.etag) == (BODY, None)


@pytest.mark.parametrize(
    ("values", "tag"),
    [
        (["noai, noimageai"], "noai, noimageai"),
        (["index", "NoIndex"], "noindex"),
        (["otherbot: noindex"], None),
        (["otherbot: noindex, image-assets: noai"], "noai"),
        (["unavailable_after: 1 Jan 2030, none"], "none"),
        (["nofollow, max-image-preview: large"], None),
        ([], None),
    ],
)
@pytest.mark.parametrize("obey", [True, False])
def test_an_opt_out_is_told_and_obeyed_where_chosen(values: list[str], tag: str | None, obey: bool) -> None:
    async def handler(request: web.Request) -> web.Response:
        response = web.Response(body=BODY)
        for value in values:
            response.headers.add("X-Robots-Tag", value)
        return response

    async def scenario() -> Fetched:
        async with serve(handler) as base:
            return await one(base, PartnerSettings("p", allow_private_addresses=True, obey_robots_tag=obey))

    fetched = asyncio.run(scenario())
    assert fetched.robots_tag == tag
    if obey and tag:
        assert (fetched.data, fetched.reason, fetched.final) == (None, "robots_tag", True)
    else:
        assert fetched.data == BODY
