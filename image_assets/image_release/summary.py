"""The summary of an image release: its counts and what it was made with, as `summary.json`.

Belongs here: what a summary says and how it is written. Does not belong here: counting (the ledger and the manifest).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class GateOutcome:
    """What one gate said of one partition. `accepted` means that somebody let a closed gate through by hand."""

    asset: str
    partition: str
    gate: str
    passed: bool
    accepted: bool
    message: str


@dataclass(frozen=True)
class ReleaseSummary:
    """One image release in numbers. It names no time: the same release gives the same summary."""

    release_id: str
    manifest_digest: str  # SHA-256 of manifest.parquet, hex
    hotels: int  # in the data release
    hotels_with_images: int  # of these, with at least one published image
    available_images: int  # catalogue entries of the release whose picture is available and no placeholder
    image_groups: int  # different pictures of the hotels, published or withheld
    published_images: int  # rows of the manifest
    duplicates_removed: int  # available entries shown by another entry's picture
    renditions: int  # of published images, each content and recipe counted once
    rendition_bytes: int  # of these
    links: int = 0  # pairs of images that made the image groups
    weak_groups: int = 0  # image groups that hang together by a weak link, and are kept
    parted_groups: int = 0  # image groups near images that people put apart
    split_links: int = 0  # weak links that were not accepted
    decisions: int = 0  # of people, on two images of one hotel
    decisions_disobeyed: int = 0  # of these, which the image groups could not obey
    placeholders: int = 0  # pictures left out because many hotels show them, or because they are blank
    placeholder_images: int = 0  # catalogue entries that show one
    hotels_with_placeholders_only: int = 0  # in the data release, with no other available image
    published_by_partner: Mapping[str, int] = field(default_factory=dict)  # partner id -> published images
    withheld: Mapping[str, int] = field(default_factory=dict)  # reason -> image groups not published
    rejected_rows: Mapping[str, int] = field(default_factory=dict)  # reason -> rows of the data release refused
    gates: tuple[GateOutcome, ...] = ()
    recipes: Mapping[str, str] = field(default_factory=dict)  # name -> recipe digest
    method_versions: Mapping[str, str] = field(default_factory=dict)  # screening, fingerprint, … -> version
    # Whether the policy is certified now, or why not, and what it was measured to do: bounds, counts, corpus digest.
    certificate: Mapping[str, Any] = field(default_factory=dict)


def summary_json(summary: ReleaseSummary) -> bytes:
    """`summary.json`: UTF-8, keys sorted, gates by asset, partition and name, so equal summaries give equal bytes."""
    gates = sorted(summary.gates, key=lambda gate: (gate.asset, gate.partition, gate.gate))
    content = {**asdict(summary), "gates": [asdict(gate) for gate in gates]}
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, indent=2, allow_nan=False)
    return text.encode() + b"\n"
