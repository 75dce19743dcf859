"""Objects that somebody deleted from the store come again, and no release lists one that is missing."""

from __future__ import annotations

from dataclasses import replace

from end_to_end.offers import entries, pictures
from end_to_end.world import World
from partner_site import PartnerSite

from image_assets.commands.accepting import accept_closed_release
from image_assets.image_release.publishing import current_release
from resources.object_store import raw_image_key


def test_a_rendition_that_is_gone_from_the_store_is_made_again_before_anything_is_published(
    world: World, site: PartnerSite
) -> None:
    world.offer("alpha", "w1", entries("1", pictures(site, "a", range(1))))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    gone = world.manifest()[0]["renditions"][3]["key"]
    world.store.delete(gone)
    world.release("r2", [("H1", "alpha", "1")])
    done = world.settle()
    assert [work.job for work in done].count("publish_image_release") == 1
    assert world.closed_gates() == ["renditions_in_store"]
    assert accept_closed_release(world.ledger, "r2") is not None, "missing files cannot be accepted"
    world.settle()
    assert world.closed_gates() == []
    assert gone in {rendition["key"] for row in world.manifest() for rendition in row["renditions"]}
    assert world.store.get(gone)
    assert current_release(world.store)["release_id"] == "r2"  # type: ignore[index]


def test_an_original_that_is_gone_from_the_store_is_fetched_again_and_stops_nothing(
    world: World, site: PartnerSite
) -> None:
    lost, kept = pictures(site, "a", range(2))
    world.offer("alpha", "w1", entries("1", [lost, kept]))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    sha256 = next(row["sha256"] for row in world.manifest() if row["url"] == lost)
    world.store.delete(raw_image_key(sha256))
    first, *rest = world.methods.recipes
    world.methods = replace(world.methods, recipes=(replace(first, quality=first.quality - 5), *rest))
    world.settle()
    assert site.requests["/a/0.jpg"] == 2
    assert world.store.get(raw_image_key(sha256))
    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert sorted(world.galleries()["H1"]) == sorted([lost, kept])
