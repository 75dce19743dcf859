"""What is missing of partners, and only that: new catalogues, queues, and what stops them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pending_work.situations import METHODS, apply, ask, asked, choosing, fetch, hold, offer, unreadable

from image_assets.pending_work import AFTER_DIFF, INGEST, PendingWork, notice_newest_release
from resources.ledger import Ledger
from resources.ledger.catalogues import CatalogueVersion
from resources.ledger.gates import accept_gate
from resources.object_store import ObjectStore


def test_in_an_empty_store_nothing_is_pending(store: ObjectStore, ledger: Ledger) -> None:
    assert ask(store, ledger) == PendingWork()


def test_a_new_catalogue_is_work_for_the_whole_ingest_job_under_the_partners_exact_id(
    store: ObjectStore, ledger: Ledger
) -> None:
    for partner_id in ("$abc", "0123", "ünï", "two words", "a:b"):
        offer(store, partner_id)
    pending = ask(store, ledger)
    assert sorted(asked(pending)) == sorted((INGEST, name) for name in ("$abc", "0123", "ünï", "two words", "a:b"))
    assert {work.assets for work in pending.work} == {()}
    assert len({work.key for work in pending.work}) == 5


def test_an_applied_catalogue_with_empty_queues_is_no_work(store: ObjectStore, ledger: Ledger) -> None:
    apply(ledger, offer(store, "alpha"))
    assert ask(store, ledger) == PendingWork()


def test_only_the_newest_catalogue_counts(store: ObjectStore, ledger: Ledger) -> None:
    offer(store, "alpha", "w1")
    apply(ledger, offer(store, "alpha", "w2"))
    assert ask(store, ledger).work == []
    offer(store, "alpha", "w3")
    assert asked(ask(store, ledger)) == [(INGEST, "alpha")]


def test_another_file_under_the_same_name_is_work_again(store: ObjectStore, ledger: Ledger) -> None:
    apply(ledger, offer(store, "alpha", content=b"a"))
    offer(store, "alpha", content=b"other")
    assert asked(ask(store, ledger)) == [(INGEST, "alpha")]


def test_what_is_queued_goes_on_without_reading_the_catalogue_again_largest_first(
    store: ObjectStore, ledger: Ledger
) -> None:
    apply(ledger, offer(store, "small"), images=1)
    apply(ledger, offer(store, "large"), images=3)
    work = ask(store, ledger).work
    assert [(w.partition_key, w.size, w.assets) for w in work] == [("large", 3, AFTER_DIFF), ("small", 1, AFTER_DIFF)]


def test_contents_without_a_fingerprint_are_work_and_given_up_images_are_not(
    store: ObjectStore, ledger: Ledger
) -> None:
    apply(ledger, offer(store, "alpha"), images=1)
    apply(ledger, offer(store, "beta"), images=1)
    fetch(ledger, "alpha", "available", "ab" * 32)
    fetch(ledger, "beta", "failed")
    assert [(w.partition_key, w.size) for w in ask(store, ledger).work] == [("alpha", 1)]


@pytest.mark.parametrize("stop", [hold, unreadable])
def test_behind_a_held_or_unreadable_catalogue_what_was_queued_before_goes_on(
    store: ObjectStore, ledger: Ledger, stop: Callable[[Ledger, CatalogueVersion], None]
) -> None:
    apply(ledger, offer(store, "alpha", "w1"), images=2)
    newest = offer(store, "alpha", "w2")
    before = ask(store, ledger).work
    assert [work.assets for work in before] == [()]
    stop(ledger, newest)
    pending = ask(store, ledger)
    assert [(work.partition_key, work.assets) for work in pending.work] == [("alpha", AFTER_DIFF)]
    assert len(pending.stopped) == 1
    fetch(ledger, "alpha", "failed")
    assert (ask(store, ledger).work, len(ask(store, ledger).stopped)) == ([], 1)


def test_a_held_catalogue_is_work_again_once_it_is_accepted_or_replaced(store: ObjectStore, ledger: Ledger) -> None:
    held = offer(store, "alpha")
    hold(ledger, held)
    assert (ask(store, ledger).work, ask(store, ledger).stopped) == (
        [],
        ["gate deleted_share of catalogue_diffs alpha: deletes much"],
    )
    with ledger.connect() as connection:
        accept_gate(connection, "catalogue_diffs", "alpha", "deleted_share", METHODS.shrink_digest(held))
    assert asked(ask(store, ledger)) == [(INGEST, "alpha")]
    hold(ledger, replaced := offer(store, "alpha", content=b"other"))
    assert ask(store, ledger).work == [], "the acceptance was for the other file"
    assert replaced.etag != held.etag
    offer(store, "alpha", "w2")
    assert asked(ask(store, ledger)) == [(INGEST, "alpha")]


def test_a_held_catalogue_is_work_again_under_another_limit_of_its_partner_only(
    store: ObjectStore, ledger: Ledger
) -> None:
    hold(ledger, offer(store, "alpha"))
    assert asked(ask(store, ledger, choosing("alpha", max_deleted_share=0.9))) == [(INGEST, "alpha")]
    assert asked(ask(store, ledger, choosing("beta", max_deleted_share=0.9))) == []


def test_an_unreadable_catalogue_is_named_with_its_cause_until_another_file_comes(
    store: ObjectStore, ledger: Ledger
) -> None:
    unreadable(ledger, offer(store, "alpha"))
    assert ask(store, ledger).stopped == ["catalogue catalogues/alpha/w1.jsonl: line 1 is no JSON"]
    offer(store, "alpha", content=b"mended")
    assert (asked(ask(store, ledger)), ask(store, ledger).stopped) == ([(INGEST, "alpha")], [])


@pytest.mark.parametrize(
    "key",
    [
        "catalogues/alpha/readme.txt",
        "catalogues/loose.jsonl",
        "catalogues/alpha/2026/w1.jsonl",
        "catalogues/a|b/w1.jsonl",
        "catalogues/a,b/w1.csv",
        "data-releases/r1.json",
        "data-releases/old/r1.csv",
        "data-releases/a|b.csv",
        "data-releases/a...b.csv",
    ],
)
def test_an_object_that_cannot_be_read_is_named_as_a_problem_and_is_no_work(
    store: ObjectStore, ledger: Ledger, key: str
) -> None:
    store.put(key, b"x")
    notice_newest_release(store, ledger)
    pending = ask(store, ledger)
    assert (pending.work, pending.unnoticed) == ([], False)
    assert len(pending.problems) == 1
    assert pending.problems[0].startswith(f"{key}: ")


def test_hidden_files_are_no_problem(store: ObjectStore, ledger: Ledger) -> None:
    store.put("catalogues/alpha/.w1.jsonl.part", b"x")
    store.put("data-releases/.DS_Store", b"x")
    assert ask(store, ledger) == PendingWork()
