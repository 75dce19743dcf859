"""The summary's file."""

from __future__ import annotations

import json
from dataclasses import replace

from image_assets.image_release.summary import GateOutcome, ReleaseSummary, summary_json

GATES = (
    GateOutcome("renditions", "2026-W45|01of04", "renderable", True, False, "all rendered"),
    GateOutcome("catalogue_diffs", "ünï", "shrink", False, True, "40 % would be deleted"),
)
SUMMARY = ReleaseSummary(
    release_id="2026-W45",
    manifest_digest="ab" * 32,
    hotels=12,
    hotels_with_images=11,
    available_images=60,
    image_groups=25,
    published_images=24,
    duplicates_removed=35,
    renditions=336,
    rendition_bytes=12_345_678,
    published_by_partner={"ünï": 20, "$abc": 4},
    withheld={"cannot be decoded": 1},
    gates=GATES,
)


def test_a_summary_says_all_it_knows_in_plain_json() -> None:
    content = json.loads(summary_json(SUMMARY))
    assert content["published_by_partner"] == {"ünï": 20, "$abc": 4}
    assert content["withheld"] == {"cannot be decoded": 1}
    assert content["duplicates_removed"] == 35
    assert [gate["asset"] for gate in content["gates"]] == ["catalogue_diffs", "renditions"]
    assert "ünï" in summary_json(SUMMARY).decode()


def test_equal_summaries_give_equal_bytes_in_whatever_order_they_were_counted() -> None:
    other = replace(SUMMARY, published_by_partner={"$abc": 4, "ünï": 20}, gates=GATES[::-1])
    assert summary_json(other) == summary_json(SUMMARY)
    assert summary_json(replace(SUMMARY, hotels=13)) != summary_json(SUMMARY)
