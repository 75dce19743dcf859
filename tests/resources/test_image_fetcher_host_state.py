"""One host on a clock of the test's own: window, spacing, pauses, circuit."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from resources.image_fetcher.hosts import Host, HostCounts
from resources.image_fetcher.limits import FetchLimits

LIMITS = FetchLimits()


def new_host(most: int = 16, per_second: float | None = None) -> Host:
    return Host("a.test", most, per_second, LIMITS, 0.0)


def room(host: Host) -> int:
    """How many requests fit beside those in flight."""
    started = 0
    while host.has_room():
        host.start(0.0)
        started += 1
    for _ in range(started):
        host.end()
    return started


def answer(host: Host, now: float, latency: float = 0.05) -> None:
    host.start(now - latency)
    host.answered(now, now - latency, latency, 1000)
    host.end()


def fail(host: Host, now: float, latency: float | None = 0.05, first: bool = True) -> None:
    host.start(now - 0.05)
    host.failed(now, now - 0.05, latency, "http_500", first_attempt=first)
    host.end()


def test_the_window_grows_with_answers_up_to_the_limit() -> None:
    host = new_host()
    before = room(host)
    for second in range(1, 40):
        answer(host, float(second))
    assert before == 4
    assert room(host) == 16


def test_an_error_halves_the_window_once_a_round() -> None:
    host = new_host()
    for second in range(1, 40):
        answer(host, float(second))
    for _ in range(5):  # all of them were under way together
        host.failed(50.0, 49.0, 0.1, "http_500", first_attempt=False)
    assert room(host) == 8
    fail(host, 60.0)
    assert room(host) == 4


def test_rising_latency_narrows_the_window_and_falling_latency_opens_it_again() -> None:
    host = new_host()
    for second in range(1, 40):
        answer(host, float(second), 0.05)
    for second in range(40, 60):
        answer(host, float(second), 0.6)
    slow = room(host)
    for second in range(60, 200):
        answer(host, float(second), 0.05)
    assert slow == 4, "latency alone leaves a host what it starts with"
    assert room(host) == 16


def test_a_host_that_is_always_slow_is_not_narrowed() -> None:
    host = new_host()
    for second in range(1, 60):
        answer(host, float(second), 3.0)
    assert room(host) == 16


def test_requests_are_spaced_without_a_burst_after_a_quiet_time() -> None:
    host = new_host(per_second=2.0)
    host.start(0.0)
    assert host.ready_at() == 0.5
    host.start(100.0)
    assert host.ready_at() >= 100.4


def test_429_without_a_time_slows_the_host_down_and_answers_speed_it_up_again() -> None:
    host = new_host()
    host.start(1.0)
    host.asked_to_wait(1.1, 1.0, 0.1, "http_429", None)
    host.end()
    host.start(2.0)
    spaced = host.ready_at() - 2.0
    for second in range(3, 200):
        answer(host, float(second))
    host.start(500.0)
    assert host.state(500.0) == "slowed"
    assert 0.0 < host.ready_at() - 500.0 < spaced / 2


def test_a_host_that_answers_429_and_nothing_else_is_given_up_though_it_names_no_time() -> None:
    host = new_host()
    now, asked = 1.0, 0
    while not host.given_up(now):
        now = max(host.ready_at(), now)
        host.start(now)
        host.asked_to_wait(now + 0.1, now, 0.1, "http_429", None)
        host.end()
        now, asked = now + 0.1, asked + 1
        assert asked < 100
    assert 1.0 + 9 * LIMITS.host_patience_seconds < now <= 1.0 + 10 * LIMITS.host_patience_seconds


def test_the_circuit_opens_lets_a_probe_through_and_closes_when_it_is_answered() -> None:
    host = new_host()
    for number in range(5):
        fail(host, 1 + number, latency=None)
    assert host.open
    assert room(host) == 1
    assert host.ready_at() == 6.0
    answer(host, 7.0)
    assert not host.open
    assert host.state(7.0) == "slowed"


def test_probes_come_at_growing_pauses_until_the_host_is_given_up() -> None:
    host = new_host()
    now, pauses = 1.0, []
    for _ in range(5):
        fail(host, now, latency=None)
    while not host.given_up(now):
        pauses.append(host.ready_at() - now)
        now = host.ready_at()
        fail(host, now)
    assert pauses == [1, 2, 4, 8]
    assert now - 1 < LIMITS.host_patience_seconds


def test_a_host_that_was_given_up_is_asked_again_later_and_forgiven() -> None:
    host = new_host()
    now = 1.0
    for _ in range(5):
        fail(host, now, latency=None)
    while not host.given_up(now):
        now = host.ready_at()
        fail(host, now)
    now = host.ready_at()
    assert not host.given_up(now)
    answer(host, now)
    assert not host.given_up(now)
    assert not host.open


def test_further_attempts_at_broken_images_do_not_open_the_circuit() -> None:
    host = new_host()
    for number in range(100):
        fail(host, 1.0 + number, first=False)
    assert not host.open


@given(st.lists(st.floats(0.001, 30), min_size=1, max_size=200), st.sampled_from([0.5, 0.95]))
def test_a_shown_latency_is_that_share_of_the_answers_to_a_fifth(latencies: list[float], share: float) -> None:
    host = new_host()
    for number, latency in enumerate(latencies):
        host.start(float(number))
        host.answered(float(number), float(number), latency, 0)
    exact = sorted(latencies)[math.ceil(share * len(latencies)) - 1]
    shown = host.counts.latency(share)
    assert shown is not None
    assert exact * 0.999 <= shown <= exact * 1.2001


def test_counts_of_several_hosts_add_up() -> None:
    hosts = [new_host(), new_host()]
    for host in hosts:
        answer(host, 2.0)
        fail(host, 3.0)
    total = HostCounts()
    for host in hosts:
        total.add(host.counts)
    total.add(HostCounts())
    assert (total.requests, total.errors, total.bytes, total.seconds) == (4, 2, 2000, 3.0)
    assert total.last_fault == "http_500"
    assert HostCounts().latency(0.5) is None
