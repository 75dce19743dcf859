"""What servers say beside the picture: validators for the next time, and opt-outs."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from local_servers import serve
from one_image import BODY, LOCAL, ONCE, answered, one

from resources.image_fetcher import (
    Fetched,
    FetchRequest,
    fetch_all,
)
from resources.partners import PartnerSettings


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
