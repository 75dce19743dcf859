"""Parquet columns of all types that partners send."""

from __future__ import annotations

import datetime
import decimal
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from image_assets.catalogue_diffs import CatalogueBatch, UnreadableCatalogue, read_catalogue

URLS = ["http://a.example/1.jpg", "http://a.example/2.jpg"]


def batch_of(**columns: Any) -> CatalogueBatch:
    """What a two-row file with these columns (and good ones by default) reads as."""
    file = io.BytesIO()
    pq.write_table(pa.table({"accommodation_id": ["$abc", "0123"], "url": URLS, **columns}), file)
    file.seek(0)
    (batch,) = read_catalogue(file, "c.parquet")
    return batch


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
        pa.binary(4),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
    ],
    ids=str,
)
def test_text_is_read_from_every_type_that_holds_it(kind: pa.DataType) -> None:
    binary = "binary" in str(kind)
    ids = pa.array([b"$abc", b"\xc3\xa901"] if binary else ["$abc", "é01"], kind)
    batch = batch_of(accommodation_id=ids, caption=ids)
    assert [(entry.line, entry.accommodation_id, entry.caption) for entry in batch.entries] == [
        (1, "$abc", "$abc"),
        (2, "é01", "é01"),
    ]


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.uint64(), pa.decimal128(10, 0)], ids=str)
def test_whole_numbers_as_ids_become_their_decimal_text(kind: pa.DataType) -> None:
    batch = batch_of(
        accommodation_id=pa.array([12, 7], pa.int64()).cast(kind)
        if kind != pa.decimal128(10, 0)
        else pa.array([decimal.Decimal(12), decimal.Decimal(7)], kind)
    )
    assert [entry.accommodation_id for entry in batch.entries] == ["12", "7"]


def test_a_null_id_is_a_missing_one() -> None:
    batch = batch_of(accommodation_id=[None, "b"], url=[URLS[0], None])
    assert batch.entries == []
    assert [(reject.line, reject.field, reject.reason) for reject in batch.rejects] == [
        (1, "accommodation_id", "missing"),
        (2, "url", "missing"),
    ]


@pytest.mark.parametrize("type_of_text", [pa.string(), pa.binary()], ids=str)
def test_text_that_is_not_utf_8_costs_its_row_only(type_of_text: pa.DataType) -> None:
    octets = pa.array([b"caf\xe9", "café".encode()], pa.binary())
    ids = octets if type_of_text == pa.binary() else pa.Array.from_buffers(pa.string(), 2, octets.buffers())
    batch = batch_of(accommodation_id=ids)
    assert [entry.accommodation_id for entry in batch.entries] == ["café"]
    assert [(reject.line, reject.reason) for reject in batch.rejects] == [
        (1, "contains a character that is not valid Unicode")
    ]


def test_numbers_that_pandas_turned_into_floats_are_read() -> None:
    batch = batch_of(position=[3.0, float("nan")], width=pa.array([1024.0, None], pa.float32()), version=[1, 2])
    assert [(entry.position, entry.width, entry.version) for entry in batch.entries] == [
        (3, 1024, "1"),
        (None, None, "2"),
    ]
    assert batch.notices == []


def test_dates_as_versions_become_iso_text() -> None:
    batch = batch_of(version=[datetime.date(2026, 11, 2), None])
    assert [entry.version for entry in batch.entries] == ["2026-11-02", None]
    far = pa.array([2**62, 0], pa.timestamp("s"))
    assert all(entry.version for entry in batch_of(version=pa.array([253402300800, 0], far.type)).entries)


@pytest.mark.parametrize(
    ("values", "shown"),
    [([["a"], None], "list<element: string>"), ([{"x": 1}, None], "struct<x: int64>")],
)
def test_an_optional_column_of_lists_is_noticed_and_the_rows_kept(values: Any, shown: str) -> None:
    batch = batch_of(caption=values, height=values)
    assert [(entry.caption, entry.height) for entry in batch.entries] == [(None, None)] * 2
    assert [(notice.line, notice.field, notice.reason) for notice in batch.notices] == [
        (1, "caption", "not text"),
        (1, "height", "not a whole number"),
    ]
    assert shown in batch.notices[0].value


@pytest.mark.parametrize(
    ("columns", "cause"),
    [
        (
            {"accommodation_id": [1.0, 2.0]},
            "column accommodation_id is of type double; it must be text or whole numbers",
        ),
        ({"accommodation_id": [True, False]}, "column accommodation_id is of type bool"),
        ({"url": [1, 2]}, "column url is of type int64; it must be text"),
        ({"url": [["http://a.example"], []]}, "column url is of type list"),
    ],
)
def test_ids_and_urls_of_other_types_make_the_file_unreadable(columns: dict[str, Any], cause: str) -> None:
    with pytest.raises(UnreadableCatalogue, match=f"^c.parquet: the {cause}"):
        batch_of(**columns)


def test_absent_and_repeated_columns_make_the_file_unreadable() -> None:
    for names, cause in ((["accommodation_id", "link"], "no column url"), (["url", "url"], "more than one column url")):
        file = io.BytesIO()
        pq.write_table(pa.table([["a"], ["b"]], names=names), file)
        file.seek(0)
        with pytest.raises(UnreadableCatalogue, match=cause):
            list(read_catalogue(file, "c.parquet"))


def test_a_damaged_page_makes_the_file_unreadable() -> None:
    file = io.BytesIO()
    table = pa.table({"accommodation_id": [f"a{n}" for n in range(5000)], "url": ["http://a.example"] * 5000})
    pq.write_table(table, file, compression="zstd")
    data = bytearray(file.getvalue())
    data[200:400] = bytes(200)
    with pytest.raises(UnreadableCatalogue, match=r"^c\.parquet: not readable as Parquet"):
        list(read_catalogue(io.BytesIO(bytes(data)), "c.parquet"))


def test_rows_are_numbered_across_row_groups_and_batches() -> None:
    file = io.BytesIO()
    table = pa.table({"accommodation_id": [str(n) for n in range(10_000)], "url": ["http://a.example"] * 10_000})
    pq.write_table(table, file, row_group_size=3000)
    file.seek(0)
    batches = list(read_catalogue(file, "c.parquet"))
    assert len(batches) > 1
    assert [entry.line for batch in batches for entry in batch.entries] == list(range(1, 10_001))
