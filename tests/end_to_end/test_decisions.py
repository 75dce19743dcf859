"""What people decide on two pictures takes effect in the newest release, in exactly the hotels that show both."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from end_to_end.world import World
from partner_site import PartnerSite
from pictures import drawn, jpeg, scaled

from image_assets.commands.deciding import decide, undecide
from image_assets.pending_work import LOAD

PICTURES = {
    "lobby": jpeg(drawn(1)),
    "lobby, small": jpeg(scaled(drawn(1), 0.7)),
    "pool": jpeg(drawn(2)),
    "garden": jpeg(drawn(3)),
}
SHA256 = {name: hashlib.sha256(content).hexdigest() for name, content in PICTURES.items()}
NAME = {sha256: name for name, sha256 in SHA256.items()}


@pytest.fixture
def world(world: World) -> World:
    """Renditions are not what is tested here: one of each is enough."""
    return replace(world, methods=replace(world.methods, recipes=world.methods.recipes[:1]))


def offer(world: World, site: PartnerSite, hotels: dict[str, list[str]]) -> None:
    """Two weeks' worth of one partner: the pictures of each hotel, and the release."""
    for name, content in PICTURES.items():
        site.serve(f"/{name.replace(', ', '-')}.jpg", content)
    entries = [
        {"accommodation_id": hotel, "url": site.url(f"/{name.replace(', ', '-')}.jpg")}
        for hotel, names in hotels.items()
        for name in names
    ]
    world.offer("alpha", "w1", entries)
    world.release("r1", [(hotel, "alpha", hotel) for hotel in hotels])
    world.settle()


def groups(world: World) -> dict[str, set[frozenset[str]]]:
    """hotel -> its published image groups, by the names of their pictures."""
    found: dict[str, set[frozenset[str]]] = {}
    for row in world.manifest():
        members = frozenset(NAME[member["sha256"]] for member in row["members"])
        found.setdefault(row["hotel_id"], set()).add(members)
    return found


def computed(world: World) -> int:
    """Hotels that the last build of the shards had to group."""
    with world.ledger.connect() as connection:
        rows = connection.execute("SELECT computed FROM shard_builds WHERE stage = 'image_groups'").fetchall()
    return sum(row[0] for row in rows)


def apart(*names: str) -> set[frozenset[str]]:
    return {frozenset([name]) for name in names}


BOTH = frozenset(["lobby", "lobby, small"])


def test_different_splits_the_pair_in_the_newest_release_and_computes_only_hotels_with_both(
    world: World, site: PartnerSite
) -> None:
    offer(world, site, {"H1": ["lobby", "lobby, small", "pool"], "H2": ["lobby", "pool"], "H3": ["lobby, small"]})
    assert groups(world)["H1"] == {BOTH, frozenset(["pool"])}

    decide(world.ledger, False, SHA256["lobby"], SHA256["lobby, small"], None)
    done = world.settle()

    assert done[0].job == LOAD
    assert groups(world) == {
        "H1": apart("lobby", "lobby, small", "pool"),
        "H2": apart("lobby", "pool"),
        "H3": apart("lobby, small"),
    }
    assert computed(world) == 1
    assert world.pending().work == []


def test_same_merges_two_pictures_that_do_not_look_alike_and_the_release_says_why(
    world: World, site: PartnerSite
) -> None:
    offer(world, site, {"H1": ["lobby", "pool", "garden"]})
    decide(world.ledger, True, SHA256["pool"], SHA256["garden"], "both show the terrace")
    world.settle()
    assert groups(world)["H1"] == {frozenset(["lobby"]), frozenset(["pool", "garden"])}


def test_a_decision_taken_back_leads_to_the_manifest_from_before(world: World, site: PartnerSite) -> None:
    offer(world, site, {"H1": ["lobby", "lobby, small", "pool"]})
    before = world.manifest_bytes()
    decide(world.ledger, False, SHA256["lobby"], SHA256["lobby, small"], None)
    world.settle()
    assert world.manifest_bytes() != before
    undecide(world.ledger, SHA256["lobby"], SHA256["lobby, small"])
    world.settle()
    assert world.manifest_bytes() == before


def test_a_decision_that_no_hotel_of_the_release_shows_changes_and_computes_nothing(
    world: World, site: PartnerSite
) -> None:
    offer(world, site, {"H1": ["lobby", "garden"], "H2": ["pool"]})
    before = world.manifest_bytes()
    decide(world.ledger, True, SHA256["lobby"], SHA256["pool"], None)
    assert [work.job for work in world.settle()] == [LOAD]
    assert world.manifest_bytes() == before


def test_a_decision_holds_in_the_next_release_without_being_made_again(world: World, site: PartnerSite) -> None:
    offer(world, site, {"H1": ["lobby", "lobby, small"]})
    decide(world.ledger, False, SHA256["lobby"], SHA256["lobby, small"], None)
    world.release("r2", [("H1", "alpha", "H1"), ("H9", "alpha", "H9")])
    world.settle()
    assert groups(world) == {"H1": apart("lobby", "lobby, small")}
