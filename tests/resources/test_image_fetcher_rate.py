"""Hosts that answer 429 are asked nearly as often as they allow, and not ever more slowly. Real servers, own clock."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from clocked_loop import run_clocked
from hypothesis import given
from hypothesis import strategies as st
from local_servers import serve

from resources.image_fetcher import Fetched, FetchRequest, fetch_all
from resources.image_fetcher.request_rate import RequestRate
from resources.partners import PartnerSettings

LOCAL = PartnerSettings("acme", allow_private_addresses=True)


def bucket(per_second: float, burst: float) -> Callable[[float], bool]:
    """A token bucket, as most servers have: says for a request's time whether it is let in."""
    tokens, before = burst, 0.0

    def let_in(now: float) -> bool:
        nonlocal tokens, before
        tokens, before = min(tokens + (now - before) * per_second, burst), now
        if tokens < 1:
            return False
        tokens -= 1
        return True

    return let_in


def quota(requests: int, seconds: float) -> Callable[[float], bool]:
    """So many requests in each minute, say."""
    used: dict[int, int] = {}

    def let_in(now: float) -> bool:
        window = int(now / seconds)
        used[window] = used.get(window, 0) + 1
        return used[window] <= requests

    return let_in


def at_random(share: float) -> Callable[[float], bool]:
    """Refuses that share of the requests, whenever they come."""
    drawn = random.Random(5)
    return lambda now: drawn.random() >= share


@dataclass
class Told:
    """What the server saw: when requests came that it took, and that it refused; and what came of the images."""

    taken: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    fetched: list[Fetched] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.taken) / self.taken[-1]

    @property
    def share_refused(self) -> float:
        return len(self.refused) / (len(self.taken) + len(self.refused))


def fetch_from(let_in: Callable[[float], bool], images: int, retry_after: Callable[[float], int] | None = None) -> Told:
    """Fetch so many images of a server that answers after 50 ms, 429 where they are not let in."""
    told = Told()

    async def main() -> None:
        clock = asyncio.get_running_loop().time

        async def handler(request: web.Request) -> web.Response:
            now = clock()
            welcome = let_in(now)
            (told.taken if welcome else told.refused).append(now)
            await asyncio.sleep(0.05)
            if welcome:
                return web.Response(body=b"x")
            return web.Response(status=429, headers={"Retry-After": str(retry_after(now))} if retry_after else {})

        async with serve(handler) as base:
            requests = [FetchRequest(number, f"{base}/{number}") for number in range(images)]
            told.fetched = [one async for one in fetch_all(requests, LOCAL)]

    run_clocked(main())
    return told


@pytest.mark.parametrize(
    ("allowed", "burst", "images", "share"),
    [(1, 1, 100, 0.25), (5, 5, 200, 0.2), (50, 10, 800, 0.08), (200, 50, 1500, 0.02)],
)
def test_a_host_is_asked_nearly_as_often_as_it_allows(allowed: int, burst: int, images: int, share: float) -> None:
    told = fetch_from(bucket(allowed, burst), images)
    assert told.per_second >= 0.7 * allowed
    assert told.share_refused <= share
    assert sum(one.data is None for one in told.fetched) <= images / 100


def test_a_host_that_refuses_a_tenth_at_random_is_not_asked_ever_more_slowly() -> None:
    told = fetch_from(at_random(0.1), 500)
    middle = told.taken[len(told.taken) // 2]
    assert told.per_second >= 3
    assert len([now for now in told.taken if now > middle]) / (told.taken[-1] - middle) >= 2


def test_a_quota_by_the_minute_is_used_in_each_minute() -> None:
    told = fetch_from(quota(60, 60), 240)
    assert told.taken[-1] < 5 * 60
    assert told.share_refused < 0.4
    assert all(one.data == b"x" for one in told.fetched)


def test_a_host_that_names_the_time_of_its_next_quota_is_not_asked_before() -> None:
    """Each refusal says when the minute is over, longer than the patience with a host that is broken."""
    told = fetch_from(quota(300, 60), 1000, lambda now: math.ceil(60 - now % 60))
    assert all(one.data == b"x" for one in told.fetched)
    assert told.taken[-1] < 4 * 60
    first_refusals = [
        min((now for now in told.refused if int(now / 60) == minute), default=None) for minute in range(4)
    ]
    for minute, refused in enumerate(first_refusals):
        if refused is not None:
            asked = [now for now in told.taken + told.refused if refused + 0.051 < now < 60 * (minute + 1)]
            assert asked == [], "but for what was under way when the first refusal came"


def test_refusals_of_requests_under_way_together_count_once() -> None:
    one, many = (RequestRate(None, 0.0) for _ in range(2))
    for rate in (one, many):
        for number in range(8):
            rate.start(number / 100)
            rate.answered(number / 100 + 0.005)
    one.refused(0.2, 0.1)
    for number in range(8):
        many.refused(0.2 + number / 1000, 0.1 + number / 1000)
    assert many.spacing == one.spacing


@given(
    st.one_of(st.none(), st.floats(0.2, 500)),
    st.lists(st.tuples(st.booleans(), st.floats(0.0, 30.0)), max_size=200),
    st.sampled_from([0.0, 0.1]),
)
def test_whatever_is_answered_the_partners_limit_holds_and_a_host_is_asked_again_soon(
    per_second: float | None, answers: list[tuple[bool, float]], latency: float
) -> None:
    rate = RequestRate(per_second, 0.0)
    now = 0.0
    for good, pause in answers:
        now = max(now + pause, rate.next_at())
        rate.start(now)
        if good:
            rate.answered(now + latency)
        else:
            rate.refused(now + latency, now)
        now += latency
        assert (1 / per_second if per_second else 0.0) <= rate.spacing <= 10.0 + 1e-9
        assert rate.next_at() <= now + 10.0
        assert rate.slowed == (rate.spacing > (1 / per_second if per_second else 0.0))
