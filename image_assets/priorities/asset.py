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
    metadata={
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn("hotel_id", "text", description="our hotel"),
                dg.TableColumn("position", "int", description="from 1, best first"),
                dg.TableColumn("image_group_id", "text", description="the picture that the group's images show"),
                dg.TableColumn("sha256", "bytea", description="the group's best image"),
                dg.TableColumn("score", "float8", description="weighted sum of the parts, 0 to 1"),
                dg.TableColumn("part_resolution", "float8", description="0 to 1: pixels"),
                dg.TableColumn("part_sharpness", "float8", description="0 to 1: fine detail"),
                dg.TableColumn("part_exposure", "float8", description="0 to 1: brightness and contrast"),
                dg.TableColumn("part_partner_position", "float8", description="0 to 1: the partner's own order"),
                dg.TableColumn("part_partners", "float8", description="0 to 1: how many partners show the picture"),
                dg.TableColumn("part_trust", "float8", description="0 to 1: the partner's trust"),
            ]
        ),
        "dagster/table_name": "image_ledger.priorities",
    },
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
