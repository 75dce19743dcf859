"""What a new data release changes: what is computed again, held back and dropped."""

from __future__ import annotations

from end_to_end.offers import entries, pictures
from end_to_end.world import World
from partner_site import PartnerSite

from image_assets.commands.accepting import accept_closed_release


def test_only_hotels_that_changed_are_grouped_and_ranked_again(world: World, site: PartnerSite) -> None:
    one, two, new = pictures(site, "a", range(3))
    world.offer("alpha", "w1", entries("1", [one]) + entries("2", [two]))
    world.release("r1", [("H1", "alpha", "1"), ("H2", "alpha", "2")])
    world.settle()
    world.offer("alpha", "w2", entries("1", [one]) + entries("2", [two, new]))
    world.release("r2", [("H1", "alpha", "1"), ("H2", "alpha", "2")])
    world.settle()
    with world.ledger.connect() as connection:
        computed = connection.execute(
            """SELECT stage, sum(computed)::int FROM shard_builds WHERE release_id = 'r2'
               GROUP BY stage ORDER BY stage"""
        ).fetchall()
    assert computed == [("image_groups", 1), ("priorities", 1), ("renditions", 14)]
    assert site.requests == {"/a/0.jpg": 1, "/a/1.jpg": 1, "/a/2.jpg": 1}


def test_a_release_in_which_many_hotels_lose_their_pictures_is_not_published_until_accepted(
    world: World, site: PartnerSite
) -> None:
    one, two = pictures(site, "a", range(2))
    world.offer("alpha", "w1", entries("1", [one]) + entries("2", [two]))
    world.release("r1", [("H1", "alpha", "1"), ("H2", "alpha", "2")])
    world.settle()
    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert set(world.galleries()) == {"H1", "H2"}, "the current release stays"
    assert ["few_hotels_lost" in line for line in world.pending().stopped] == [True]
    assert world.settle() == [], "a closed gate is not asked again"

    assert accept_closed_release(world.ledger, "r2") is None
    world.settle()
    assert set(world.galleries()) == {"H1"}


def test_replacing_the_file_of_the_current_release_does_not_hide_the_hotels_it_loses(
    world: World, site: PartnerSite
) -> None:
    one, two = pictures(site, "a", range(2))
    world.offer("alpha", "w1", entries("1", [one]) + entries("2", [two]))
    world.release("r1", [("H1", "alpha", "1"), ("H2", "alpha", "2")])
    world.settle()
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    assert world.closed_gates() == ["few_hotels_lost"]
    assert set(world.galleries()) == {"H1", "H2"}


def test_what_older_releases_saw_is_dropped_and_the_newest_stay(world: World, site: PartnerSite) -> None:
    world.offer("alpha", "w1", entries("1", pictures(site, "a", range(1))))
    for release in ("r1", "r2", "r3", "r4"):
        world.release(release, [("H1", "alpha", "1")])
        world.settle()
    with world.ledger.connect() as connection:
        kept = connection.execute("SELECT DISTINCT release_id FROM release_images ORDER BY 1").fetchall()
    assert kept == [("r2",), ("r3",), ("r4",)]
    assert len(list(world.store.objects("image-releases/r1"))) == 3, "published files stay"
