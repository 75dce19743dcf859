"""What a row of a catalogue must hold: the rules that make raw values an entry, a rejected row, or a notice.

Belongs here: the rules, the same for every format. Does not belong here: how a format is read (json_lines, csv_rows,
parquet_rows), and duplicates within a file, which the ledger finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from image_assets.given_files import RejectedRow, id_reason, shortened, unstorable

REQUIRED = ("accommodation_id", "url")
OPTIONAL = ("position", "caption", "category", "version", "width", "height")
COLUMNS = REQUIRED + OPTIONAL

MAX_URL_CHARACTERS = 8000
_INT32_MAX = 2**31 - 1

# Never part of a URL: control characters, halves of surrogate pairs. Blanks do occur after the host, in file names that
# were pasted as they are; browsers request them percent-encoded, and so does the fetcher.
_NEVER = r"\x00-\x1f\x7f-\x9f\ud800-\udfff"
_GOOD_URL = re.compile(
    r"(?i:https?)://"
    rf"(?:[^/?#@\\\s{_NEVER}]*@)?"  # user and password
    rf"(?:\[[0-9A-Fa-f:.]+\]|[^/?#@:\\\[\]\s{_NEVER}]+)"  # host
    r"(?::(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4})?)?"  # port
    rf"(?:[/?#][^{_NEVER}]*)?"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HTTP = re.compile(r"(?i:https?)://")
_HOST = re.compile(r"(?i:https?)://(?:[^/?#@\\]*@)?+[^/?#@:\\]")
_WHOLE_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,20})(?:\.0*)?\s*")


class CatalogueEntry(NamedTuple):
    """One image of a catalogue. `line` is the line it starts on (Parquet: the row number), 1-based.

    `accommodation_id` is exactly the partner's text, `url` its text without surrounding blanks. `position` is at
    least 0, `width` and `height` (pixels) at least 1, all below 2**31; None when the partner does not say.
    """

    line: int
    accommodation_id: str
    url: str
    position: int | None
    caption: str | None
    category: str | None
    version: str | None
    width: int | None
    height: int | None


@dataclass(frozen=True)
class CatalogueBatch:
    """A few thousand consecutive rows of a catalogue.

    `rejects` are rows that are no entry. `notices` have the same shape but are no rejected rows: each names an
    optional field that could not be used, and its row is among `entries` with None in that field.
    """

    entries: list[CatalogueEntry] = field(default_factory=list)
    rejects: list[RejectedRow] = field(default_factory=list)
    notices: list[RejectedRow] = field(default_factory=list)


RawRow = tuple[int, tuple[Any, ...]]
"""A line number and the values of COLUMNS as the format gives them; None or "" where there is none."""


def checked(rows: Iterable[RawRow], rejects: list[RejectedRow], file: str) -> CatalogueBatch:
    """The batch that raw rows make, after the rejects that the format itself has found."""
    batch = CatalogueBatch(rejects=list(rejects))
    for line, (raw_id, raw_url, position, caption, category, version, width, height) in rows:
        accommodation_id, reason = _accommodation_id(raw_id)
        if reason is not None:
            batch.rejects.append(RejectedRow(file, line, "accommodation_id", reason, shortened(raw_id)))
            continue
        url, reason = _url(raw_url)
        if reason is not None:
            batch.rejects.append(RejectedRow(file, line, "url", reason, shortened(raw_url)))
            continue
        entry = CatalogueEntry(
            line,
            accommodation_id,
            url,
            None if position is None or position == "" else _number(position, 0, batch, file, line, "position"),
            None if caption is None or caption == "" else _text(caption, batch, file, line, "caption"),
            None if category is None or category == "" else _text(category, batch, file, line, "category"),
            None if version is None or version == "" else _text(version, batch, file, line, "version"),
            None if width is None or width == "" else _number(width, 1, batch, file, line, "width"),
            None if height is None or height == "" else _number(height, 1, batch, file, line, "height"),
        )
        batch.entries.append(entry)
    return batch


def _accommodation_id(raw: Any) -> tuple[str, str | None]:
    if raw is None:
        return "", "missing"
    if isinstance(raw, str):
        return raw, id_reason(raw)
    # Whole numbers are the one other type whose text is not in doubt; True is an int to Python only.
    if isinstance(raw, int) and not isinstance(raw, bool):
        text = str(raw)
        return text, id_reason(text)
    return "", "not text"


def _url(raw: Any) -> tuple[str, str | None]:
    if raw is None:
        return "", "missing"
    if not isinstance(raw, str):
        return "", "not text"
    url = raw.strip()
    if len(url) <= MAX_URL_CHARACTERS and _GOOD_URL.fullmatch(url):
        return url, None
    return "", _url_reason(url)


def _url_reason(url: str) -> str:
    if not url:
        return "missing"
    if reason := unstorable(url):
        return reason
    if len(url) > MAX_URL_CHARACTERS:
        return f"longer than {MAX_URL_CHARACTERS} characters"
    if _CONTROL.search(url):
        return "contains a control character"
    if not _HTTP.match(url):
        return "not an http or https URL"
    if not _HOST.match(url):
        return "has no host"
    return "has a host or port that is not valid"


def _number(raw: Any, least: int, batch: CatalogueBatch, file: str, line: int, name: str) -> int | None:
    """`raw` as a whole number of 32 bits, also from text and from `3.0`; None with a notice otherwise."""
    number: int | float | Decimal | None = None
    if isinstance(raw, str):
        if raw.isspace():
            return None
        if match := _WHOLE_NUMBER.fullmatch(raw):
            number = int(match[1])
    elif isinstance(raw, int | float | Decimal) and not isinstance(raw, bool):
        if raw != raw:  # NaN, as pandas writes a missing number
            return None
        number = raw
    if number is None:
        reason = "not a whole number"
    elif not least <= number <= _INT32_MAX:
        reason = f"not between {least} and {_INT32_MAX}"
    elif number != int(number):
        reason = "not a whole number"
    else:
        return int(number)
    batch.notices.append(RejectedRow(file, line, name, reason, shortened(raw)))
    return None


def _text(raw: Any, batch: CatalogueBatch, file: str, line: int, name: str) -> str | None:
    """`raw` as text; numbers as they are written; None with a notice for anything else."""
    if isinstance(raw, str):
        text = raw
    elif isinstance(raw, int | float | Decimal) and not isinstance(raw, bool):
        if raw != raw:
            return None
        text = str(raw)
    else:
        batch.notices.append(RejectedRow(file, line, name, "not text", shortened(raw)))
        return None
    if text.isspace():
        return None
    if reason := unstorable(text):
        batch.notices.append(RejectedRow(file, line, name, reason, shortened(raw)))
        return None
    return text
