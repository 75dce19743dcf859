"""The manifest's rows, and that its bytes depend on nothing else."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from image_assets.image_release import manifest
from image_assets.image_release.manifest import MANIFEST_SCHEMA, lost_hotels, manifest_batch, write_manifest

HOTELS = ["$abc", "0123", "Zug", "bilbao-hot1", "Ünï/cødé", "東京", "😀"]  # bytewise


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def tables(hotels: list[str], groups: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Priorities, members and renditions of hotels with so many image groups each, in shuffled order."""
    priorities, members, contents = [], [], set()
    for hotel in hotels:
        for position in range(1, groups + 1):
            group = sha256(f"{hotel} {position}")[:12]
            copies = [
                {
                    "hotel_id": hotel,
                    "image_group_id": group,
                    "sha256": sha256(f"{position} {copy}"),  # the same content in every hotel
                    "partner_id": f"partner {copy % 2}",
                    "accommodation_id": hotel,
                    "url": f"https://example.com/{position}/{copy}.jpg",
                }
                for copy in range(1 + position % 3)
            ]
            members += copies
            contents.add(copies[0]["sha256"])
            priorities.append(
                {**copies[0], "position": position, "width": 1600, "height": 1200, "score": 1 / position, "part_x": 1.0}
            )
    renditions = [
        {"sha256": content, "recipe": recipe, "key": f"renditions/{recipe}/{content}", "format": "jpeg"}
        | {"width": 100, "height": 75, "bytes": 1000}
        for content in contents
        for recipe in ("small", "large", "Medium")
    ]
    frames = (pd.DataFrame(priorities), pd.DataFrame(members), pd.DataFrame(renditions))
    return tuple(frame.sample(frac=1, random_state=seed) for frame in frames)  # type: ignore[return-value]


def test_rows_are_sorted_bytewise_by_hotel_then_by_position() -> None:
    batch = manifest_batch(*tables(HOTELS, groups=11))
    rows = [(row["hotel_id"], row["position"]) for row in batch.to_pylist()]
    assert rows == [(hotel, position) for hotel in HOTELS for position in range(1, 12)]
    assert sorted(HOTELS, key=str.encode) == HOTELS


def test_every_row_lists_its_members_and_renditions_sorted() -> None:
    priorities, members, renditions = tables(HOTELS, groups=5)
    batch = manifest_batch(priorities, members, renditions)
    assert batch.schema == MANIFEST_SCHEMA
    for row in batch.to_pylist():
        expected = members[
            (members["hotel_id"] == row["hotel_id"]) & (members["url"].str.contains(f"/{row['position']}/"))
        ]
        assert len(row["members"]) == len(expected) == 1 + row["position"] % 3
        keys = [(member["partner_id"], member["accommodation_id"], member["url"]) for member in row["members"]]
        assert keys == sorted(keys)
        published = {name: row[name] for name in ("sha256", "partner_id", "accommodation_id", "url")}
        assert published in row["members"]
        assert [each["recipe"] for each in row["renditions"]] == ["Medium", "large", "small"]
        assert all(row["sha256"] in each["key"] for each in row["renditions"])


def test_ids_and_urls_come_back_exactly(tmp_path: Path) -> None:
    priorities, members, renditions = tables(["0123"], groups=1)
    url = "https://example.com/Ünï cødé/$abc?x=%20&y=<z>#0123"
    for frame in (priorities, members):
        frame["accommodation_id"], frame["url"] = "0123", url
    write_manifest([manifest_batch(priorities, members, renditions)], tmp_path / "manifest.parquet")
    (row,) = pq.read_table(tmp_path / "manifest.parquet").to_pylist()
    assert (row["hotel_id"], row["accommodation_id"], row["url"]) == ("0123", "0123", url)
    assert {member["url"] for member in row["members"]} == {url}


def test_members_of_groups_that_are_not_published_are_left_out() -> None:
    priorities, members, renditions = tables(HOTELS[:2], groups=3)
    batch = manifest_batch(priorities[priorities["position"] == 2], members, renditions)
    assert [len(row["members"]) for row in batch.to_pylist()] == [3, 3]


