"""What a change costs, and what it must not lose: catalogues, limits, recipes, gates."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from end_to_end.world import World
from partner_site import Answer, PartnerSite, partner_site
from pictures import drawn, jpeg
from PIL import Image

from image_assets.commands.accepting import accept_closed_release, accept_failing_partner, accept_held_catalogue
from image_assets.image_release.publishing import current_release
from image_assets.raw_images import ScreeningLimits
from image_assets.renditions import Recipe
from image_assets.shards import whole_release
from resources.ledger.fetch_queue import queue_rechecks, requeue
from resources.ledger.gates import all_gates
from resources.ledger.rendering import recipe_sizes
from resources.object_store import raw_image_key


def entries(accommodation: str, urls: Sequence[str], **fields: str) -> list[dict[str, str]]:
    return [{"accommodation_id": accommodation, "url": url, **fields} for url in urls]


def pictures(site: PartnerSite, name: str, seeds: range) -> list[str]:
    return [site.serve(f"/{name}/{seed}.jpg", jpeg(drawn(seed))) for seed in seeds]


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def closed_gates(world: World) -> list[str]:
    with world.ledger.connect() as connection:
        return [gate.gate for gate in all_gates(connection) if gate.closed]


def outcomes(world: World, partner_id: str) -> list[tuple[str, str | None, int]]:
    with world.ledger.connect() as connection:
        return connection.execute(
            "SELECT outcome, reason, count(*) FROM fetch_results WHERE partner_id = %s GROUP BY 1, 2 ORDER BY 1, 2",
            [partner_id],
        ).fetchall()


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
    assert outcomes(world, "alpha") == [("available", None, 1), ("rejected", "http_404", 1)]


def test_a_server_error_is_tried_three_times_and_again_with_the_next_catalogue(world: World, site: PartnerSite) -> None:
    good, bad = site.serve("/good.jpg", jpeg(drawn(1))), site.serve("/bad.jpg", 500)
    world.offer("alpha", "w1", entries("1", [good, bad]))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    assert site.requests["/bad.jpg"] == 3
    assert ("failed", "http_500", 1) in outcomes(world, "alpha")
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
    assert outcomes(world, "alpha") == [("available", None, 1)]


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
    assert outcomes(world, "alpha") == [("available", None, 2), ("rejected", "http_404", 1)]
    assert world.manifest_bytes() == first, "what a release sees is frozen"

    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert sorted(world.galleries()["H1"]) == sorted([same, changed])
    published = {row["url"]: row["sha256"] for row in world.manifest()}
    assert published[changed] == hashlib.sha256(jpeg(drawn(9))).hexdigest()


LOGIN = b"<!DOCTYPE html><title>Sign in</title>"


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
    assert outcomes(world, "alpha") == [
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
    settings = replace(world.partners.of("alpha"), recheck_after=7.0)
    world.partners = replace(world.partners, listed={**world.partners.listed, "alpha": settings})
    world.methods = replace(world.methods, recheck_after={"alpha": 7.0})
    assert len(world.settle()) == 1
    assert site.requests == {"/a/0.jpg": 2, "/a/1.jpg": 2}
    assert world.settle() == []


def test_a_partner_most_of_whose_images_fail_keeps_its_pictures_of_the_last_release(
    world: World, site: PartnerSite
) -> None:
    settings = replace(world.partners.of("alpha"), attempts=1, host_patience_seconds=0.1, backoff_seconds=0.0)
    world.partners = replace(world.partners, listed={**world.partners.listed, "alpha": settings})
    good, better = pictures(site, "good", range(2)), pictures(site, "better", range(5, 7))
    with partner_site() as nobody:
        broken = [nobody.url(f"/{number}.jpg") for number in range(110)]
    world.offer("alpha", "w1", entries("1", good))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()

    world.offer("alpha", "w2", entries("1", [*broken, *better]))
    world.methods = replace(world.methods, max_deleted_shares={"alpha": 1.0})
    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert closed_gates(world) == ["failed_share"]
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

    settings = replace(world.partners.of("alpha"), obey_robots_tag=True)
    world.partners = replace(world.partners, listed={**world.partners.listed, "alpha": settings})
    world.methods = replace(world.methods, obeying_robots_tag=frozenset({"alpha"}))
    world.release("r2", [("H1", "alpha", "1")])
    world.settle()
    assert world.galleries() == {"H1": [plain]}
    assert ("rejected", "robots_tag", 1) in outcomes(world, "alpha")
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


def test_changing_one_recipe_renders_only_that_recipe_and_publishes_again(world: World, site: PartnerSite) -> None:
    world.offer("alpha", "w1", entries("1", pictures(site, "a", range(2))))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    before = {item.key: item.etag for item in world.store.objects("renditions")}

    first, *rest = world.methods.recipes
    world.methods = replace(world.methods, recipes=(replace(first, quality=first.quality - 5), *rest))
    done = world.settle()
    after = {item.key: item.etag for item in world.store.objects("renditions")}
    assert {key.split("/")[1] for key in after.keys() - before.keys()} == {first.name}
    assert before.items() <= after.items(), "existing renditions are not written again"
    assert "publish_image_release" in [work.job for work in done]
    assert sum(site.requests.values()) == 2


def test_adding_a_recipe_renders_only_that_recipe_and_tells_what_its_format_saves(
    world: World, site: PartnerSite
) -> None:
    world.offer("alpha", "w1", entries("1", pictures(site, "a", range(2))))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    before = {item.key: item.etag for item in world.store.objects("renditions")}

    base = world.methods.recipes[3]
    added = replace(base, name="added", quality=base.quality - 20)
    world.methods = replace(world.methods, recipes=(*world.methods.recipes, added))
    built = [world.materialise(work) for work in world.pending().work]
    world.settle()
    after = {item.key: item.etag for item in world.store.objects("renditions")}
    assert {key.split("/")[1] for key in after.keys() - before.keys()} == {"added"}
    assert before.items() <= after.items(), "existing renditions are not written again"
    assert [len(row["renditions"]) for row in world.manifest()] == [15, 15]

    numbers = [run.asset_materializations_for_node("renditions")[0].metadata for run in built]
    made = [rendition for row in world.manifest() for rendition in row["renditions"] if rendition["recipe"] == "added"]
    [shard] = [each for each in numbers if each["published_images"].value]
    assert shard["added_count"].value == 2
    assert shard["added_bytes"].value == sum(rendition["bytes"] for rendition in made)
    assert shard["jpeg_saved_on_originals_share"].value
    with world.ledger.connect() as connection:
        sizes = recipe_sizes(
            connection, whole_release("r1", world.methods), world.methods.recipe_digests, {"added": base.name}
        )
    assert (sizes[-1].recipe, sizes[-1].number, sizes[-1].compared) == ("added", 2, shard["added_bytes"].value)
    assert sizes[-1].counterparts == sizes[3].bytes > sizes[-1].bytes
    assert sizes[-1].originals == sum(item.size for item in world.store.objects("raw"))


def test_renditions_above_their_bytes_are_told_with_the_quality_they_came_to(world: World, site: PartnerSite) -> None:
    world.offer("alpha", "w1", entries("1", pictures(site, "a", range(3))))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    tight = Recipe("tight", 400, 300, quality=85, max_bytes=1000, min_quality=60)
    roomy = replace(tight, name="roomy", max_bytes=1_000_000)
    world.methods = replace(world.methods, recipes=(tight, roomy))
    built = [world.materialise(work) for work in world.pending().work]
    with world.ledger.connect() as connection:
        rows = connection.execute(
            """SELECT recipe, quality, too_large, count(*) FROM renditions WHERE recipe IN ('tight', 'roomy')
               GROUP BY 1, 2, 3 ORDER BY 1"""
        ).fetchall()
    assert rows == [("roomy", 85, False, 3), ("tight", 60, True, 3)]
    numbers = [run.asset_materializations_for_node("renditions")[0].metadata for run in built]
    [shard] = [each for each in numbers if each["published_images"].value]
    assert (shard["tight_too_large"].value, shard["roomy_too_large"].value) == (3, 0)
    told = [record.data for record in shard["too_large"].records]
    assert [(row["recipe"], row["max_bytes"], row["quality"]) for row in told] == [("tight", 1000, 60)] * 3
    sizes = [int(row["bytes"]) for row in told]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] > 1000


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
    assert closed_gates(world) == ["renditions_in_store"]
    assert accept_closed_release(world.ledger, "r2") is not None, "missing files cannot be accepted"
    world.settle()
    assert closed_gates(world) == []
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


def test_replacing_the_file_of_the_current_release_does_not_hide_the_hotels_it_loses(
    world: World, site: PartnerSite
) -> None:
    one, two = pictures(site, "a", range(2))
    world.offer("alpha", "w1", entries("1", [one]) + entries("2", [two]))
    world.release("r1", [("H1", "alpha", "1"), ("H2", "alpha", "2")])
    world.settle()
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    assert closed_gates(world) == ["few_hotels_lost"]
    assert set(world.galleries()) == {"H1", "H2"}


def test_a_higher_limit_in_the_partners_file_reopens_a_held_catalogue(world: World, site: PartnerSite) -> None:
    urls = pictures(site, "a", range(4))
    world.offer("alpha", "w1", entries("1", urls))
    world.settle()
    world.offer("alpha", "w2", entries("1", urls[:1]))
    world.settle()
    assert closed_gates(world) == ["deleted_share"]
    world.methods = replace(world.methods, max_deleted_shares={"alpha": 0.8})
    world.settle()
    assert world.pending().stopped == []
    assert outcomes(world, "alpha") == [("available", None, 1)]


def test_sixteen_bit_and_transparent_pictures_are_told_apart(world: World, site: PartnerSite) -> None:
    urls = []
    for seed in range(2):
        grey = np.asarray(drawn(seed).convert("L")).astype(np.uint16) * 257
        urls.append(site.serve(f"/deep/{seed}.png", png(Image.fromarray(grey))))
        shape = Image.new("RGBA", (640, 480), (0, 0, 0, 0))
        shape.putalpha(drawn(seed + 10).convert("L"))
        urls.append(site.serve(f"/alpha/{seed}.png", png(shape)))
    world.offer("alpha", "w1", entries("1", urls))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    assert sorted(world.galleries()["H1"]) == sorted(urls)


def test_an_image_of_impossible_size_is_rejected_and_its_neighbours_are_kept(world: World, site: PartnerSite) -> None:
    header = struct.pack(">IIBBBBB", 2**32 - 1, 2**32 - 1, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    huge = site.serve("/huge.png", b"\x89PNG\r\n\x1a\n" + chunk)
    good = pictures(site, "a", range(1))[0]
    world.offer("alpha", "w1", entries("1", [huge, good]))
    world.settle()
    assert outcomes(world, "alpha")[0] == ("available", None, 1)
    assert outcomes(world, "alpha")[1][0] == "rejected"


def test_what_older_releases_saw_is_dropped_and_the_newest_stay(world: World, site: PartnerSite) -> None:
    world.offer("alpha", "w1", entries("1", pictures(site, "a", range(1))))
    for release in ("r1", "r2", "r3", "r4"):
        world.release(release, [("H1", "alpha", "1")])
        world.settle()
    with world.ledger.connect() as connection:
        kept = connection.execute("SELECT DISTINCT release_id FROM release_images ORDER BY 1").fetchall()
    assert kept == [("r2",), ("r3",), ("r4",)]
    assert len(list(world.store.objects("image-releases/r1"))) == 3, "published files stay"


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
    assert outcomes(world, "alpha") == [("available", None, 1)]


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
