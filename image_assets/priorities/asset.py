"""Prioritising: the best image of each image group, and the order of a hotel's groups, where something changed.

Belongs here: the asset. The score is `ranking`.
"""

import dagster as dg

from image_assets.image_groups.asset import image_groups
from image_assets.methods import Methods
from image_assets.partitions import RELEASE_SHARDS
from image_assets.priorities.ranking import rank
from image_assets.shards import loaded_release, partition_shard, require_stage, stage_digest
from image_assets.stage_run import INFRASTRUCTURE_RETRIES, stage_run
from image_assets.ui_metadata import asset_table
from resources.ledger import Ledger, ranking, shards, tombstones

_HOTELS_A_BATCH = 2000


@dg.asset(
    partitions_def=RELEASE_SHARDS,
    deps=[image_groups],
    group_name="release",
    kinds={"pandas", "postgres"},
    owners=["team:images"],
    code_version="1",
    retry_policy=INFRASTRUCTURE_RETRIES,
    metadata=asset_table(
        "image_ledger.priorities",
        ("hotel_id", "text", "our hotel"),
        ("position", "int", "from 1, best first"),
        ("image_group_id", "text", "the picture that the group's images show"),
        ("sha256", "bytea", "the group's best image"),
        ("score", "float8", "weighted sum of the parts, 0 to 1"),
        ("part_resolution", "float8", "0 to 1: pixels"),
        ("part_sharpness", "float8", "0 to 1: fine detail"),
        ("part_exposure", "float8", "0 to 1: brightness and contrast"),
        ("part_partner_position", "float8", "0 to 1: the partner's own order"),
        ("part_partners", "float8", "0 to 1: how many partners show the picture"),
        ("part_trust", "float8", "0 to 1: the partner's trust"),
    ),
)
def priorities(
    context: dg.AssetExecutionContext,
    ledger: dg.ResourceParam[Ledger],
    methods: dg.ResourceParam[Methods],
) -> dg.MaterializeResult:
    """The best image of each image group and the order of the groups, with the parts of the score.

    From `image_groups`, the features of the images (`fingerprints`) and the partners' trust (partners.yaml); runs
    after `image_groups`. Only hotels where one of these changed are computed.
    """
    shard = partition_shard(context, methods)
    with stage_run(context, ledger, "priorities", f"shard:{context.partition_key}") as run:
        release = loaded_release(run.connection, shard.release_id)
        tombstones.keep_hotels(run.connection, shard)
        require_stage(run.connection, shard, release, methods, "image_groups")
        digest = stage_digest(release, methods, "priorities")
        todo = ranking.unranked_hotels(run.connection, shard)
        run.expect(len(todo))
        published = 0
        for start in range(0, len(todo), _HOTELS_A_BATCH):
            hotels = todo[start : start + _HOTELS_A_BATCH]
            candidates = ranking.candidates(run.connection, shard, hotels, methods.fingerprint)
            candidates["trust"] = candidates["partner_id"].map(methods.trust).astype(float).fillna(1.0)
            ranked = rank(candidates)
            ranking.record_priorities(run.connection, shard, hotels, ranked)
            published += len(ranked)
            run.advance(len(hotels))
        hotels_in_shard = shards.count_hotels(run.connection, shard)
        shards.record_shard(run.connection, shard, "priorities", digest, hotels_in_shard, len(todo))
        return dg.MaterializeResult(
            metadata={
                "hotels": hotels_in_shard,
                "hotels_computed": len(todo),
                "groups_ranked": published,
                **run.finish(),
            }
        )
