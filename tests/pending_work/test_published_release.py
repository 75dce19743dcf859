"""What is missing of a published release: nothing, until methods, gates or the pointer change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from end_to_end.fresh_worlds import fresh_world
from end_to_end.world import World
from partner_site import partner_site
from pending_work.situations import LONG, METHODS, ask, asked
from pictures import drawn, jpeg

from image_assets.commands.accepting import accept_closed_release
from image_assets.image_groups import TALK_POLICY
from image_assets.image_release.publishing import CURRENT
from image_assets.partitions import SHARD_KEYS, shard_keys
from image_assets.pending_work import AFTER_DIFF, BUILD, INGEST, PUBLISH, PendingWork, pending_work
from image_assets.raw_images import ScreeningLimits
from image_assets.shards import shard_of, stage_digest
from resources.ledger import grouping, ranking, releases, rendering
from resources.ledger.gates import Gate, record_gate
from resources.partners import PartnerSettings

SHARDS = [f"r1|{shard}" for shard in SHARD_KEYS]


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
        {"partners": {"alpha": PartnerSettings("alpha", trust=2.0)}},
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
    trusted = [PartnerSettings("a", trust=2.0), PartnerSettings("b", trust=3.0)]
    one, other = ({settings.partner_id: settings for settings in order} for order in (trusted, trusted[::-1]))
    assert replace(METHODS, partners=one).ranking == replace(METHODS, partners=other).ranking != METHODS.ranking


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
            assert rendering.find_unrendered(connection, shard, recipes, published.methods.rendering) == 0


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
    settings = replace(published.methods.partner("alpha"), trust=3.0)
    methods = replace(published.methods, partners={**published.methods.partners, "alpha": settings})
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
