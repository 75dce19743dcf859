"""A picture that many hotels show says nothing of any of them: it is found, reported and never published."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from end_to_end.world import World
from partner_site import PartnerSite
from pictures import drawn, jpeg, no_image_available, scaled
from PIL import Image
from plain_pictures import clear_sky, logo, night, pale_wall

from image_assets.image_release.publishing import current_release
from resources.ledger.placeholders import hotels_with_placeholders_only, release_placeholders

HOTELS = [f"H{number}" for number in range(7)]


@pytest.fixture
def world(world: World) -> World:
    """Renditions are not what is tested here: one of each is enough."""
    return replace(world, methods=replace(world.methods, recipes=world.methods.recipes[:1]))


def offer(world: World, site: PartnerSite, extra: dict[str, dict[str, bytes]], own_pictures: list[str]) -> None:
    """Hotels of a partner: each of `own_pictures` has one of its own, all have what `extra` says (path -> bytes)."""
    entries = []
    for number, hotel in enumerate(HOTELS):
        pictures = dict(extra.get(hotel, {}))
        if hotel in own_pictures:
            pictures[f"/{hotel}.jpg"] = jpeg(drawn(number))
        for path, content in pictures.items():
            entries.append({"accommodation_id": hotel, "url": site.serve(path, content)})
    world.offer("alpha", "w1", entries)
    world.release("r1", [(hotel, "alpha", hotel) for hotel in HOTELS])
    world.settle()


def published(world: World) -> dict[str, set[str]]:
    """hotel -> the paths of all its members in the manifest."""
    found: dict[str, set[str]] = {}
    for row in world.manifest():
        paths = {"/" + member["url"].rpartition("/")[2] for member in row["members"]}
        found.setdefault(row["hotel_id"], set()).update(paths)
    return found


def summary(world: World) -> dict:
    current = current_release(world.store)
    assert current is not None
    return json.loads(world.store.get(current["summary"]))


def test_one_placeholder_of_many_hotels_is_never_published_and_is_reported(world: World, site: PartnerSite) -> None:
    shared = {hotel: {"/none.jpg": jpeg(no_image_available())} for hotel in HOTELS}
    offer(world, site, shared, HOTELS)
    assert published(world) == {hotel: {f"/{hotel}.jpg"} for hotel in HOTELS}
    assert not world.pending().stopped
    told = summary(world)
    assert (told["placeholders"], told["placeholder_images"], told["hotels_with_placeholders_only"]) == (1, 7, 0)
    assert told["available_images"] == 7
    with world.ledger.connect() as connection:
        (found,) = release_placeholders(connection, "r1")
    assert (found.reason, found.hotels, found.images, found.contents) == ("many_hotels", 7, 7, 1)
    assert found.url == site.url("/none.jpg")


def test_every_hotels_own_encoding_of_a_placeholder_is_found(world: World, site: PartnerSite) -> None:
    shared = {
        hotel: {f"/none-{n}.jpg": jpeg(scaled(no_image_available(), 1 - n / 12), quality=95 - 9 * n)}
        for n, hotel in enumerate(HOTELS)
    }
    offer(world, site, shared, HOTELS)
    assert published(world) == {hotel: {f"/{hotel}.jpg"} for hotel in HOTELS}


def test_pictures_with_little_in_them_are_published_though_every_hotel_has_one(world: World, site: PartnerSite) -> None:
    plain = {
        hotel: {
            f"/night-{n}.jpg": jpeg(night(n)),
            f"/sky-{n}.jpg": jpeg(clear_sky(n)),
            f"/wall-{n}.jpg": jpeg(pale_wall(n)),
            f"/logo-{n}.jpg": jpeg(logo(f"Hotel {hotel * 3}")),
        }
        for n, hotel in enumerate(HOTELS)
    }
    offer(world, site, plain, HOTELS)
    assert summary(world)["placeholders"] == 0
    assert all(plain[hotel].keys() <= published(world)[hotel] for hotel in HOTELS)


def test_hotels_with_nothing_but_placeholders_close_no_gate_and_are_counted(world: World, site: PartnerSite) -> None:
    shared = {hotel: {"/none.jpg": jpeg(no_image_available())} for hotel in HOTELS}
    offer(world, site, shared, HOTELS[:3])
    assert not world.pending().stopped
    assert set(published(world)) == set(HOTELS[:3])
    assert summary(world)["hotels_with_placeholders_only"] == 4
    with world.ledger.connect() as connection:
        assert hotels_with_placeholders_only(connection, "r1", 3) == HOTELS[3:6]


def test_a_picture_of_no_more_hotels_than_a_chain_may_have_is_published(world: World, site: PartnerSite) -> None:
    shared = {hotel: {"/brand.jpg": jpeg(drawn(99))} for hotel in HOTELS[:5]}
    offer(world, site, shared, HOTELS)
    assert all("/brand.jpg" in published(world)[hotel] for hotel in HOTELS[:5])
    assert summary(world)["placeholders"] == 0


def test_blank_pictures_are_left_out_in_a_single_hotel_too(world: World, site: PartnerSite) -> None:
    blank = {f"/{colour}.jpg": jpeg(Image.new("RGB", (640, 480), colour)) for colour in ("white", "black", "navy")}
    offer(world, site, {"H0": blank}, HOTELS)
    assert published(world)["H0"] == {"/H0.jpg"}
    assert summary(world)["placeholder_images"] == 3


def test_a_placeholder_that_fewer_hotels_show_in_the_next_release_is_a_picture_again(
    world: World, site: PartnerSite
) -> None:
    shared = site.serve("/shared.jpg", jpeg(drawn(99)))
    rows = [(hotel, partner, hotel) for hotel in HOTELS for partner in ("alpha", "beta")]
    world.offer("beta", "w1", [{"accommodation_id": hotel, "url": shared} for hotel in HOTELS])
    offer(world, site, {}, HOTELS)
    world.release("r2", rows)
    world.settle()
    assert not any("/shared.jpg" in paths for paths in published(world).values())

    world.offer("beta", "w2", [{"accommodation_id": hotel, "url": shared} for hotel in HOTELS[:5]])
    world.release("r3", rows)
    world.settle()
    assert not world.pending().stopped
    assert {hotel for hotel, paths in published(world).items() if "/shared.jpg" in paths} == set(HOTELS[:5])
