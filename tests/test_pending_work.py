"""What is missing, and only that: for partners' queues, for changed methods, for a release from file to pointer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from end_to_end.fresh_worlds import fresh_world
from end_to_end.world import World
from fetch_queues import whole_queue
from partner_site import partner_site
from pictures import drawn, jpeg

from image_assets.commands.accepting import accept_closed_release
from image_assets.image_groups import TALK_POLICY
from image_assets.image_release.publishing import CURRENT
from image_assets.methods import Methods
from image_assets.partitions import SHARD_KEYS, shard_keys
from image_assets.pending_work import (
    AFTER_DIFF,
    BUILD,
    INGEST,
    LOAD,
    PUBLISH,
    PendingWork,
    notice_newest_release,
    pending_work,
)
from image_assets.raw_images import ScreeningLimits
from image_assets.renditions import load_recipes
from image_assets.shards import shard_of, stage_digest
from resources.environment import PROJECT
from resources.ledger import Ledger, catalogues, grouping, ranking, release_loading, releases, rendering
from resources.ledger.catalogues import CatalogueVersion
from resources.ledger.fetch_results import FetchResult, record_fetches
from resources.ledger.operations import Gate, accept_gate, record_gate
from resources.object_store import ObjectStore

METHODS = Methods(load_recipes(PROJECT / "renditions.yaml"))
LONG = timedelta(hours=6)
SHARDS = [f"r1|{shard}" for shard in SHARD_KEYS]


def asked(pending: PendingWork) -> list[tuple[str, str]]:
    return [(work.job, work.partition_key) for work in pending.work]


def ask(store: ObjectStore, ledger: Ledger, methods: Methods = METHODS, wait: timedelta = LONG) -> PendingWork:
    return pending_work(store, ledger, methods, SHARD_KEYS, wait)


def offer(store: ObjectStore, partner_id: str, version: str = "w1", content: bytes = b"a") -> CatalogueVersion:
    """A catalogue in the store, as the ledger names it; nobody reads its content here."""
    key = f"catalogues/{partner_id}/{version}.jsonl"
    store.put(key, content)
    etag = next(item.etag for item in store.objects("catalogues") if item.key == key)
    return CatalogueVersion(partner_id, version, key, etag)


def apply(ledger: Ledger, catalogue: CatalogueVersion, images: int = 0, methods: Methods = METHODS) -> None:
    """What an ingest run leaves of a catalogue when it ends before fetching any of its `images`."""
    with ledger.connect() as connection:
        catalogues.open_staging(connection, catalogue)
        rows = [(n, "1", f"http://x/{n}", None, None, None, None, None, None) for n in range(images)]
        catalogues.stage_entries(connection, catalogue.partner_id, rows)
        catalogues.reject_duplicates(connection, catalogue, catalogue.object_key)
        catalogues.apply(connection, catalogue, catalogues.diff(connection, catalogue.partner_id))
        catalogues.close_staging(connection, catalogue.partner_id)
        connection.execute(
            "UPDATE partner_catalogues SET screening = %s, fingerprint_method = %s WHERE partner_id = %s",
            [methods.screening, methods.fingerprint, catalogue.partner_id],
        )


def fetch(ledger: Ledger, partner_id: str, outcome: str, sha256: str | None = None) -> None:
    """Give everything in the partner's queue one outcome."""
    with ledger.connect() as connection:
        results = [
            FetchResult(queued.fetch_key, outcome, None, 1, 200, sha256, "JPEG", 640, 480, 1)
            for queued in whole_queue(connection, partner_id)
        ]
        record_fetches(connection, partner_id, results, METHODS.fingerprint)


def hold(ledger: Ledger, catalogue: CatalogueVersion) -> None:
    with ledger.connect() as connection:
        record_gate(
            connection,
            Gate(
                "catalogue_diffs",
                catalogue.partner_id,
                "deleted_share",
                METHODS.shrink_digest(catalogue),
                False,
                "deletes much",
            ),
        )
        catalogues.record_outcome(connection, catalogue, "held", message="deletes much")


def unreadable(ledger: Ledger, catalogue: CatalogueVersion) -> None:
    with ledger.connect() as connection:
        catalogues.record_outcome(connection, catalogue, "unreadable", message="line 1 is no JSON")


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
    assert asked(ask(store, ledger, replace(METHODS, max_deleted_shares={"alpha": 0.9}))) == [(INGEST, "alpha")]
    assert asked(ask(store, ledger, replace(METHODS, max_deleted_shares={"beta": 0.9}))) == []


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


@pytest.fixture(scope="module")
def published(postgres_url: str) -> Iterator[World]:
    """A world with a published release, which the tests below look at and leave as it was."""
    with partner_site() as site, fresh_world(postgres_url) as world:
        url = site.serve("/1.jpg", jpeg(drawn(1)))
        world.offer("alpha", "w1", [{"accommodation_id": "1", "url": url}])
        world.offer("Ünï", "w1", [{"accommodation_id": "2", "url": site.serve("/2.jpg", 404)}])
        world.release("r1", [("H1", "alpha", "1")])
        world.settle()
        yield world