def test_nothing_published_gives_an_empty_manifest(tmp_path: Path) -> None:
    empty = tuple(frame.iloc[:0].astype(object) for frame in tables(HOTELS[:1], groups=1))
    batch = manifest_batch(*empty)
    assert (batch.num_rows, batch.schema) == (0, MANIFEST_SCHEMA)
    facts = write_manifest([batch, batch], tmp_path / "manifest.parquet")
    assert (facts.rows, facts.hotels) == (0, 0)
    assert pq.read_table(tmp_path / "manifest.parquet").num_rows == 0


def test_a_missing_value_is_refused() -> None:
    priorities, members, renditions = tables(HOTELS[:1], groups=2)
    priorities["url"] = None
    with pytest.raises(ValueError, match="url"):
        manifest_batch(priorities, members, renditions)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(cuts=st.lists(st.integers(0, 7 * 9), max_size=12).map(sorted))
def test_the_bytes_are_the_same_however_the_rows_are_cut(
    cuts: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "ROW_GROUP_ROWS", 10)
    batch = manifest_batch(*tables(HOTELS, groups=9))
    slices = [batch.slice(start, end - start) for start, end in pairwise([0, *cuts, batch.num_rows])]
    whole = write_manifest([batch], tmp_path / "whole.parquet")
    pieces = write_manifest(slices, tmp_path / "pieces.parquet")
    assert pieces == whole
    assert (tmp_path / "pieces.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert pq.read_table(tmp_path / "pieces.parquet").cast(MANIFEST_SCHEMA) == pa.Table.from_batches([batch])


def test_the_bytes_are_the_same_from_batches_built_hotel_by_hotel(tmp_path: Path) -> None:
    at_once = write_manifest([manifest_batch(*tables(HOTELS, groups=9))], tmp_path / "at_once.parquet")
    by_hotel = (manifest_batch(*tables([hotel], groups=9, seed=5)) for hotel in HOTELS)
    assert write_manifest(by_hotel, tmp_path / "by_hotel.parquet") == at_once


def test_row_groups_have_a_fixed_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "ROW_GROUP_ROWS", 10)
    write_manifest([manifest_batch(*tables(HOTELS, groups=9))], tmp_path / "manifest.parquet")
    metadata = pq.ParquetFile(tmp_path / "manifest.parquet").metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [10] * 6 + [3]


def test_the_facts_are_those_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "ROW_GROUP_ROWS", 10)
    facts = write_manifest([manifest_batch(*tables(HOTELS, groups=9))], tmp_path / "manifest.parquet")
    content = (tmp_path / "manifest.parquet").read_bytes()
    assert facts.digest == hashlib.sha256(content).hexdigest()
    assert (facts.rows, facts.hotels, facts.bytes) == (63, 7, len(content))


@pytest.mark.parametrize("order", [[0, 2, 1], [0, 1, 1], [1, 0], [0, 0]])
def test_rows_out_of_order_or_there_twice_are_refused(tmp_path: Path, order: list[int]) -> None:
    batch = manifest_batch(*tables(["a"], groups=3))
    with pytest.raises(ValueError, match="out of order at hotel a, position"):
        write_manifest([batch.take(pa.array(order))], tmp_path / "one.parquet")
    with pytest.raises(ValueError, match="out of order at hotel a, position"):
        write_manifest([batch.slice(index, 1) for index in order], tmp_path / "several.parquet")


def test_lost_hotels_are_those_of_the_manifest_before_that_are_not_in_the_new_one(tmp_path: Path) -> None:
    def written(name: str, hotels: list[str]) -> Path:
        write_manifest([manifest_batch(*tables(hotels, groups=2))] if hotels else [], tmp_path / name)
        return tmp_path / name

    before, now = written("before", ["0123", "Zug", "東京"]), written("now", ["$abc", "Zug"])
    assert lost_hotels(before, now) == (2, 3)
    assert lost_hotels(now, now) == (0, 2)
    assert lost_hotels(written("none", []), now) == (0, 0)
