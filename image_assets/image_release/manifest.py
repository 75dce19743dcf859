"""The manifest: every published image group of a release, as one Parquet file that is the same for the same rows.

Belongs here: the schema, building batches of rows from tables, writing the file. Does not belong here: where the rows
come from (the ledger), and where the file goes (publishing).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

# Rows in a row group: 14 renditions a row make about 30 MB of it in memory. Part of the format: another number
# writes other bytes, so every manifest would get another digest.
ROW_GROUP_ROWS = 20_000


def _required(name: str, type: pa.DataType) -> pa.Field:
    return pa.field(name, type, nullable=False)


def _list_of(fields: Sequence[pa.Field]) -> pa.ListType:
    return pa.list_(_required("element", pa.struct(fields)))


_MEMBER = [_required(name, pa.string()) for name in ("sha256", "partner_id", "accommodation_id", "url")]
_RENDITION = [
    _required("recipe", pa.string()),
    _required("key", pa.string()),
    _required("width", pa.int32()),
    _required("height", pa.int32()),
    _required("bytes", pa.int64()),
    _required("format", pa.string()),
]
_ROW = [
    _required("hotel_id", pa.string()),
    _required("position", pa.int32()),
    _required("image_group_id", pa.string()),
    *_MEMBER,
    _required("width", pa.int32()),
    _required("height", pa.int32()),
    _required("score", pa.float64()),
]

MANIFEST_SCHEMA = pa.schema(
    [*_ROW, _required("members", _list_of(_MEMBER)), _required("renditions", _list_of(_RENDITION))]
)
"""One row a published image group, sorted by hotel_id (bytewise), then position, which starts at 1. `sha256` is in
lower-case hex; sizes are in pixels; `key` is relative to the store. `members` are all catalogue entries the group
stands for, the published one included, by partner, accommodation, URL; `renditions` are by recipe name."""


@dataclass(frozen=True)
class ManifestFacts:
    """A written manifest: the SHA-256 of the file in hex, its rows and hotels, and its size in bytes."""

    digest: str
    rows: int
    hotels: int
    bytes: int


def manifest_batch(priorities: pd.DataFrame, members: pd.DataFrame, renditions: pd.DataFrame) -> pa.RecordBatch:
    """The manifest's rows for some hotels, sorted; tables may come in any order and with further columns.

    `priorities`, one row a published image group: hotel_id, position, image_group_id, sha256, partner_id,
    accommodation_id, url, width, height, score. `members`: hotel_id, image_group_id, sha256, partner_id,
    accommodation_id, url; those of groups that are not in `priorities` are left out. `renditions`: sha256, recipe,
    key, width, height, bytes, format; a content that several hotels publish is listed once. Meant for some ten
    thousand rows at a time. Raises ValueError or pyarrow.ArrowInvalid for a missing column or value.
    """
    rows = _sorted(_arrow(priorities, _ROW), ["hotel_id", "position"])
    places = rows.select(["hotel_id", "image_group_id", "sha256"]).to_pandas().assign(row=np.arange(rows.num_rows))
    of_group = places[["hotel_id", "image_group_id", "row"]].merge(members, on=["hotel_id", "image_group_id"])
    of_content = places[["sha256", "row"]].merge(renditions, on="sha256")
    member_lists = _lists(of_group, _MEMBER, ["partner_id", "accommodation_id", "url", "sha256"], rows.num_rows)
    rendition_lists = _lists(of_content, _RENDITION, ["recipe"], rows.num_rows)
    columns = [*(column.combine_chunks() for column in rows.columns), member_lists, rendition_lists]
    return pa.RecordBatch.from_arrays(columns, schema=MANIFEST_SCHEMA)


def write_manifest(batches: Iterable[pa.RecordBatch], target: Path) -> ManifestFacts:
    """Write batches of sorted rows, as they come, to a Parquet file; memory holds a row group and a batch.

    The bytes depend on the rows alone, not on how they are cut into batches. (Parquet names its writer, so another
    version of pyarrow gives other bytes.) Raises ValueError when rows are out of order or there twice.
    """
    rows = hotels = 0
    last_hotel: str | None = None
    with pq.ParquetWriter(target, MANIFEST_SCHEMA, compression="zstd", compression_level=3, version="2.6") as writer:
        for group in _row_groups(_in_order(batches)):
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
            hotel_ids = group["hotel_id"]
            rows += group.num_rows
            hotels += pc.count_distinct(hotel_ids).as_py() - (hotel_ids[0].as_py() == last_hotel)
            last_hotel = hotel_ids[-1].as_py()
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ManifestFacts(digest, rows, hotels, target.stat().st_size)


def contents_of(manifest: BinaryIO) -> Iterator[tuple[list[str], list[str]]]:
    """All contents a manifest refers to, page by page: the published ones, and those of all members (sha256 in hex).

    Reads these two columns only. Raises pyarrow.ArrowInvalid when the file is no manifest.
    """
    columns = ["sha256", "members.list.element.sha256"]
    for batch in pq.ParquetFile(manifest).iter_batches(ROW_GROUP_ROWS, columns=columns):
        members = pc.struct_field(pc.list_flatten(batch["members"]), "sha256")
        yield batch["sha256"].to_pylist(), members.to_pylist()


def lost_hotels(before: Path, now: Path) -> tuple[int, int]:
    """(hotels of the manifest `before` that are not in `now`, hotels of `before`). Memory holds each hotel once."""
    was, is_ = _hotels_of(before), _hotels_of(now)
    return len(was) - pc.sum(pc.is_in(was, value_set=is_)).as_py() if len(was) else 0, len(was)


def _hotels_of(manifest: Path) -> pa.Array:
    batches = pq.ParquetFile(manifest).iter_batches(ROW_GROUP_ROWS, columns=["hotel_id"])
    return pa.chunked_array([batch["hotel_id"].unique() for batch in batches], pa.string()).unique()


def _arrow(frame: pd.DataFrame, fields: Sequence[pa.Field]) -> pa.Table:
    names = [field.name for field in fields]
    return pa.Table.from_pandas(frame[names], schema=pa.schema(fields), preserve_index=False)


def _sorted(table: pa.Table, by: Sequence[str]) -> pa.Table:
    """Arrow compares text by its UTF-8 bytes, as COLLATE "C" does."""
    return table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in by]))


def _lists(frame: pd.DataFrame, fields: Sequence[pa.Field], by: Sequence[str], rows: int) -> pa.ListArray:
    """For each row the structs of the frame's lines with that `row`, sorted."""
    table = _sorted(_arrow(frame, [_required("row", pa.int64()), *fields]), ["row", *by])
    counts = np.bincount(table["row"].to_numpy(), minlength=rows)
    offsets = pa.array(np.concatenate([[0], counts.cumsum()]), pa.int32())
    structs = pa.StructArray.from_arrays([table[field.name].combine_chunks() for field in fields], fields=fields)
    return pa.ListArray.from_arrays(offsets, structs, type=_list_of(fields))


