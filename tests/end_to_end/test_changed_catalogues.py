"""What a new catalogue changes, and what stops one: held, unreadable, with bad rows."""

from __future__ import annotations

from end_to_end.offers import entries, pictures
from end_to_end.world import World
from partner_site import PartnerSite

from image_assets.commands.accepting import accept_held_catalogue


def test_a_catalogue_that_deletes_most_of_a_partner_is_held_until_somebody_accepts_it(
    world: World, site: PartnerSite
) -> None:
    urls = pictures(site, "a", range(6))
    world.offer("alpha", "w1", entries("1", urls))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    world.offer("alpha", "w2", entries("1", urls[:2]))
    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert len(world.galleries()["H1"]) == 6, "nothing of a held catalogue is applied"
    assert ["accept-shrink alpha w2" in line for line in world.pending().stopped] == [True]

    assert accept_held_catalogue(world.ledger, "alpha", "w1") is not None
    assert accept_held_catalogue(world.ledger, "alpha", "w2") is None
    world.release("r3", [("H1", "alpha", "1")])
    world.settle()
    assert len(world.galleries()["H1"]) == 2
    assert not world.pending().stopped


def test_a_deleted_url_leaves_the_next_release(world: World, site: PartnerSite) -> None:
    urls = pictures(site, "a", range(5))
    world.offer("alpha", "w1", entries("1", urls))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    world.offer("alpha", "w2", entries("1", urls[1:]))
    world.settle()
    assert urls[0] in world.galleries()["H1"], "a release is frozen"
    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert sorted(world.galleries()["H1"]) == sorted(urls[1:])


def test_an_updated_url_whose_fetch_fails_loses_its_old_picture(world: World, site: PartnerSite) -> None:
    (kept, changed) = pictures(site, "a", range(2))
    world.offer("alpha", "w1", entries("1", [kept, changed], version="1"))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    site.serve("/a/1.jpg", 404)
    world.offer("alpha", "w2", entries("1", [kept], version="1") + entries("1", [changed], version="2"))
    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert world.galleries() == {"H1": [kept]}
    assert world.outcomes("alpha") == [("available", None, 1), ("rejected", "http_404", 1)]


def test_a_higher_limit_in_the_partners_file_reopens_a_held_catalogue(world: World, site: PartnerSite) -> None:
    urls = pictures(site, "a", range(4))
    world.offer("alpha", "w1", entries("1", urls))
    world.settle()
    world.offer("alpha", "w2", entries("1", urls[:1]))
    world.settle()
    assert world.closed_gates() == ["deleted_share"]
    world.choose("alpha", max_deleted_share=0.8)
    world.settle()
    assert world.pending().stopped == []
    assert world.outcomes("alpha") == [("available", None, 1)]


def test_an_unreadable_catalogue_stops_its_partner_with_the_cause_until_it_is_replaced(
    world: World, site: PartnerSite
) -> None:
    world.store.put("catalogues/alpha/w1.csv", b"hotel,picture\n1,2\n")
    world.settle()
    assert len(world.pending().stopped) == 1
    assert "catalogues/alpha/w1.csv" in world.pending().stopped[0]
    assert "accommodation_id" in world.pending().stopped[0]
    url = pictures(site, "a", range(1))[0]
    world.store.put("catalogues/alpha/w1.csv", f"accommodation_id,url\n1,{url}\n".encode())
    world.settle()
    assert world.pending().stopped == []
    assert world.outcomes("alpha") == [("available", None, 1)]


def test_bad_rows_of_catalogue_and_release_are_kept_with_line_field_and_reason(world: World, site: PartnerSite) -> None:
    url = pictures(site, "a", range(1))[0]
    catalogue = f"accommodation_id,url,position\n$abc,{url},1\n,{url},2\n0123,ftp://x/y.jpg,3\n$abc,{url},4\n"
    world.store.put("catalogues/alpha/w1.csv", catalogue.encode())
    world.release("r1", [("H1", "alpha", "$abc"), ("H2", "alpha", "$abc"), ("H2", "", "x"), ("H1", "nobody", "1")])
    world.settle()
    with world.ledger.connect() as connection:
        rejected = connection.execute("SELECT line, field FROM catalogue_rejects ORDER BY line").fetchall()
        refused = connection.execute("SELECT line, field, reason FROM release_rejects ORDER BY line").fetchall()
        unknown = connection.execute("SELECT unknown_partners, unknown_accommodations FROM data_releases").fetchone()
    assert rejected == [(3, "accommodation_id"), (4, "url"), (5, "url")]
    assert refused[0] == (3, "accommodation_id", "already in hotel H1 on line 2")
    assert refused[1][:2] == (4, "partner_id")
    assert unknown == (1, 1)
    assert world.galleries() == {"H1": [url]}
