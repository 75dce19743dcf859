"""A hotel's image groups are the same whatever the shard that it is in, and the hotels that are read with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from end_to_end.world import World
from partner_site import PartnerSite
from pictures import drawn, jpeg, scaled

from image_assets.commands.deciding import decide
from image_assets.image_groups import ALIGNED_POLICY
from image_assets.image_groups.asset import batches, group_hotel
from image_assets.partitions import shard_keys
from image_assets.shards import shard_of, whole_release
from resources.ledger import Connection, grouping, release_loading
from resources.ledger.grouping import GroupedHotel
from resources.ledger.shards import Shard

HOTELS = [f"H{number}" for number in range(6)]


def versions(seed: int) -> dict[str, bytes]:
    scene = drawn(seed)
    return {
        f"/{seed}.jpg": jpeg(scene),
        f"/{seed}-small.jpg": jpeg(scaled(scene, 0.6), 60),
        f"/{seed}-cut.jpg": jpeg(scene.crop((120, 0, 640, 480))),
        f"/{seed}-other.jpg": jpeg(drawn(seed + 100)),
    }


@pytest.fixture
def world(world: World, site: PartnerSite) -> World:
    """Six hotels, of which some share pictures; people parted two."""
    world = replace(world, methods=replace(world.methods, recipes=world.methods.recipes[:1]))
    entries = []
    for number, hotel in enumerate(HOTELS):
        for path, data in {**versions(number), **versions(number // 2 + 50)}.items():
            entries.append({"accommodation_id": hotel, "url": site.serve(path, data)})
    world.offer("alpha", "w1", entries)
    world.release("r1", [(hotel, "alpha", hotel) for hotel in HOTELS])
    world.settle()
    with world.ledger.connect() as connection:
        hotels = grouping.hotel_contents(connection, everything(world), HOTELS, world.methods.fingerprint)
    parted = next(link for hotel in hotels for link in group_hotel(hotel, world.methods.policy).links)
    decide(world.ledger, False, parted.a, parted.b, None)
    with world.ledger.connect() as connection:
        release_loading.apply_decisions(connection, "r1")
    return world


def everything(world: World) -> Shard:
    return whole_release("r1", world.methods)


def made(connection: Connection, world: World, shard: Shard, most_hotels: int, most_images: int) -> list[GroupedHotel]:
    todo = grouping.ungrouped_hotels(connection, shard)
    return [
        group_hotel(hotel, world.methods.policy)
        for batch in batches(todo, most_hotels, most_images)
        for hotel in grouping.hotel_contents(connection, shard, batch, world.methods.fingerprint)
    ]


def test_groups_links_and_flags_are_the_same_in_any_shard_and_batch(world: World) -> None:
    # Another threshold: all hotels are to be grouped again.
    world = replace(world, methods=replace(world.methods, policy=replace(ALIGNED_POLICY, threshold=0.61)))
    with world.ledger.connect() as connection:
        expected = {hotel.hotel_id: hotel for hotel in made(connection, world, everything(world), 100, 10_000)}
        assert list(expected) == HOTELS
        assert all(len(hotel.groups) < 8 and hotel.links for hotel in expected.values())
        assert any(hotel.parted for hotel in expected.values())
        for shards, most_hotels, most_images in [(1, 1, 10_000), (1, 4, 17), (3, 100, 10_000), (64, 2, 1)]:
            found = [
                hotel
                for key in shard_keys(shards)
                for hotel in made(connection, world, shard_of("r1", key, world.methods), most_hotels, most_images)
            ]
            assert {hotel.hotel_id: hotel for hotel in found} == expected
            assert len(found) == len(HOTELS)
