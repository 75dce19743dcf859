"""From catalogues and a data release to a published image release, with all real parts, in this process."""

from __future__ import annotations

import dagster as dg
from end_to_end.world import World
from partner_site import PartnerSite
from pictures import centre_crop, drawn, jpeg, scaled


def test_pictures_of_several_partners_become_one_gallery_without_duplicates(world: World, site: PartnerSite) -> None:
    lobby = site.serve("/a/lobby.jpg", jpeg(drawn(1, 1200, 900)))
    small = site.serve("/b/lobby-small.jpg", jpeg(scaled(drawn(1, 1200, 900), 0.5), quality=60))
    cropped = site.serve("/c/lobby-cropped.jpg", jpeg(centre_crop(drawn(1, 1200, 900), 0.2)))
    pool = site.serve("/a/pool.jpg", jpeg(drawn(2)))
    broken = site.serve("/a/broken.jpg", jpeg(drawn(3))[:5000])
    world.offer("alpha", "w1", [{"accommodation_id": "0123", "url": url} for url in (lobby, pool, broken)])
    world.offer("beta", "w1", [{"accommodation_id": "bilbao-hot1", "url": small}])
    world.offer("$gamma", "w1", [{"accommodation_id": "Ünï/cødé", "url": cropped}])
    world.release("2026-W45", [("H1", "alpha", "0123"), ("H1", "beta", "bilbao-hot1"), ("H1", "$gamma", "Ünï/cødé")])

    world.settle()

    assert not world.pending().stopped
    rows = world.manifest()
    assert {tuple(sorted(m["url"] for m in row["members"])) for row in rows} == {
        tuple(sorted([lobby, small, cropped])),
        (pool,),
    }
    assert [row["position"] for row in rows] == [1, 2]
    assert rows[0]["url"] == lobby
    assert [len(row["renditions"]) for row in rows] == [14, 14]
    for row in rows:
        for rendition in row["renditions"]:
            assert len(world.store.get(rendition["key"])) == rendition["bytes"]


def test_a_second_round_fetches_computes_and_runs_nothing(world: World, site: PartnerSite) -> None:
    world.offer("alpha", "w1", [{"accommodation_id": "1", "url": site.serve("/1.jpg", jpeg(drawn(1)))}])
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    requests = sum(site.requests.values())
    assert world.settle() == []
    assert sum(site.requests.values()) == requests


def test_rejected_rows_are_shown_with_file_line_field_and_reason(world: World, site: PartnerSite) -> None:
    good = {"accommodation_id": "1", "url": site.serve("/1.jpg", jpeg(drawn(1)))}
    world.offer("alpha", "w1", [good, {**good, "accommodation_id": ""}, {**good, "url": "ftp://a"}, good])
    world.offer("beta", "w1", [{**good, "width": -1}])
    world.release("r1", [("H1", "alpha", "1"), ("", "alpha", "2"), ("H2", "alpha", "1")])
    shown: list[tuple[object, ...]] = []
    for _ in range(2):
        for work in world.pending().work:
            for event in world.materialise(work).get_asset_materialization_events():
                table = event.materialization.metadata.get("first_rejected")
                if isinstance(table, dg.TableMetadataValue):
                    shown.extend(tuple(record.data.values()) for record in table.records)
    alpha, beta, release = "catalogues/alpha/w1.jsonl", "catalogues/beta/w1.jsonl", "data-releases/r1.csv"
    assert sorted(shown, key=str) == [
        (alpha, 2, "accommodation_id", "missing", ""),
        (alpha, 3, "url", "not an http or https URL", "ftp://a"),
        (alpha, 4, "url", "duplicate of line 1", good["url"]),
        (beta, 1, "width", "not between 1 and 2147483647 (row kept without it)", "-1"),
        (release, 3, "hotel_id", "missing", ""),
        (release, 4, "accommodation_id", "already in hotel H1 on line 2", "1"),
    ]
