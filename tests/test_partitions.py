"""Shards: ranges of hotel buckets that cover every hotel exactly once, whatever their number."""

from __future__ import annotations

import hashlib

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_assets.definitions import ASSETS
from image_assets.partitions import BUCKETS, RELEASE_SHARDS, SHARD_KEYS, shard_buckets, shard_keys
from resources.ledger import Ledger, release_loading, releases

shards = st.integers(1, 4096)


@given(shards)
def test_the_ranges_of_all_shards_cover_every_bucket_once_in_order(number: int) -> None:
    edge = 0
    for key in shard_keys(number):
        low, high = shard_buckets(key)
        assert low == edge
        assert high > low, "no shard is empty for ever"
        edge = high
    assert edge == BUCKETS


@given(shards)
def test_shards_are_of_one_size_but_for_one_bucket(number: int) -> None:
    sizes = [high - low for low, high in map(shard_buckets, shard_keys(number))]
    assert max(sizes) - min(sizes) <= 1


@given(shards, shards)
def test_keys_sort_as_they_count_and_name_their_number_of_shards(number: int, other: int) -> None:
    keys = shard_keys(number)
    assert (len(keys), keys) == (number, sorted(keys))
    assert number == other or not set(keys) & set(shard_keys(other))


@pytest.mark.parametrize(("number", "first", "last"), [(1, "00of01", "00of01"), (64, "00of64", "63of64")])
def test_keys_look_like_this(number: int, first: str, last: str) -> None:
    assert (shard_keys(number)[0], shard_keys(number)[-1]) == (first, last)


def test_a_partition_is_the_release_and_then_the_shard() -> None:
    key = dg.MultiPartitionKey({"shard": SHARD_KEYS[0], "release": "Ünï 1"})
    assert str(key) == f"Ünï 1|{SHARD_KEYS[0]}"
    assert RELEASE_SHARDS.partition_dimension_names == ["release", "shard"]


def test_where_partitions_change_on_the_way_the_mapping_is_declared() -> None:
    """Dagster would silently take every partition for its namesake."""
    mappings = {
        (dep.asset_key.to_user_string(), asset.key.to_user_string()): type(dep.partition_mapping)
        for asset in ASSETS
        for spec in asset.specs
        for dep in spec.deps
        if dep.partition_mapping is not None
    }
    assert mappings == {
        ("fingerprints", "hotel_groups"): dg.AllPartitionMapping,
        ("hotel_groups", "image_groups"): dg.MultiToSingleDimensionPartitionMapping,
        ("renditions", "image_release"): dg.MultiToSingleDimensionPartitionMapping,
    }


def test_the_ledger_puts_a_hotel_into_the_bucket_of_the_first_16_bits_of_its_md5(ledger: Ledger) -> None:
    """The same on every server and in every encoding, or a shard would lose hotels when the ledger moves."""
    hotels = ["H1", "0123", "$abc", "Ünï/cødé", "日本", " x ", "a" * 500, "😀"]
    with ledger.connect() as connection:
        releases.notice_release(connection, "r1", "k", "e", {})
        release_loading.open_staging(connection, "r1")
        release_loading.stage_accommodations(
            connection, "r1", [(n, hotel, "p", str(n)) for n, hotel in enumerate(hotels)]
        )
        release_loading.reject_repeated_accommodations(connection, "r1", "k")
        release_loading.freeze_images(connection, "r1", "m")
        release_loading.freeze_hotels(connection, "r1", "e")
        found = dict(connection.execute("SELECT hotel_id, bucket FROM release_hotels").fetchall())
    assert found == {hotel: int(hashlib.md5(hotel.encode()).hexdigest()[:4], 16) for hotel in hotels}
