"""Deduplicating: find the images of each hotel that show the same picture, where something changed.

Belongs here: the asset and its gate. The rule is `similarity`, the groups are `grouping`.
"""

from itertools import groupby
from operator import attrgetter

import dagster as dg
import numpy as np

from image_assets.fingerprints import unpack_hashes, unpack_luma
from image_assets.hotel_groups.asset import hotel_groups
from image_assets.image_groups.grouping import group_pictures, image_group_id
from image_assets.image_groups.similarity import Policy
from image_assets.methods import Methods
from image_assets.partitions import RELEASE_SHARDS
from image_assets.shards import loaded_release, partition_shard, stage_digest
from image_assets.stage_run import INFRASTRUCTURE_RETRIES, check_result, stage_run
from resources.ledger import Ledger, grouping, shards
from resources.ledger.grouping import HotelFingerprint
from resources.ledger.operations import Gate, record_gate

GATE = "every_image_grouped"
_HOTELS_A_BATCH = 500


@dg.asset(
    partitions_def=RELEASE_SHARDS,
    deps=[dg.AssetDep(hotel_groups, partition_mapping=dg.MultiToSingleDimensionPartitionMapping("release"))],
    group_name="release",
    kinds={"numba", "postgres"},
    owners=["team:images"],
    code_version="1",
    retry_policy=INFRASTRUCTURE_RETRIES,
    check_specs=[
        dg.AssetCheckSpec(
            GATE,
            asset="image_groups",
            blocking=True,
            partitions_def=RELEASE_SHARDS,
            description="Every image that the release sees is in exactly one image group of its hotel. When closed: "
            "fingerprints are missing; materialise `fingerprints` of the partners, then this shard again.",
        )
    ],
    metadata={
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn("hotel_id", "text", description="our hotel"),
                dg.TableColumn("group_digest", "uuid", description="digest of the hotel's contents and the policy"),
                dg.TableColumn("image_group_id", "text", description="digest of hotel and smallest member"),
                dg.TableColumn("sha256", "bytea", description="a content that shows the group's picture"),
            ]
        ),
        "dagster/table_name": "image_ledger.image_groups",
    },
)
def image_groups(
    context: dg.AssetExecutionContext,
    ledger: dg.ResourceParam[Ledger],
    methods: dg.ResourceParam[Methods],
) -> dg.MaterializeResult:
    """Which images of a hotel show the same picture: as the policy sees it.

    From `hotel_groups` (the release's frozen images) and their fingerprints; runs when the release is loaded. Only
    hotels whose images changed, or all when the policy did, are computed.
    """
    shard = partition_shard(context, methods)
    with stage_run(context, ledger, "image_groups", f"shard:{context.partition_key}") as run:
        digest = stage_digest(loaded_release(run.connection, shard.release_id), methods, "image_groups")
        todo = grouping.ungrouped_hotels(run.connection, shard)
        run.expect(len(todo))
        for start in range(0, len(todo), _HOTELS_A_BATCH):
            hotels = todo[start : start + _HOTELS_A_BATCH]
            rows = grouping.hotel_fingerprints(run.connection, shard, hotels, methods.fingerprint)
            # Groups of half the images would pass for the hotel's: it waits, and the gate below says so.
            incomplete = {row.hotel_id for row in rows if not row.crop_hashes}
            known = [row for row in rows if row.hotel_id not in incomplete]
            complete = [hotel_id for hotel_id in hotels if hotel_id not in incomplete]
            grouping.record_groups(run.connection, shard, complete, _group_hotels(known, methods.policy))
            run.advance(len(hotels))
        counts = grouping.shard_counts(run.connection, shard)
        ungrouped = grouping.ungrouped_images(run.connection, shard)
        gate = record_gate(
            run.connection,
            Gate(
                "image_groups",
                context.partition_key,
                GATE,
                digest,
                ungrouped == 0,
                f"{ungrouped:,} of the shard's catalogue entries are in no image group (their fingerprint is missing).",
            ),
        )
        if not gate.closed:
            shards.record_shard(run.connection, shard, "image_groups", digest, counts.hotels, len(todo))
        return dg.MaterializeResult(
            metadata={
                "hotels": counts.hotels,
                "hotels_computed": len(todo),
                "contents": counts.contents,
                "image_groups": counts.groups,
                "duplicate_contents": counts.contents - counts.groups,
                **run.finish(),
            },
            check_results=[check_result(context, gate, ungrouped_entries=ungrouped)],
        )


def _group_hotels(rows: list[HotelFingerprint], policy: Policy) -> list[tuple[str, str, str]]:
    """(hotel_id, image_group_id, sha256) of every content; `rows` by hotel, none without its fingerprint."""
    members: list[tuple[str, str, str]] = []
    for hotel_id, group in groupby(rows, key=attrgetter("hotel_id")):
        contents = list(group)
        crop_hashes = np.stack([unpack_hashes(content.crop_hashes) for content in contents])
        luma = np.stack([unpack_luma(content.luma) for content in contents])
        for indices in group_pictures(crop_hashes, luma, policy).groups:
            sha256s = [contents[i].sha256 for i in indices]
            group_id = image_group_id(hotel_id, sha256s)
            members.extend((hotel_id, group_id, sha256) for sha256 in sha256s)
    return members
