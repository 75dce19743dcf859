"""Catalogue files: the same entries from every format, unreadable files, and names."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import json
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_assets.catalogue_diffs import (
    CatalogueEntry,
    UnreadableCatalogue,
    catalogue_file,
    catalogue_version,
    newest_versions,
    read_catalogue,
)

COLUMNS = ("accommodation_id", "url", "position", "caption", "category", "version", "width", "height")
ENDINGS = [format + gz for format in (".jsonl", ".json", ".ndjson", ".csv", ".parquet") for gz in ("", ".gz")]
ROW = ("$abc", "https://images.example/1.jpg", 1, 'Sea, "view"\nroom', None, "v2", 1024, 768)
LINE = json.dumps(dict(zip(COLUMNS, ROW, strict=True))).encode() + b"\n"

Row = tuple[Any, ...]


def written(rows: Sequence[Row], ending: str) -> bytes:
    """A catalogue file of rows in the order of COLUMNS."""
    if ending.endswith(".gz"):
        return gzip.compress(written(rows, ending.removesuffix(".gz")), 1)
    if ending == ".csv":
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL).writerows([COLUMNS, *rows])
        return text.getvalue().encode()
    if ending == ".parquet":
        kinds = [pa.int32() if name in ("position", "width", "height") else pa.string() for name in COLUMNS]
        columns = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
        arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
        buffer = io.BytesIO()
        pq.write_table(pa.table(arrays, names=list(COLUMNS)), buffer)
        return buffer.getvalue()
    return "".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n" for row in rows).encode() or b"\n"


def entries(data: bytes, name: str) -> list[CatalogueEntry]:
    """All entries of a file that has neither rejects nor notices."""
    batches = list(read_catalogue(io.BytesIO(data), name))
    assert [problem for batch in batches for problem in (*batch.rejects, *batch.notices)] == []
    return [entry for batch in batches for entry in batch.entries]


texts = st.text(max_size=12).filter(lambda text: "\x00" not in text)
ids = texts.filter(str.strip)
paths = st.text(st.characters(exclude_categories=["Cc", "Cs", "Z"]), max_size=12)
numbers = st.one_of(st.none(), st.integers(1, 2**31 - 1))
optional_texts = st.one_of(st.none(), ids)
catalogue_rows = st.lists(
    st.tuples(
        ids,
        paths.map("https://images.example/{}".format),
        numbers,
        optional_texts,
        optional_texts,
        optional_texts,
        numbers,
        numbers,
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=60)
@given(catalogue_rows)
def test_every_format_gives_exactly_what_was_written(rows: list[Row]) -> None:
    for ending in (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet", ".parquet.gz"):
        assert [entry[1:] for entry in entries(written(rows, ending), "c" + ending)] == rows, ending


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_format_goes_by_the_ending_of_the_name_in_any_case(ending: str) -> None:
    for name in ("catalogues/acme/v1" + ending, "catalogues/acme/v1" + ending.upper()):
        assert [entry[1:] for entry in entries(written([ROW], ending), name)] == [ROW]


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
def test_gzip_goes_by_the_content_not_by_the_name(ending: str) -> None:
    assert [entry[1:] for entry in entries(written([ROW], ending + ".gz"), "c" + ending)] == [ROW]
    assert [entry[1:] for entry in entries(written([ROW], ending), f"c{ending}.gz")] == [ROW]


def test_json_lines_may_have_a_bom_crlf_blank_lines_extra_keys_and_no_last_line_end() -> None:
    row = '{"url": "http://a.example", "extra": {"deep": [1]}, "accommodation_id": "0123"}'
    data = f"\ufeff\r\n{row}\r\n \r\n{row}".encode()
    assert [(entry.line, entry.accommodation_id) for entry in entries(data, "c.jsonl")] == [(2, "0123"), (4, "0123")]


def test_a_csv_may_have_a_bom_crlf_semicolons_extra_columns_and_line_breaks_in_fields() -> None:
    data = (
        '\ufeffurl;extra;accommodation_id;caption\r\nhttp://a.example;;0123;"two\r\nlines"\r\nhttp://b.example;x;1;\r\n'
    )
    found = [(entry.line, entry.accommodation_id, entry.caption) for entry in entries(data.encode(), "c.csv")]
    assert found == [(2, "0123", "two\r\nlines"), (4, "1", None)]


def test_rows_with_the_same_accommodation_and_url_all_come() -> None:
    assert [entry.line for entry in entries(LINE * 3, "c.jsonl")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"accommodation_id": "a"', "not JSON (Expecting ',' delimiter)"),
        (b"nonsense", "not JSON (Expecting value)"),
        (b'["a", "http://a.example"]', "not a JSON object"),
        (b'"a"', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"accommodation_id": "caf\xe9"}', "not UTF-8 text"),
        (b'{"position": ' + b"1" * 5000 + b"}", "not JSON that can be read (ValueError)"),
        (b'{"x": ' + b"[" * 100_000 + b"}", "not JSON that can be read (RecursionError)"),
        (b'{"x": "' + b"y" * 3_000_000 + b'"}', "the line is too long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_line_that_is_no_json_object_is_rejected_and_the_rest_is_read(line: bytes, reason: str) -> None:
    batches = list(read_catalogue(io.BytesIO(LINE + line + b"\n" + LINE), "c.jsonl"))
    rejects = [reject for batch in batches for reject in batch.rejects]
    assert [entry.line for batch in batches for entry in batch.entries] == [1, 3]
    assert [(reject.file, reject.line, reject.field, reject.reason) for reject in rejects] == [
        ("c.jsonl", 2, "row", reason)
    ]
    assert len(rejects[0].value) <= 200


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_catalogue_may_offer_nothing(ending: str) -> None:
    assert entries(written([], ending), "c" + ending) == []


MANY = [(f"a{n}", f"https://images.example/{n * 7919}.jpg", n, None, None, None, None, None) for n in range(20_000)]


@pytest.mark.parametrize(
    ("data", "name", "cause"),
    [
        (b"", "c.jsonl", "the file is empty"),
        (b"", "c.csv.gz", "the file is empty"),
        (b"", "c.parquet", "the file is empty"),
        (gzip.compress(b"", mtime=0), "c.jsonl.gz", "the file is empty"),
        (LINE, "c.txt", "unknown format; the name must end with .jsonl, "),
        (LINE, "c", "unknown format"),
        (written(MANY, ".jsonl.gz")[:-1000], "c.jsonl.gz", "gzip data is damaged or cut off"),
        (written(MANY, ".csv.gz")[:-1], "c.csv", "gzip data is damaged or cut off"),
        (written(MANY, ".parquet.gz")[:-9], "c.parquet.gz", "gzip data is damaged or cut off"),
        (gzip.compress(LINE, mtime=0) + b"garbage", "c.jsonl.gz", "gzip data is damaged or cut off"),
        (b"\x1f\x8b\x08" + bytes(range(256)), "c.jsonl.gz", "gzip data is damaged or cut off"),
        (b"<html>\n<body>not found</body>\n</html>", "c.jsonl.gz", r"no line is a JSON object \(line 1: not JSON"),
        (b"[" + LINE.strip() + b"]", "c.json", r"no line is a JSON object \(line 1: not a JSON object"),
        (LINE.decode().encode("utf-16"), "c.jsonl", "UTF-16"),
        (b"id,link\n1,http://a.example\n", "c.csv", "no column accommodation_id and no column url"),
        (b"accommodation_id,url,caf\xe9\n", "c.csv", "header is not UTF-8"),
        (b"PAR1 nonsense PAR1", "c.parquet", "not readable as Parquet"),
        (LINE, "c.parquet", "not readable as Parquet"),
        (written(MANY, ".parquet")[:-100], "c.parquet", "not readable as Parquet"),
    ],
)
def test_an_unreadable_file_is_named_with_its_cause(data: bytes, name: str, cause: str) -> None:
    with pytest.raises(UnreadableCatalogue, match=f"^{name}: .*{cause}"):
        list(read_catalogue(io.BytesIO(data), name))


@pytest.mark.parametrize(
    ("key", "partner_id", "version"),
    [
        ("catalogues/acme/2026-W45.jsonl.gz", "acme", "2026-W45"),
        ("catalogues/ünï/v1.2.csv", "ünï", "v1.2"),
        ("catalogues/$abc/0123.PARQUET", "$abc", "0123"),
        ("catalogues/acme/2026-W45.ndjson.GZ", "acme", "2026-W45"),
        ("catalogues/acme/a.csv.json", "acme", "a.csv"),
    ],
)
def test_an_object_key_gives_partner_and_version(key: str, partner_id: str, version: str) -> None:
    assert catalogue_file(key) == (partner_id, version)
    assert catalogue_version(key) == catalogue_version(key.rpartition("/")[2]) == version


@pytest.mark.parametrize(
    "key",
    [
        "catalogues/2026-W45.jsonl",
        "catalogues/acme/2026-W45.jsonl.part",
        "catalogues/acme/readme.txt",
        "catalogues/acme/old/2026-W45.csv",
        "catalogues/acme/.csv",
        "catalogues/acme/.2026-W45.csv",
        "catalogues//2026-W45.csv",
        "elsewhere/acme/2026-W45.csv",
    ],
)
def test_other_keys_are_no_catalogues_and_are_listed(key: str) -> None:
    with pytest.raises(ValueError, match="not a catalogue"):
        catalogue_file(key)
    newest, unrecognised = newest_versions([key, "catalogues/acme/1.csv"])
    assert newest == {"acme": "catalogues/acme/1.csv"}
    assert len(unrecognised) == 1
    assert unrecognised[0].startswith(f"{key}: not a catalogue; expected catalogues/")


def test_the_newest_version_is_the_last_in_code_point_order_of_the_versions() -> None:
    versions = ["2026-W1", "2026-W10", "2026-W1-b", "2026-W9", "é", "Z"]
    for keys in itertools.permutations([f"catalogues/acme/{version}.csv" for version in versions[:4]]):
        assert newest_versions(keys)[0] == {"acme": "catalogues/acme/2026-W9.csv"}
    assert newest_versions([f"catalogues/p/{version}.csv" for version in versions])[0] == {"p": "catalogues/p/é.csv"}
    by_version = ["catalogues/p/1.parquet", "catalogues/p/1-b.csv"]
    assert newest_versions(by_version)[0] == {"p": "catalogues/p/1-b.csv"}


def test_of_one_version_in_several_files_the_last_key_counts() -> None:
    keys = ["catalogues/p/1.jsonl", "catalogues/p/1.csv.gz", "catalogues/p/1.csv"]
    assert newest_versions(keys) == ({"p": "catalogues/p/1.jsonl"}, [])


def test_a_partner_whose_id_cannot_be_a_partition_key_is_listed_with_the_reason() -> None:
    newest, unrecognised = newest_versions(["catalogues/a|b/1.csv", "catalogues/ünï/1.csv"])
    assert newest == {"ünï": "catalogues/ünï/1.csv"}
    assert unrecognised[0].startswith("catalogues/a|b/1.csv: the id 'a|b' contains '|'")


@pytest.mark.parametrize("ending", [".jsonl.gz", ".csv.gz", ".parquet"])
def test_a_large_catalogue_is_read_in_little_memory(ending: str) -> None:
    long_rows = [(*row[:3], "A room with a view. " * 75, "room", "v1", 1024, 768) for row in MANY]
    file = io.BytesIO(written(long_rows, ending))
    del long_rows
    tracemalloc.start()
    try:
        rows = sum(len(batch.entries) for batch in read_catalogue(file, "c" + ending))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == len(MANY)
    assert peak < 16 * 2**20  # the text is 32 MB
