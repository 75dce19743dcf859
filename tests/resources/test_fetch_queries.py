"""The fetch queue and its results in the ledger: by host, revalidated, put back in line, listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from fetch_queues import whole_queue

from resources.ledger import Connection, Ledger, catalogues, images
from resources.ledger.catalogues import CatalogueVersion
from resources.ledger.connection import present
from resources.ledger.fetch_queue import (
    count_queued,
    partners_to_recheck,
    queue_due_rechecks,
    queue_rechecks,
    queued_fetches,
    queued_hosts,
    queued_in_store,
    requeue,
    requeue_for_screening,
)
from resources.ledger.fetch_results import FetchResult, failures, outcomes, record_fetches

PARTNER = "ünï"
SHA, OTHER_SHA = "ab" * 32, "cd" * 32


def offer(connection: Connection, urls: list[str]) -> None:
    catalogue = CatalogueVersion(PARTNER, "w1", "k", "e")
    catalogues.open_staging(connection, catalogue)
    rows = [(n, "h", url, n, None, None, None, None, None) for n, url in enumerate(urls)]
    catalogues.stage_entries(connection, PARTNER, rows)
    catalogues.reject_duplicates(connection, catalogue, "k")
    catalogues.apply(connection, catalogue, catalogues.diff(connection, PARTNER))


def result(fetch_key: str, outcome: str = "available", sha256: str | None = SHA, **values: object) -> FetchResult:
    known = FetchResult(fetch_key, outcome, None, 1, 200, sha256, "jpeg", 640, 480, 9)
    return replace(known, **values)  # type: ignore[arg-type]


def record(connection: Connection, *results: FetchResult) -> None:
    record_fetches(connection, PARTNER, results, "m")


def available(connection: Connection, url: str, **values: object) -> str:
    """Offer and fetch one picture; its key."""
    offer(connection, [url])
    (queued,) = whole_queue(connection, PARTNER)
    record(connection, result(queued.fetch_key, **values))
    return queued.fetch_key


def contents(connection: Connection) -> list[tuple[str, str | None]]:
    rows = connection.execute("SELECT outcome, encode(sha256, 'hex') FROM fetch_results ORDER BY 1, 2")
    return rows.fetchall()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://IMG.example.com/a", "img.example.com"),
        ("https://img.example.com:8443/a?b=//c", "img.example.com:8443"),
        ("http://user:s3cret@img.example.com/a", "img.example.com"),
        ("http://bücher.example/ä", "bücher.example"),
        ("http://[2001:db8::1]/a", "[2001:db8::1]"),
        ("http://x?y", "x"),
        ("not a url", ""),
        (f"http://{'x' * 4000}/", "x" * 255),
    ],
)
def test_the_queue_knows_the_host_of_a_url(ledger: Ledger, url: str, host: str) -> None:
    with ledger.connect() as connection:
        offer(connection, [url])
        assert queued_hosts(connection, PARTNER, None, 10) == [host]
        assert [q.url for q in whole_queue(connection, PARTNER)] == [url]


def test_pages_are_drawn_from_several_hosts_at_once(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        offer(connection, [f"http://{host}/{n}" for host in ("c", "a", "b") for n in range(7)])
        assert queued_hosts(connection, PARTNER, None, 2) == ["a", "b"]
        assert queued_hosts(connection, PARTNER, "b", 2) == ["c"]
        first = queued_fetches(connection, PARTNER, {}, {"a": 3, "c": 5})
        after = {host: max(q.fetch_key for q in first if q.host == host) for host in ("a", "c")}
        second = queued_fetches(connection, PARTNER, after, {"a": 10, "c": 10})
    assert [q.host for q in first] == ["a"] * 3 + ["c"] * 5
    assert {q.url for q in first + second} == {f"http://{host}/{n}" for host in "ac" for n in range(7)}
    assert len(second) == 6


def test_a_recheck_carries_what_the_server_said_and_the_picture_stays_until_then(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        available(connection, "http://a/1", etag='"1"', last_modified="Tue, 24 Nov 2026 10:00:00 GMT")
        assert queue_rechecks(connection, PARTNER) == 1
        assert queue_rechecks(connection, PARTNER) == 0, "once is enough"
        (queued,) = whole_queue(connection, PARTNER)
        assert (queued.etag, queued.last_modified) == ('"1"', "Tue, 24 Nov 2026 10:00:00 GMT")
        assert contents(connection) == [("available", SHA)]


@pytest.mark.parametrize(
    ("outcome", "sha256", "left"),
    [
        ("unchanged", None, [("available", SHA)]),
        ("available", OTHER_SHA, [("available", OTHER_SHA)]),
        ("rejected", None, [("rejected", None)]),
    ],
)
def test_what_a_recheck_finds_replaces_the_picture_or_leaves_it(
    ledger: Ledger, outcome: str, sha256: str | None, left: list[tuple[str, str | None]]
) -> None:
    with ledger.connect() as connection:
        key = available(connection, "http://a/1")
        queue_rechecks(connection, PARTNER)
        for _ in range(2):  # a batch whose commit was not heard of is written again
            record(connection, result(key, outcome, sha256, reason=None if sha256 else "why"))
        assert contents(connection) == left
        assert count_queued(connection, PARTNER) == 0
        (fingerprint_queue,) = connection.execute("SELECT count(*) FROM fingerprint_queue").fetchone() or ()
        assert fingerprint_queue == (2 if sha256 else 1)


def test_a_picture_whose_content_was_lost_during_its_recheck_is_fetched_anew(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        key = available(connection, "http://a/1", etag='"1"')
        queue_rechecks(connection, PARTNER)
        images.forget_contents(connection, [SHA])
        record(connection, result(key, "unchanged", None))
        (queued,) = whole_queue(connection, PARTNER)
        assert queued.etag is None, "without its content it must come whole"


def fail_recheck(connection: Connection, key: str, outcome: str = "rejected") -> set[str]:
    """As it is found at the next recheck, by hand or when it is due. What keeps its picture."""
    assert queue_rechecks(connection, PARTNER) == 1
    failed = result(key, outcome, None, reason="why", conclusive=False, etag='"maintenance"', attempts=1)
    kept = record_fetches(connection, PARTNER, [failed], "m")
    assert record_fetches(connection, PARTNER, [failed], "m") == set(), "whose commit was not heard of"
    return kept


def pause(connection: Connection) -> float:
    """Hours until the next recheck."""
    (hours,) = connection.execute("SELECT extract(epoch FROM recheck_at - now())::float8 / 3600 FROM fetch_headers")
    return float(hours[0])


def pass_by(connection: Connection, hours: float) -> None:
    connection.execute(
        """UPDATE fetch_headers SET checked_at = checked_at - %(hours)s * interval '1 hour',
               failing_since = failing_since - %(hours)s * interval '1 hour',
               recheck_at = recheck_at - %(hours)s * interval '1 hour'""",
        {"hours": hours},
    )


@pytest.mark.parametrize("outcome", ["rejected", "failed"])
def test_a_recheck_that_finds_no_picture_leaves_it_and_is_tried_again_after_growing_pauses(
    ledger: Ledger, outcome: str
) -> None:
    with ledger.connect() as connection:
        key = available(connection, "http://a/1", etag='"1"')
        pauses = []
        for _ in range(10):
            assert fail_recheck(connection, key, outcome) == {key}
            assert contents(connection) == [("available", SHA)]
            assert partners_to_recheck(connection, {PARTNER: 0.0}) == set()
            assert queue_due_rechecks(connection, PARTNER, 0.0) == 0, "it rests"
            pauses.append(pause(connection))
        pass_by(connection, pauses[-1])
        assert partners_to_recheck(connection, {}) == {PARTNER}, "without days of its own too"
        assert queue_due_rechecks(connection, PARTNER, None) == 1
        assert [q.etag for q in whole_queue(connection, PARTNER)] == ['"1"'], "not that of the page that came instead"
    assert all(2**n < hours <= 2**n + 1 for n, hours in enumerate(pauses[:7]))
    assert 7 * 24 - 1 < pauses[-1] <= 7 * 24


def test_a_picture_that_comes_back_is_as_if_it_had_never_been_away(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        key = available(connection, "http://a/1")
        for _ in range(3):
            fail_recheck(connection, key)
        queue_rechecks(connection, PARTNER)
        record(connection, result(key, "unchanged", None))
        fail_recheck(connection, key)
        assert pause(connection) <= 2


def test_a_picture_that_no_recheck_has_found_for_a_month_is_gone(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        key = available(connection, "http://a/1")
        for _ in range(5):
            assert fail_recheck(connection, key) == {key}, "many in a few hours are an outage"
        pass_by(connection, 24 * 31)
        assert fail_recheck(connection, key) == set()
        assert contents(connection) == [("rejected", None)]


def test_a_few_failed_rechecks_are_never_enough_however_long_ago_they_began(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        key = available(connection, "http://a/1")
        for _ in range(4):
            pass_by(connection, 24 * 31)
            assert fail_recheck(connection, key) == {key}
        pass_by(connection, 24 * 31)
        assert fail_recheck(connection, key) == set()


def test_rechecks_are_due_some_days_after_the_last_look(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        key = available(connection, "http://a/1")
        assert partners_to_recheck(connection, {PARTNER: 1.0, "nobody": 1.0}) == set()
        connection.execute("UPDATE fetch_headers SET checked_at = now() - interval '25 hours'")
        assert partners_to_recheck(connection, {PARTNER: 1.0}) == {PARTNER}
        assert partners_to_recheck(connection, {PARTNER: 2.0}) == set()
        assert queue_due_rechecks(connection, PARTNER, None) == 0
        assert queue_due_rechecks(connection, PARTNER, 2.0) == 0
        assert queue_due_rechecks(connection, PARTNER, 1.0) == 1
        record(connection, result(key, "unchanged", None))
        assert partners_to_recheck(connection, {PARTNER: 1.0}) == set()


def test_what_becomes_due_after_a_given_time_is_left_to_others(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        key = available(connection, "http://a/1")
        began = present(connection)
        pass_by(connection, 1)
        assert partners_to_recheck(connection, {PARTNER: 1 / 24}, began) == {PARTNER}
        record(connection, result(key, "unchanged", None))
        queue_rechecks(connection, PARTNER)
        record(connection, result(key, "unchanged", None))
        assert partners_to_recheck(connection, {PARTNER: 0.0}, began) == set()
        assert partners_to_recheck(connection, {PARTNER: 0.0}) == {PARTNER}
        fail_recheck(connection, key)
        began = present(connection)
        pass_by(connection, 2)
        assert partners_to_recheck(connection, {}, began) == {PARTNER}
        connection.execute("UPDATE fetch_headers SET recheck_at = %s + interval '1 microsecond'", [began])
        assert partners_to_recheck(connection, {}, began) == set()
        assert partners_to_recheck(connection, {}) == {PARTNER}


def test_what_is_due_soon_is_rechecked_along_with_what_is_due(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        available(connection, "http://a/1")
        connection.execute("UPDATE fetch_headers SET checked_at = now() - interval '22 hours'")
        assert partners_to_recheck(connection, {PARTNER: 1.0}) == set(), "no reason for a run"
        assert queue_due_rechecks(connection, PARTNER, 1.0) == 1


def test_only_pictures_that_are_available_are_ever_rechecked(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        offer(connection, ["http://a/1", "http://a/2"])
        refused, failed = whole_queue(connection, PARTNER)
        record(
            connection,
            result(refused.fetch_key, "rejected", None, reason="robots_tag", robots_tag="noai"),
            result(failed.fetch_key, "failed", None, reason="http_503"),
        )
        assert queue_rechecks(connection, PARTNER) == 0
        assert partners_to_recheck(connection, {PARTNER: 0.0}) == set()


def test_a_class_of_failures_goes_back_in_line(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        offer(connection, [f"http://a/{n}" for n in range(4)])
        kinds = [("failed", "http_503"), ("failed", "dns_failed"), ("rejected", "http_404"), ("available", None)]
        queue = whole_queue(connection, PARTNER)
        record(
            connection,
            *(
                result(q.fetch_key, outcome, SHA if outcome == "available" else None, reason=reason)
                for q, (outcome, reason) in zip(queue, kinds, strict=True)
            ),
        )
        assert requeue(connection, PARTNER, ["http_503"]) == 1
        assert requeue(connection, PARTNER, ["http_404", "no_such_reason"]) == 1
        assert requeue(connection, PARTNER) == 1
        assert outcomes(connection, PARTNER) == [("available", None, 1)]
        assert count_queued(connection, PARTNER) == 3


def screen(
    connection: Connection, screening: str, obey: bool, short: int = 100, formats: Sequence[str] = ("jpeg", "png")
) -> None:
    limits = (["too_small"], short, 100, 10**9, formats)
    requeue_for_screening(connection, PARTNER, screening, *limits, obey)  # type: ignore[arg-type]


def test_opt_outs_are_obeyed_or_not_as_the_choice_is_now(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        screen(connection, "first", obey=False)
        offer(connection, ["http://a/1", "http://a/2"])
        screen(connection, "first", obey=False)
        opted_out, other = whole_queue(connection, PARTNER)
        record(connection, result(opted_out.fetch_key, robots_tag="noai"), result(other.fetch_key))
        screen(connection, "second", obey=True)
        assert contents(connection) == [("available", SHA), ("rejected", None)]
        screen(connection, "third", obey=False)
        assert [q.fetch_key for q in whole_queue(connection, PARTNER)] == [opted_out.fetch_key]


def test_pictures_judged_again_from_the_store_keep_what_their_server_said(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        offer(connection, ["http://a/1"])
        screen(connection, "first", obey=False)
        (queued,) = whole_queue(connection, PARTNER)
        record(connection, result(queued.fetch_key, etag='"1"'))
        queue_rechecks(connection, PARTNER)
        screen(connection, "second", obey=False, short=481)
        (again,) = queued_in_store(connection, PARTNER, None, 10)
        assert whole_queue(connection, PARTNER) == []
        assert again.sha256 == SHA
        record(connection, result(again.fetch_key, attempts=0))
        queue_rechecks(connection, PARTNER)
        assert [q.etag for q in whole_queue(connection, PARTNER)] == ['"1"']


def test_pictures_of_a_format_that_is_not_taken_any_more_are_judged_again(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        screen(connection, "first", obey=False)
        offer(connection, ["http://a/1", "http://a/2"])
        screen(connection, "first", obey=False)
        jpeg, png = whole_queue(connection, PARTNER)
        record(connection, result(jpeg.fetch_key), result(png.fetch_key, sha256=OTHER_SHA, format="png"))
        screen(connection, "second", obey=False, formats=["jpeg", "gif"])
        assert [q.sha256 for q in queued_in_store(connection, PARTNER, None, 10)] == [OTHER_SHA]
        assert contents(connection) == [("available", SHA)]


def test_failures_are_listed_by_reason_without_secrets(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        offer(connection, ["http://user:s3cret@a/1", "http://a/2", "http://a/3"])
        queue = {q.url: q.fetch_key for q in whole_queue(connection, PARTNER)}
        record(
            connection,
            result(queue["http://user:s3cret@a/1"], "rejected", None, reason="credentials_in_url", attempts=0),
            result(queue["http://a/2"], "failed", None, reason="http_503", attempts=3, status=503),
            result(queue["http://a/3"]),
        )
        listed = list(failures(connection, PARTNER))
        assert [tuple(failure)[:5] for failure in listed] == [
            ("failed", "http_503", 3, 503, "http://a/2"),
            ("rejected", "credentials_in_url", 0, 200, "http://a/1"),
        ]
        assert list(failures(connection, PARTNER, "http_503")) == listed[:1]
