"""What is missing of the newest release until it is loaded: noticed by its sensor, its catalogues waited for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from pending_work.situations import apply, ask, asked, fetch, hold, offer, unreadable

from image_assets.pending_work import LOAD, PendingWork, notice_newest_release
from resources.ledger import Ledger, release_loading, releases
from resources.ledger.catalogues import CatalogueVersion
from resources.object_store import ObjectStore


def test_a_release_is_unnoticed_until_its_sensor_wrote_it_down_and_again_when_its_file_changes(
    store: ObjectStore, ledger: Ledger
) -> None:
    store.put("data-releases/r1.csv", b"1")
    assert (ask(store, ledger).unnoticed, ask(store, ledger).work) == (True, [])
    assert notice_newest_release(store, ledger) == "r1"
    assert (ask(store, ledger).unnoticed, asked(ask(store, ledger))) == (False, [(LOAD, "r1")])
    store.put("data-releases/r1.csv", b"changed")
    assert ask(store, ledger).unnoticed


def test_only_the_newest_release_is_work(store: ObjectStore, ledger: Ledger) -> None:
    for release_id in ("2026-W45", "2026-W44", "Ünï 2026"):
        store.put(f"data-releases/{release_id}.csv", b"1")
    assert notice_newest_release(store, ledger) == "Ünï 2026"
    assert asked(ask(store, ledger)) == [(LOAD, "Ünï 2026")]


def noticed(store: ObjectStore, ledger: Ledger) -> None:
    store.put("data-releases/r1.csv", b"1")
    notice_newest_release(store, ledger)


def test_a_release_waits_for_the_catalogues_that_were_there_when_it_was_first_seen(
    store: ObjectStore, ledger: Ledger
) -> None:
    alpha, beta = offer(store, "alpha"), offer(store, "beta")
    noticed(store, ledger)
    assert ask(store, ledger).waiting == ["release r1: waits for the catalogues of alpha, beta"]
    apply(ledger, alpha)
    assert ask(store, ledger).waiting == ["release r1: waits for the catalogues of beta"]
    apply(ledger, beta, images=1)
    assert ask(store, ledger).waiting == ["release r1: waits for the catalogues of beta"], "its images are to come"
    fetch(ledger, "beta", "failed")
    assert asked(ask(store, ledger)) == [(LOAD, "r1")]


def test_a_catalogue_that_arrives_after_the_release_is_not_waited_for(store: ObjectStore, ledger: Ledger) -> None:
    apply(ledger, offer(store, "alpha"))
    noticed(store, ledger)
    offer(store, "beta")
    offer(store, "alpha", "w2")
    assert (LOAD, "r1") in asked(ask(store, ledger))


def test_a_catalogue_that_was_replaced_under_its_name_before_the_release_is_waited_for(
    store: ObjectStore, ledger: Ledger
) -> None:
    apply(ledger, offer(store, "alpha", content=b"a"))
    replaced = offer(store, "alpha", content=b"other")
    noticed(store, ledger)
    assert ask(store, ledger).waiting == ["release r1: waits for the catalogues of alpha"]
    apply(ledger, replaced)
    assert asked(ask(store, ledger)) == [(LOAD, "r1")]


def test_an_older_catalogue_that_is_the_newest_again_is_waited_for(store: ObjectStore, ledger: Ledger) -> None:
    first = offer(store, "alpha", "w1")
    apply(ledger, offer(store, "alpha", "w2"))
    store.delete("catalogues/alpha/w2.jsonl")
    noticed(store, ledger)
    assert ask(store, ledger).waiting == ["release r1: waits for the catalogues of alpha"]
    apply(ledger, first)
    assert asked(ask(store, ledger)) == [(LOAD, "r1")]


def test_where_a_newer_catalogue_took_the_place_of_an_awaited_one_it_settles_the_partner(
    store: ObjectStore, ledger: Ledger
) -> None:
    offer(store, "alpha", "w1")
    noticed(store, ledger)
    apply(ledger, offer(store, "alpha", "w2"))
    assert asked(ask(store, ledger)) == [(LOAD, "r1")]


def test_a_catalogue_that_was_taken_away_is_not_waited_for(store: ObjectStore, ledger: Ledger) -> None:
    offer(store, "alpha")
    noticed(store, ledger)
    store.delete("catalogues/alpha/w1.jsonl")
    assert asked(ask(store, ledger)) == [(LOAD, "r1")]


@pytest.mark.parametrize("stop", [hold, unreadable])
def test_held_and_unreadable_catalogues_count_as_settled(
    store: ObjectStore, ledger: Ledger, stop: Callable[[Ledger, CatalogueVersion], None]
) -> None:
    stopped = offer(store, "alpha")
    noticed(store, ledger)
    stop(ledger, stopped)
    assert asked(ask(store, ledger)) == [(LOAD, "r1")]


def test_after_the_release_wait_a_release_goes_on_without_the_others(store: ObjectStore, ledger: Ledger) -> None:
    offer(store, "alpha")
    noticed(store, ledger)
    assert (LOAD, "r1") not in asked(ask(store, ledger))
    assert (LOAD, "r1") in asked(ask(store, ledger, wait=timedelta(0)))


def test_an_unreadable_release_stops_with_its_cause_until_its_file_changes(store: ObjectStore, ledger: Ledger) -> None:
    noticed(store, ledger)
    with ledger.connect() as connection:
        known = releases.data_release(connection, "r1")
        assert known is not None
        release_loading.record_unreadable(connection, "r1", known.etag, "no column hotel_id")
    assert ask(store, ledger) == PendingWork(stopped=["data release data-releases/r1.csv: no column hotel_id"])
    store.put("data-releases/r1.csv", b"mended")
    notice_newest_release(store, ledger)
    assert asked(ask(store, ledger)) == [(LOAD, "r1")]