def with_methods(world: World, **changed: object) -> PendingWork:
    return ask(world.store, world.ledger, replace(world.methods, **changed))  # type: ignore[arg-type]


def test_a_published_world_has_nothing_to_do(published: World) -> None:
    assert published.pending() == PendingWork()


def test_changed_limits_are_work_for_every_partner_and_for_nothing_else(published: World) -> None:
    pending = with_methods(published, limits=ScreeningLimits(minimum_short=10))
    assert asked(pending) == [(INGEST, "alpha"), (INGEST, "Ünï")]
    assert {work.assets for work in pending.work} == {AFTER_DIFF}
    assert with_methods(published, limits=ScreeningLimits(decode_seconds=9)) == PendingWork()


def test_another_fingerprint_algorithm_is_work_for_every_partner_and_the_release_waits_for_it(
    published: World,
) -> None:
    pending = with_methods(published, algorithm="phash")
    assert asked(pending) == [(INGEST, "alpha"), (INGEST, "Ünï")]
    assert len(pending.waiting) == 1
    assert "alpha, Ünï" in pending.waiting[0]


@pytest.mark.parametrize(
    "changed",
    [
        {"recipes": METHODS.recipes[:3]},
        {"recipes": (replace(METHODS.recipes[0], quality=METHODS.recipes[0].quality - 1), *METHODS.recipes[1:])},
        {"trust": {"alpha": 2.0}},
        {"policy": replace(TALK_POLICY, threshold=TALK_POLICY.threshold + 1)},
    ],
    ids=["fewer recipes", "one recipe", "trust", "policy"],
)
def test_changed_recipes_trust_and_policy_are_work_for_every_shard_and_for_no_partner(
    published: World, changed: dict[str, object]
) -> None:
    assert asked(with_methods(published, **changed)) == [(BUILD, key) for key in SHARDS]


def test_the_order_of_recipes_and_of_trusted_partners_changes_nothing(published: World) -> None:
    assert with_methods(published, recipes=published.methods.recipes[::-1]).work == []
    one, other = replace(METHODS, trust={"a": 2.0, "b": 3.0}), replace(METHODS, trust={"b": 3.0, "a": 2.0})
    assert one.ranking == other.ranking


def test_another_limit_on_lost_hotels_is_work_for_the_publication_only(published: World) -> None:
    assert asked(with_methods(published, max_lost_hotels_share=0.5)) == [(PUBLISH, "r1")]


def test_another_number_of_shards_makes_shards_pending_but_nothing_is_to_be_computed(published: World) -> None:
    fewer = shard_keys(3)
    pending = pending_work(published.store, published.ledger, published.methods, fewer, LONG)
    assert asked(pending) == [(BUILD, f"r1|{key}") for key in fewer]
    with published.ledger.connect() as connection:
        for key in fewer:
            shard = shard_of("r1", key, published.methods)
            assert grouping.ungrouped_hotels(connection, shard) == []
            assert ranking.unranked_hotels(connection, shard) == []
            recipes = published.methods.recipe_digests
            assert rendering.unrendered_contents(connection, shard, recipes, published.methods.rendering) == []


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"{",
        b"[]",
        b'{"release_id": "r1"}',
        b'{"release_id": "r0", "manifest": "", "summary": "", "gallery": ""}',
    ],
    ids=["lost", "empty", "cut off", "a list", "half", "elsewhere"],
)
def test_a_pointer_that_is_lost_or_points_elsewhere_is_work_for_the_publication_only(
    published: World, content: bytes | None
) -> None:
    kept = published.store.get(CURRENT)
    try:
        published.store.delete(CURRENT)
        if content is not None:
            published.store.put(CURRENT, content)
        assert asked(published.pending()) == [(PUBLISH, "r1")]
    finally:
        published.store.put(CURRENT, kept)


def test_a_closed_gate_of_a_shard_stops_that_shard_and_names_the_command_that_accepts_it(published: World) -> None:
    methods = replace(published.methods, trust={"alpha": 3.0})
    with published.ledger.connect() as connection:
        release = releases.data_release(connection, "r1")
        assert release is not None
        digest = stage_digest(release, methods, "renditions")
        record_gate(connection, Gate("renditions", SHARDS[0], "renderable", digest, False, "10 of 10 fail."))
        try:
            pending = ask(published.store, published.ledger, methods)
            assert asked(pending) == [(BUILD, key) for key in SHARDS[1:]]
            assert pending.stopped == [
                f"gate renderable of renditions {SHARDS[0]}: 10 of 10 fail. "
                "To publish all the same: image-assets accept-release r1"
            ]
            assert accept_closed_release(published.ledger, "r") is not None
            assert accept_closed_release(published.ledger, "r1") is None
            assert asked(ask(published.store, published.ledger, methods)) == [(BUILD, key) for key in SHARDS]
        finally:
            connection.execute("DELETE FROM gates WHERE gate = 'renderable'")
