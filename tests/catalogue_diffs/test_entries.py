"""What a row of a catalogue must hold: ids, URLs and optional fields."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from image_assets.catalogue_diffs import CatalogueBatch, CatalogueEntry, RejectedRow, read_catalogue

NAME = "catalogues/acme/2026-W45.jsonl"
GOOD = {"accommodation_id": "a1", "url": "https://images.example/1.jpg"}


def batch_of(**fields: Any) -> CatalogueBatch:
    """What a catalogue makes of one row between two good ones; the row is on line 2."""
    rows = [GOOD, {**GOOD, **fields}, GOOD]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (batch,) = read_catalogue(io.BytesIO(data), NAME)
    return batch


def accepted(**fields: Any) -> CatalogueEntry:
    batch = batch_of(**fields)
    assert batch.rejects == []
    assert batch.notices == []
    return batch.entries[1]


def rejected(**fields: Any) -> RejectedRow:
    batch = batch_of(**fields)
    assert [entry.line for entry in batch.entries] == [1, 3]
    (reject,) = batch.rejects
    assert (reject.file, reject.line) == (NAME, 2)
    reject.value.encode()
    assert "\x00" not in reject.value
    assert len(reject.value) <= 200
    return reject


def noticed(**fields: Any) -> tuple[CatalogueEntry, RejectedRow]:
    batch = batch_of(**fields)
    assert [entry.line for entry in batch.entries] == [1, 2, 3]
    assert batch.rejects == []
    (notice,) = batch.notices
    assert (notice.file, notice.line) == (NAME, 2)
    return batch.entries[1], notice


@pytest.mark.parametrize("text", ["$abc", "0123", "bilbao-hot1", "Ünï/cødé", " a ", "1.0", "null", "a,b|c\td", "😀"])
def test_an_id_stays_exactly_the_text_it_is(text: str) -> None:
    assert accepted(accommodation_id=text).accommodation_id == text


@pytest.mark.parametrize("number", [0, 123, -5, 2**63, 12345678901234567890123])
def test_a_whole_number_as_id_becomes_its_decimal_text(number: int) -> None:
    assert accepted(accommodation_id=number).accommodation_id == str(number)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "missing"),
        ("", "missing"),
        (" \t", "missing"),
        (1.0, "not text"),
        (True, "not text"),
        (["a"], "not text"),
        ({"id": "a"}, "not text"),
        ("a\x00b", "contains a NUL character"),
        ("a\ud800b", "contains a character that is not valid Unicode"),
        ("é" * 251, "longer than 500 bytes"),
    ],
)
def test_a_row_without_a_usable_id_is_rejected(value: Any, reason: str) -> None:
    reject = rejected(accommodation_id=value)
    assert (reject.field, reject.reason) == ("accommodation_id", reason)


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example",
        "HTTPS://A.example/B.jpg?x=1&y=%20#top",
        "http://user:pass@a.example:8080/1.jpg",
        "http://[2001:db8::1]:80/1.jpg",
        "http://10.0.0.1:/1.jpg",
        "https://bücher.example/zimmer/größe.jpg",
        "https://a.example?image=1",
        "https://a.example/" + "x" * 7000,
        "https://a.example/a,b;c'd|e\\f[1].jpg",
        "https://a.example/sea view\u3000\xa0.jpg?room=double bed#the bed",
    ],
)
def test_an_http_url_with_a_host_stays_exactly_the_text_it_is(url: str) -> None:
    assert accepted(url=url).url == url


def test_blanks_around_a_url_are_dropped() -> None:
    assert accepted(url=" \thttps://a.example/1.jpg\r\n").url == "https://a.example/1.jpg"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "missing"),
        ("", "missing"),
        ("  ", "missing"),
        (5, "not text"),
        ("ftp://a.example/1.jpg", "not an http or https URL"),
        ("//a.example/1.jpg", "not an http or https URL"),
        ("a.example/1.jpg", "not an http or https URL"),
        ("data:image/png;base64,AAAA", "not an http or https URL"),
        ("http:/a.example/1.jpg", "not an http or https URL"),
        ("http:///1.jpg", "has no host"),
        ("https://", "has no host"),
        ("https://?image=1", "has no host"),
        ("https://user@/1.jpg", "has no host"),
        ("https://:80/1.jpg", "has no host"),
        ("https://a.example:port/1.jpg", "has a host or port that is not valid"),
        ("https://a.example:65536/1.jpg", "has a host or port that is not valid"),
        ("https://a.example:٣/1.jpg", "has a host or port that is not valid"),
        ("https://[a/1.jpg", "has a host or port that is not valid"),
        ("https://a.ex ample/1.jpg", "has a host or port that is not valid"),
        ("https://us er@a.example/1.jpg", "has a host or port that is not valid"),
        ("https:// /1.jpg", "has a host or port that is not valid"),
        ("https://a.example/a\nb.jpg", "contains a control character"),
        ("https://a.example/a\tb.jpg", "contains a control character"),
        ("https://a.example/a\x7fb.jpg", "contains a control character"),
        ("https://a.example/a\x85b.jpg", "contains a control character"),
        ("https://a.example/a\x00b.jpg", "contains a NUL character"),
        ("https://a.example/a\udfffb.jpg", "contains a character that is not valid Unicode"),
        ("https://a\udfff.example/b.jpg", "contains a character that is not valid Unicode"),
        ("https://a.example/" + "x" * 8000, "longer than 8000 characters"),
    ],
)
def test_a_row_without_a_usable_url_is_rejected(value: Any, reason: str) -> None:
    reject = rejected(url=value)
    assert (reject.field, reject.reason) == ("url", reason)


def test_a_rejected_row_shows_the_value() -> None:
    assert rejected(url="ftp://a.example/1.jpg").value == "ftp://a.example/1.jpg"
    assert rejected(url="https://a.example/\x00" + "é" * 500).value == "https://a.example/\\x00" + "é" * 178


@pytest.mark.parametrize("field", ["position", "width", "height"])
@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), ("7", 7), (" 7 ", 7), ("007", 7), ("7.0", 7), (7.0, 7), (2**31 - 1, 2**31 - 1)]
    + [(value, None) for value in (None, "", " ", float("nan"))],
)
def test_a_number_is_read_however_it_is_written(field: str, value: Any, number: int | None) -> None:
    assert getattr(accepted(**{field: value}), field) == number


def test_the_first_position_may_be_0() -> None:
    assert accepted(position=0).position == 0


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("position", "abc", "not a whole number"),
        ("position", 1.5, "not a whole number"),
        ("position", "1e3", "not a whole number"),
        ("position", "٣", "not a whole number"),
        ("position", True, "not a whole number"),
        ("position", [1], "not a whole number"),
        ("position", "9" * 5000, "not a whole number"),
        ("position", 2**31, "not between 0 and 2147483647"),
        ("position", float("inf"), "not between 0 and 2147483647"),
        ("position", -1, "not between 0 and 2147483647"),
        ("width", -3, "not between 1 and 2147483647"),
        ("height", 0, "not between 1 and 2147483647"),
        ("caption", ["a"], "not text"),
        ("category", False, "not text"),
        ("caption", "a\x00b", "contains a NUL character"),
        ("version", "a\udc80", "contains a character that is not valid Unicode"),
    ],
)
def test_a_bad_optional_field_is_noticed_and_the_row_kept_without_it(field: str, value: Any, reason: str) -> None:
    entry, notice = noticed(**{field: value})
    assert getattr(entry, field) is None
    assert (notice.field, notice.reason) == (field, reason)
    assert entry.url == GOOD["url"]


def test_texts_are_kept_and_blank_ones_are_none() -> None:
    entry = accepted(caption=" Sea view ", category="", version=" ")
    assert (entry.caption, entry.category, entry.version) == (" Sea view ", None, None)


@pytest.mark.parametrize(("written", "text"), [("3", "3"), ("1.10", "1.10"), ('"v2"', "v2"), ("null", None)])
def test_a_version_number_becomes_the_text_it_is_written_as(written: str, text: str | None) -> None:
    data = f'{{"accommodation_id": "a", "url": "http://a.example", "version": {written}}}'.encode()
    (batch,) = read_catalogue(io.BytesIO(data), NAME)
    assert batch.entries[0].version == text
    assert batch.notices == []
