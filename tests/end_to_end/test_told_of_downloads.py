"""What `raw_images` tells of its run: every request, each host with its last fault, every reason."""

from __future__ import annotations

from typing import Any

import dagster as dg
from end_to_end.world import World
from partner_site import PartnerSite, partner_site
from pictures import drawn, jpeg

from image_assets.pending_work import INGEST, Work


def test_every_request_is_in_the_table_of_hosts_and_every_missing_image_under_its_reason(
    world: World, site: PartnerSite
) -> None:
    world.choose("alpha", backoff_seconds=0.001)
    site.serve("/moved.jpg", 302)
    site.headers["/moved.jpg"] = {"Location": "/picture.jpg"}
    site.headers["/picture.jpg"] = {"X-Robots-Tag": "noai"}
    with partner_site() as broken:
        urls = [
            site.serve("/picture.jpg", jpeg(drawn(1))),
            site.url("/moved.jpg"),
            site.url("/gone.jpg"),
            broken.serve("/broken.jpg", 500),
        ]
        world.offer("alpha", "w1", [{"accommodation_id": "1", "url": url} for url in urls])
        ran = world.materialise(Work(INGEST, "alpha", "", 0, ("catalogue_diffs", "raw_images")))
    told = ran.asset_materializations_for_node("raw_images")[0].metadata
    table = told["hosts"]
    assert isinstance(table, dg.TableMetadataValue)
    hosts: dict[Any, dict[str, Any]] = {record.data["host"]: dict(record.data) for record in table.records}
    fine, faulty = hosts[f"127.0.0.1:{site.port}"], hosts[f"127.0.0.1:{broken.port}"]

    assert fine["requests"] == site.requests.total() == 4, "the redirect too"
    assert (faulty["requests"], faulty["errors"], faulty["last_fault"]) == (3, 3, "http_500")
    assert (fine["errors"], fine["last_fault"], fine["state"]) == (0, "", "steady")
    assert told["requests"].value == 7
    assert told["newly_opted_out"].value == 2, "under both its URLs"
    assert told["newly_by_reason"].value == {"http_404": 1, "http_500": 1}
    assert told["not_available_by_reason"].value == {"failed: http_500": 1, "rejected: http_404": 1}
    assert (told["newly_available"].value, told["fetched_bytes"].value) == (2, 2 * len(jpeg(drawn(1))))
    assert 0 < fine["p50_ms"] <= fine["p95_ms"]
