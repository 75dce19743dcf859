"""When a picture is asked for again, and what its partner loses meanwhile: nothing that was good."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from end_to_end.offers import entries, pictures
from end_to_end.world import World
from partner_site import Answer, PartnerSite, partner_site
from pictures import drawn, jpeg

from image_assets.commands.accepting import accept_failing_partner
from image_assets.raw_images import ScreeningLimits
from resources.ledger.fetch_queue import queue_rechecks, requeue

LOGIN = b"<!DOCTYPE html><title>Sign in</title>"


def test_a_server_error_is_tried_three_times_and_again_with_the_next_catalogue(world: World, site: PartnerSite) -> None:
    good, bad = site.serve("/good.jpg", jpeg(drawn(1))), site.serve("/bad.jpg", 500)
    world.offer("alpha", "w1", entries("1", [good, bad]))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    assert site.requests["/bad.jpg"] == 3
    assert ("failed", "http_500", 1) in world.outcomes("alpha")
    assert world.galleries() == {"H1": [good]}

    site.serve("/bad.jpg", jpeg(drawn(2)))
    world.offer("alpha", "w2", entries("1", [good, bad]))
    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert site.requests["/good.jpg"] == 1
    assert sorted(world.galleries()["H1"]) == sorted([good, bad])


def test_failed_images_can_be_put_back_in_line_by_hand(world: World, site: PartnerSite) -> None:
    bad = site.serve("/bad.jpg", [500, 500, 500, jpeg(drawn(1))])
    world.offer("alpha", "w1", entries("1", [bad]))
    world.settle()
    assert world.settle() == []
    with world.ledger.connect() as connection:
        assert requeue(connection, "alpha") == 1
        assert requeue(connection, "nobody") == 0
    world.settle()
    assert world.outcomes("alpha") == [("available", None, 1)]


def test_a_recheck_costs_a_download_only_where_a_picture_changed(world: World, site: PartnerSite) -> None:
    same, changed, gone = pictures(site, "a", range(3))
    for path in site.answers:
        site.headers[path] = {"ETag": f'"{path}"'}
    world.offer("alpha", "w1", entries("1", [same, changed, gone]))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    first = world.manifest_bytes()
    site.serve("/a/1.jpg", jpeg(drawn(9)))
    site.headers["/a/1.jpg"] = {"ETag": '"new"'}
    site.serve("/a/2.jpg", 404)
    site.headers["/a/2.jpg"] = {}

    with world.ledger.connect() as connection:
        assert queue_rechecks(connection, "alpha") == 3
    world.settle()
    assert site.requests == {"/a/0.jpg": 2, "/a/1.jpg": 2, "/a/2.jpg": 2}
    assert world.outcomes("alpha") == [("available", None, 2), ("rejected", "http_404", 1)]
    assert world.manifest_bytes() == first, "what a release sees is frozen"

    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert sorted(world.galleries()["H1"]) == sorted([same, changed])
    published = {row["url"]: row["sha256"] for row in world.manifest()}
    assert published[changed] == hashlib.sha256(jpeg(drawn(9))).hexdigest()


def test_an_hour_of_maintenance_takes_no_picture_away_and_what_is_gone_goes(world: World, site: PartnerSite) -> None:
    answers: list[Answer] = [403, 401, 503, LOGIN, b"", jpeg(drawn(8))[:2000], 404, 410, jpeg(drawn(7, 120, 90))]
    urls = pictures(site, "a", range(len(answers)))
    found = urls[:6]
    world.offer("alpha", "w1", entries("1", urls))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    for number, answer in enumerate(answers):
        site.serve(f"/a/{number}.jpg", answer)
    with world.ledger.connect() as connection:
        assert queue_rechecks(connection, "alpha") == len(answers)
    world.settle()
    assert world.settle() == [], "the next try is later"
    assert world.outcomes("alpha") == [
        ("available", None, len(found)),
        ("rejected", "http_404", 1),
        ("rejected", "http_410", 1),
        ("rejected", "short_side_below_minimum", 1),
    ]
    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert sorted(world.galleries()["H1"]) == sorted(found)

    for number in range(len(found)):
        site.serve(f"/a/{number}.jpg", jpeg(drawn(20 + number)))
    with world.ledger.connect() as connection:
        connection.execute("UPDATE fetch_headers SET recheck_at = now() WHERE recheck_at IS NOT NULL")
    assert len(world.settle()) == 1, "asked again by itself"
    world.release("r3", [("H1", "alpha", "1")])
    world.settle()
    published = {row["url"]: row["sha256"] for row in world.manifest()}
    assert published == {url: hashlib.sha256(jpeg(drawn(20 + number))).hexdigest() for number, url in enumerate(found)}


def test_pictures_are_rechecked_by_themselves_only_after_the_days_their_partner_chose(
    world: World, site: PartnerSite
) -> None:
    world.offer("alpha", "w1", entries("1", pictures(site, "a", range(2))))
    world.settle()
    with world.ledger.connect() as connection:
        connection.execute("UPDATE fetch_headers SET checked_at = now() - interval '8 days'")
    assert world.settle() == []
    world.choose("alpha", recheck_after=7.0)
    assert len(world.settle()) == 1
    assert site.requests == {"/a/0.jpg": 2, "/a/1.jpg": 2}
    assert world.settle() == []


def test_a_partner_most_of_whose_images_fail_keeps_its_pictures_of_the_last_release(
    world: World, site: PartnerSite
) -> None:
    world.choose("alpha", attempts=1, host_patience_seconds=0.1, backoff_seconds=0.0)
    good, better = pictures(site, "good", range(2)), pictures(site, "better", range(5, 7))
    with partner_site() as nobody:
        broken = [nobody.url(f"/{number}.jpg") for number in range(110)]
    world.offer("alpha", "w1", entries("1", good))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()

    world.offer("alpha", "w2", entries("1", [*broken, *better]))
    world.choose("alpha", max_deleted_share=1.0)
    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert world.closed_gates() == ["failed_share"]
    (stopped,) = world.pending().stopped
    assert "of 1" in stopped
    assert "pictures of release r1" in stopped
    assert sorted(world.galleries()["H1"]) == sorted(good)

    assert accept_failing_partner(world.ledger, "alpha") is None
    assert world.pending().stopped == []
    world.release("r3", [("H1", "alpha", "1")])
    world.settle()
    assert sorted(world.galleries()["H1"]) == sorted(better)


def test_opt_outs_of_a_server_are_recorded_and_obeyed_where_chosen(world: World, site: PartnerSite) -> None:
    plain, opted_out = pictures(site, "a", range(2))
    site.headers["/a/1.jpg"] = {"X-Robots-Tag": "noimageai, noai"}
    world.offer("alpha", "w1", entries("1", [plain, opted_out]))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    assert sorted(world.galleries()["H1"]) == sorted([plain, opted_out])

    world.choose("alpha", obey_robots_tag=True)
    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert world.galleries() == {"H1": [plain]}
    assert ("rejected", "robots_tag", 1) in world.outcomes("alpha")
    assert site.requests == {"/a/0.jpg": 1, "/a/1.jpg": 1}


def test_changed_limits_judge_what_was_kept_without_a_new_request(world: World, site: PartnerSite) -> None:
    small = site.serve("/small.jpg", jpeg(drawn(1, 240, 180)))
    large = site.serve("/large.jpg", jpeg(drawn(2)))
    world.offer("alpha", "w1", entries("1", [small, large]))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    assert world.galleries() == {"H1": [large]}

    world.methods = replace(world.methods, limits=ScreeningLimits(minimum_short=100, minimum_long=200))
    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert sorted(world.galleries()["H1"]) == sorted([small, large])
    assert site.requests == {"/small.jpg": 1, "/large.jpg": 1}
