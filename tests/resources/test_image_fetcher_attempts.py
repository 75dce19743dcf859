"""Where one request goes and what its status means: the bytes, a redirect, or the one reason that says why not."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp import web
from local_servers import GivenNames, serve
from one_image import BODY, ONCE, answered, one

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


def test_an_image_comes_with_its_bytes() -> None:
    async def scenario() -> None:
        async with serve(lambda request: answered(web.Response(body=BODY))) as base:
            fetched = await one(base + "/a.jpg")
        assert fetched == Fetched("k", BODY, None, False, 1, 200, base + "/a.jpg")

    asyncio.run(scenario())


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
