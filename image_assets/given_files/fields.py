"""Single values from users' files: which text can be kept, which ids, and how a refused value is recorded.

Does not belong here: rules of one kind of file, such as what a good URL is.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_ID_BYTES = 500  # three ids fit into one B-tree index entry of PostgreSQL (2,704 bytes)
_SHOWN_CHARACTERS = 200

# What a PostgreSQL text cannot hold: NUL, and half of a surrogate pair. A byte that is not UTF-8 reads as the latter.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class RejectedRow(NamedTuple):
    """A row, or an optional field of a kept row, that was refused, and why.

    `line` is the 1-based line of the file on which the row starts (Parquet: the row number). `field` is the column,
    or `row` when the whole row is at fault. `value` is storable text of at most 200 characters.
    """

    file: str
    line: int
    field: str
    reason: str
    value: str


def shortened(value: object) -> str:
    """`value` as text that PostgreSQL can hold, at most 200 characters; "" for None."""
    if value is None:
        return ""
    text = str(value)[:_SHOWN_CHARACTERS].replace("\0", "\\x00")
    return text.encode("utf-8", "backslashreplace").decode()[:_SHOWN_CHARACTERS]


def unstorable(text: str) -> str | None:
    """The reason why `text` cannot be stored; None when it can."""
    if text.isascii() and "\0" not in text:  # the same answer as below, five times as fast
        return None
    if (found := _UNSTORABLE.search(text)) is None:
        return None
    return "contains a NUL character" if found[0] == "\0" else "contains a character that is not valid Unicode"


def id_reason(text: str) -> str | None:
    """The reason why `text` cannot be the id of a hotel, partner or accommodation; None when it can.

    Ids are kept exactly as they are, surrounding blanks included; only a wholly blank id counts as missing.
    """
    if not text or text.isspace():
        return "missing"
    if reason := unstorable(text):
        return reason
    if len(text) > MAX_ID_BYTES // 4 and len(text.encode()) > MAX_ID_BYTES:
        return f"longer than {MAX_ID_BYTES} bytes"
    return None
