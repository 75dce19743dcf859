"""CSV as users write it: what is read, what is rejected, and where reading goes on."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_assets.given_files import CsvRow, RejectedRow, UnreadableFile, csv_records


def read(text: str | bytes) -> tuple[list[CsvRow], list[RejectedRow]]:
    rows: list[CsvRow] = []
    rejects: list[RejectedRow] = []
    data = text.encode() if isinstance(text, str) else text
    for some_rows, some_rejects in csv_records(io.BytesIO(data), "f.csv", ("id", "url"), ("note",)):
        rows += some_rows
        rejects += some_rejects
    return rows, rejects


def test_columns_may_come_in_any_order_among_others() -> None:
    assert read("colour,url,note,id\nred,u,n,1\n") == ([(2, ("1", "u", "n"))], [])


def test_an_absent_optional_column_reads_as_blank() -> None:
    assert read("id,url\n1,u\n") == ([(2, ("1", "u", ""))], [])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_header_tells_the_delimiter(delimiter: str) -> None:
    assert read("id,url\n1,u;\tv\n".replace(",", delimiter).replace("u;\tv", "u")) == ([(2, ("1", "u", ""))], [])


def test_a_header_with_commas_keeps_semicolons_in_values() -> None:
    assert read("id,url\n1,a;b\n")[0] == [(2, ("1", "a;b", ""))]


def test_byte_order_mark_crlf_and_blank_lines_are_passed_over() -> None:
    assert read(b"\xef\xbb\xbf\r\n id , url \r\n\r\n1,u\r\n   \r\n2,v") == (
        [(4, ("1", "u", "")), (6, ("2", "v", ""))],
        [],
    )


def test_lines_are_counted_through_quoted_line_breaks() -> None:
    rows, rejects = read('id,url,note\n1,u,"two\nlines"\n2,v,"a ""quote"", and\r\nmore"\n3,w,\nshort\n')
    assert rows == [(2, ("1", "u", "two\nlines")), (4, ("2", "v", 'a "quote", and\r\nmore')), (6, ("3", "w", ""))]
    assert [(reject.line, reject.field, reject.reason) for reject in rejects] == [(7, "row", "1 fields instead of 3")]


def test_rows_with_too_few_or_too_many_fields_are_rejected_one_by_one() -> None:
    rows, rejects = read("id,url\n1\n2,v\n3,w,x\n4,y\n")
    assert [line for line, _ in rows] == [3, 5]
    assert rejects == [
        RejectedRow("f.csv", 2, "row", "1 fields instead of 2", "1"),
        RejectedRow("f.csv", 4, "row", "3 fields instead of 2", "3,w,x"),
    ]


def test_a_stray_quote_costs_its_own_line_only() -> None:
    rows, rejects = read('id,url\n1,"u\n2,v\n3,"w\n4,x\n')
    assert [line for line, _ in rows] == [3, 5]
    assert [(reject.line, reject.value) for reject in rejects] == [(2, '1,"u'), (4, '3,"w')]
    assert all("not CSV" in reject.reason for reject in rejects)


def test_a_quote_that_never_ends_costs_its_own_line_only_however_much_follows() -> None:
    lines = [f"{n},http://a.example/{n}.jpg" for n in range(60_000)]
    lines[10] = '10,"http://a.example/10.jpg'
    rows, rejects = read("id,url\n" + "\n".join(lines) + "\n")
    assert [reject.line for reject in rejects] == [12]
    assert len(rows) == 59_999
    assert rows[-1] == (60_001, ("59999", "http://a.example/59999.jpg", ""))


def test_a_quoted_field_may_go_on_where_a_block_of_lines_ends() -> None:
    note = "x" * 100 + "\n" + "y" * 100
    rows, rejects = read("id,url,note\n" + "".join(f'{n},u,"{note}"\n' for n in range(6_000)))
    assert rejects == []
    assert rows == [(2 + 2 * n, (str(n), "u", note)) for n in range(6_000)]


def test_bytes_that_are_not_utf_8_cost_their_row_only() -> None:
    rows, rejects = read(b"id,url\n1,caf\xe9\n2,caf\xc3\xa9\n")
    assert rows == [(3, ("2", "café", ""))]
    assert [(reject.line, reject.reason) for reject in rejects] == [(2, "not UTF-8 text")]
    assert "caf" in rejects[0].value
    rejects[0].value.encode()


def test_a_line_that_is_too_long_costs_itself_only() -> None:
    fields = ",".join(["x" * 100_000] * 3)
    rows, rejects = read(f"id,url,p,q,r\n1,u,{fields}\n2,v,,,\n")
    assert rows == [(3, ("2", "v", ""))]
    assert [(reject.line, reject.reason) for reject in rejects] == [(2, "the line is too long")]
    assert len(rejects[0].value) == 200


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "no CSV header"),
        (b"\xef\xbb\xbf", "no CSV header"),
        (b"id,link\n1,u\n", "no column url"),
        (b"id,url,url\n1,u,v\n", "more than one column url"),
        (b"id,url,caf\xe9\n1,u,v\n", "not UTF-8"),
        (b'id,url,"open\n1,u,v\n', "cannot be read"),
        (b"id,url\r1,u\r", "carriage returns"),
        ("id,url\n1,u\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_file_without_a_usable_header_is_unreadable(data: bytes, cause: str) -> None:
    with pytest.raises(UnreadableFile, match=cause):
        read(data)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text('a,"\n\r;é ', max_size=8), max_size=8))
def test_every_line_ends_as_a_row_a_reject_or_a_blank_whatever_the_quotes(lines: list[str]) -> None:
    text = "id,url\n" + "\n".join(lines)
    rows, rejects = read(text)
    count = text.count("\n") + 1
    starts = [line for line, _ in rows] + [reject.line for reject in rejects]
    assert len(starts) == len(set(starts))
    assert all(2 <= line <= count for line in starts)
