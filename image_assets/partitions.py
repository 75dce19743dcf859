"""The partitions of the house: partners and releases (dynamic), and release × shard.

A shard is a range of hotel buckets; its key names the number of shards, so that another number never looks built.
Does not belong here: which partition should run (pending_work).
"""

from __future__ import annotations

import warnings

import dagster as dg

from resources.environment import read_environment

# MultiToSingleDimensionPartitionMapping is beta and a check's partitions are a preview in Dagster 1.13; the minor
# version is pinned, so say nothing.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

BUCKETS = 65536

PARTNERS = dg.DynamicPartitionsDefinition(name="partner")
RELEASES = dg.DynamicPartitionsDefinition(name="release")


def shard_keys(shards: int) -> list[str]:
    """The keys of `shards` shards, as in `03of64`; in name order."""
    width = max(2, len(str(shards)))
    return [f"{shard:0{width}d}of{shards:0{width}d}" for shard in range(shards)]


def shard_buckets(key: str) -> tuple[int, int]:
    """The range `[low, high)` of hotel buckets of a shard; the ranges of all shards cover every bucket once."""
    shard, shards = map(int, key.split("of"))
    return -(-shard * BUCKETS // shards), -(-(shard + 1) * BUCKETS // shards)


SHARD_KEYS = shard_keys(read_environment().hotel_shards)

# Dimensions sort by name, so that keys read `2026-W45|03of64`.
RELEASE_SHARDS = dg.MultiPartitionsDefinition({"release": RELEASES, "shard": dg.StaticPartitionsDefinition(SHARD_KEYS)})
