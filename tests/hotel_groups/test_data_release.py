"""Data release files: names, rows and refusals."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_assets.hotel_groups import (
    HotelAccommodation,
    RejectedRow,
    UnreadableDataRelease,
    read_data_release,
    release_file,
)

NAME = "data-releases/2026-W45.csv"
HEADER = "hotel_id,partner_id,accommodation_id\n"


def read(data: bytes) -> tuple[list[HotelAccommodation], list[RejectedRow]]:
    batches = list(read_data_release(io.BytesIO(data), NAME))
    return [entry for batch in batches for entry in batch.entries], [row for batch in batches for row in batch.rejects]


def test_ids_stay_the_text_they_are() -> None:
    entries, rejects = read((HEADER + "h 1,ünï,$abc\n0012,acme,0123\n,").encode()[:-2] + b"\n")
    assert rejects == []
    assert entries == [HotelAccommodation(2, "h 1", "ünï", "$abc"), HotelAccommodation(3, "0012", "acme", "0123")]


def test_columns_come_in_any_order_with_others_bom_crlf_and_gzip() -> None:
    text = "\ufeffname;accommodation_id;hotel_id;partner_id\r\nSun;a1;h1;p1\r\n\r\n"
    assert read(gzip.compress(text.encode())) == ([HotelAccommodation(2, "h1", "p1", "a1")], [])


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        (",p,a", "hotel_id", "missing"),
        ("h, ,a", "partner_id", "missing"),
        ("h,p,", "accommodation_id", "missing"),
        ("h,p,a\x00b", "accommodation_id", "contains a NUL character"),
        (f"h,p,{'é' * 251}", "accommodation_id", "longer than 500 bytes"),
        ("h,p", "row", "2 fields instead of 3"),
    ],
)
def test_a_bad_row_is_rejected_with_file_line_field_and_reason(row: str, field: str, reason: str) -> None:
    entries, rejects = read((HEADER + f"h1,p1,a1\n{row}\nh2,p2,a2\n").encode())
    assert [entry.line for entry in entries] == [2, 4]
    assert [(reject.file, reject.line, reject.field, reject.reason) for reject in rejects] == [(NAME, 3, field, reason)]
    assert "\x00" not in rejects[0].value


def test_rows_that_repeat_an_accommodation_all_come() -> None:
    entries, rejects = read((HEADER + "h1,p,a\nh2,p,a\nh1,p,a\n").encode())
    assert [entry.line for entry in entries] == [2, 3, 4]
    assert rejects == []


def test_a_header_alone_is_a_release_without_hotels() -> None:
    assert read(HEADER.encode()) == ([], [])


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "the file is empty"),
        (b"hotel_id,partner_id\nh,p\n", "no column accommodation_id"),
        (gzip.compress(HEADER.encode() * 100, mtime=0)[:-9], "gzip data is damaged or cut off"),
        (b"\x1f\x8bnonsense", "gzip data is damaged or cut off"),
    ],
)
def test_an_unreadable_release_is_named_with_its_cause(data: bytes, cause: str) -> None:
    with pytest.raises(UnreadableDataRelease, match=f"^{NAME}: .*{cause}"):
        read(data)


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.text(min_size=1, max_size=20)] * 3)))
def test_any_storable_ids_come_back_exactly(rows: list[tuple[str, str, str]]) -> None:
    rows = [row for row in rows if all(value.strip() and "\x00" not in value for value in row)]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("hotel_id", "partner_id", "accommodation_id"), *rows])
    entries, rejects = read(text.getvalue().encode())
    assert rejects == []
    assert [entry[1:] for entry in entries] == rows


@pytest.mark.parametrize(
    ("key", "release_id"),
    [
        ("data-releases/2026-W45.csv", "2026-W45"),
        ("data-releases/ünï v1.2.csv.gz", "ünï v1.2"),
        ("data-releases/W45.CSV", "W45"),
        ("data-releases/2026-W45.json", None),
        ("data-releases/2026-W45.csv.part", None),
        ("data-releases/old/2026-W45.csv", None),
        ("data-releases/.csv", None),
        ("data-releases/...csv", None),
        ("catalogues/2026-W45.csv", None),
    ],
)
def test_the_release_id_is_the_file_name_without_its_ending(key: str, release_id: str | None) -> None:
    assert release_file(key) == release_id


def test_a_large_release_is_read_in_little_memory() -> None:
    lines = "".join(f"hotel-{row // 3},acme,accommodation-{row},{'Sun ' * 300}\n" for row in range(30_000))
    file = io.BytesIO(gzip.compress((HEADER.strip() + ",name\n" + lines).encode(), 1))
    del lines
    tracemalloc.start()
    try:
        rows = sum(len(batch.entries) for batch in read_data_release(file, NAME))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == 30_000
    assert peak < 16 * 2**20  # the text is 37 MB