def _in_order(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The batches as they are, once they are known to be sorted by hotel and position without repetition."""
    last = None
    for batch in batches:
        keys = batch.select(["hotel_id", "position"])
        both = pa.Table.from_batches([keys] if last is None else [last, keys])
        hotel, position = both["hotel_id"], both["position"]
        rising = pc.or_(
            pc.less(hotel[:-1], hotel[1:]),
            pc.and_(pc.equal(hotel[:-1], hotel[1:]), pc.less(position[:-1], position[1:])),
        )
        if not pc.all(rising, min_count=0).as_py():
            wrong = pc.index(rising, False).as_py() + 1
            raise ValueError(f"manifest rows out of order at hotel {hotel[wrong]}, position {position[wrong]}")
        last = both.slice(max(0, both.num_rows - 1)).combine_chunks().to_batches()[0] if both.num_rows else None
        yield pa.Table.from_batches([batch])


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows, cut anew into tables of `ROW_GROUP_ROWS`; the last is shorter, none is empty."""
    waiting = MANIFEST_SCHEMA.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        while waiting.num_rows >= ROW_GROUP_ROWS:
            yield waiting.slice(0, ROW_GROUP_ROWS).combine_chunks()
            waiting = waiting.slice(ROW_GROUP_ROWS)
    if waiting.num_rows:
        yield waiting.combine_chunks()
