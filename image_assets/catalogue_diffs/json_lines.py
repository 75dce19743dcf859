"""Catalogues as JSON Lines: one object a line.

Does not belong here: what the values may be (entries).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import BinaryIO

from image_assets.catalogue_diffs.entries import COLUMNS, RawRow
from image_assets.given_files import RejectedRow, UnreadableFile, line_blocks, shortened, too_long, unstorable


def json_rows(content: BinaryIO, file: str) -> Iterator[tuple[list[RawRow], list[RejectedRow]]]:
    """The rows of a JSON Lines file and the lines that hold no object, a few thousand at a time; blank lines are fine.

    Raises UnreadableFile when the file has text but no line of it is an object: then it is not JSON Lines.
    """
    line = 0
    objects = 0
    first_reject: RejectedRow | None = None
    for lines in line_blocks(content):
        rows: list[RawRow] = []
        rejects: list[RejectedRow] = []
        for text in lines:
            line += 1
            found = _object(text)
            if isinstance(found, dict):
                get = found.get
                rows.append((line, tuple([get(name) for name in COLUMNS])))
            elif found is not None:
                rejects.append(RejectedRow(file, line, "row", found, shortened(text.strip())))
        objects += len(rows)
        first_reject = first_reject or next(iter(rejects), None)
        yield rows, rejects
    if first_reject and not objects:
        raise UnreadableFile(f"no line is a JSON object (line {first_reject.line}: {first_reject.reason})")


# Decimal keeps a number such as 1.10 as it is written.
_decode = json.JSONDecoder(parse_float=Decimal).decode


def _object(text: str) -> dict[str, object] | str | None:
    """The object on a line, the reason why there is none, or None for a blank line."""
    if too_long(text):
        return "the line is too long"
    if not text.isascii() and (reason := unstorable(text)):
        return "not UTF-8 text" if reason.endswith("Unicode") else reason
    try:
        found = _decode(text)
    except json.JSONDecodeError as error:
        return f"not JSON ({error.msg})" if text.strip() else None
    except (ValueError, RecursionError, ArithmeticError) as error:
        # A number of thousands of digits, brackets nested by the thousand: valid JSON, but no catalogue entry.
        return f"not JSON that can be read ({type(error).__name__})"
    return found if isinstance(found, dict) else "not a JSON object"
