"""A Dagster partition `release|shard` as the ledger's shard, with the versions its results depend on.

Does not belong here: what the stages of a shard do.
"""

from __future__ import annotations

import dagster as dg

from image_assets.methods import Methods, input_digest
from image_assets.partitions import BUCKETS, RELEASE_SHARDS, shard_buckets
from resources.ledger import Connection, releases, shards
from resources.ledger.releases import DataRelease
from resources.ledger.shards import Shard

STAGES = ("image_groups", "priorities", "renditions")


def shard_of(release_id: str, key: str, methods: Methods) -> Shard:
    """The shard `key` (`03of64`) of a release."""
    low, high = shard_buckets(key)
    return Shard(release_id, key, low, high, methods.grouping, methods.ranking)


def whole_release(release_id: str, methods: Methods) -> Shard:
    """The shard that spans all hotels of a release."""
    return Shard(release_id, "all", 0, BUCKETS, methods.grouping, methods.ranking)


def partition_shard(context: dg.AssetExecutionContext, methods: Methods) -> Shard:
    """The shard of the running partition."""
    # Read from the text: a run launched without the tags of the single dimensions has a plain key.
    keys = RELEASE_SHARDS.get_partition_key_from_str(str(context.partition_key)).keys_by_dimension
    return shard_of(keys["release"], keys["shard"], methods)


def loaded_release(connection: Connection, release_id: str) -> DataRelease:
    """The release, loaded; otherwise a failure that says what to run first."""
    release = releases.data_release(connection, release_id)
    if release is None or release.frozen is None:
        raise dg.Failure(
            f"Data release {release_id} is not loaded: materialise hotel_groups for it first.", allow_retries=False
        )
    return release


def require_stage(connection: Connection, shard: Shard, release: DataRelease, methods: Methods, stage: str) -> None:
    """An earlier stage of the shard is up to date; otherwise a failure that says what to run first."""
    built = shards.built_shards(connection, shard.release_id).get((shard.key, stage))
    if built != stage_digest(release, methods, stage):
        raise dg.Failure(
            f"{stage} of {shard.release_id}|{shard.key} is not up to date: materialise it first.", allow_retries=False
        )


def stage_digest(release: DataRelease, methods: Methods, stage: str) -> str:
    """The digest of all that a stage of a release's shards (or its publication) depends on."""
    version = {
        "image_groups": methods.grouping,
        "priorities": methods.ranking,
        "renditions": f"{methods.ranking}|{methods.rendering}",
        "image_release": f"{methods.ranking}|{methods.rendering}|{methods.max_lost_hotels_share}",
    }[stage]
    return input_digest(release.release_id, str(release.frozen), version)
