"""CSV as users write it: any order of columns, extra columns, `,` `;` or tab, quoted line breaks, broken rows.

Belongs here: from lines to rows of the wanted columns. Does not belong here: what a column may hold.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, BinaryIO

from image_assets.given_files.fields import RejectedRow, shortened, unstorable
from image_assets.given_files.reading import UnreadableFile, line_blocks, too_long

CsvRow = tuple[int, tuple[str, ...]]
"""The line on which a row starts, and its values in the order of the wanted columns; "" for an absent column."""

_OPEN_QUOTE = "not CSV (a quoted field does not end)"


def csv_records(
    content: BinaryIO, file: str, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[list[CsvRow], list[RejectedRow]]]:
    """The rows of a CSV file and the rows it rejects, a few thousand at a time. At least two columns are wanted.

    The first line that is not blank is the header; when it has no comma, `;` or else a tab separates fields. A row
    that cannot be read costs its first line only: reading goes on at the next line, so that a stray quote does not
    swallow what follows. Raises UnreadableFile without a header that names every required column once.
    """
    blocks = line_blocks(content)
    line = 1
    lines: list[str] = []
    for lines in blocks:
        blank = next((index for index, text in enumerate(lines) if not text.isspace()), len(lines))
        line += blank
        lines = lines[blank:]
        if lines:
            break
    if not lines:
        raise UnreadableFile("there is no CSV header")
    delimiter, header = _header(lines[0])
    wanted = (*required, *optional)
    if missing := [name for name in required if name not in header]:
        raise UnreadableFile(f"the CSV header has no column {' and no column '.join(missing)}")
    if repeated := [name for name in wanted if header.count(name) > 1]:
        raise UnreadableFile(f"the CSV header has more than one column {repeated[0]}")
    # An absent optional column is read from the "" that `_block` appends to each row.
    pick = itemgetter(*[header.index(name) if name in header else len(header) for name in wanted])
    line += 1
    carried: list[str] = []
    for block in chain([lines[1:]], blocks):
        lines = carried + block
        rows, rejects, carried = _block(lines, line, file, delimiter, len(header), pick)
        line += len(lines) - len(carried)
        yield rows, rejects
    while carried:
        # The file ends inside a quoted field: what its first line opened is lost, what follows is read.
        rejects = [_rejected(file, line, _OPEN_QUOTE, carried[0])]
        lines, line = carried[1:], line + 1
        rows, more_rejects, carried = _block(lines, line, file, delimiter, len(header), pick)
        line += len(lines) - len(carried)
        yield rows, rejects + more_rejects


def _header(text: str) -> tuple[str, list[str]]:
    if unstorable(text):
        raise UnreadableFile("the CSV header is not UTF-8 text")
    if too_long(text):
        raise UnreadableFile("the first line is too long for a CSV header")
    if "\r" in text.rstrip():
        raise UnreadableFile("the lines of the CSV end with carriage returns only; they must end with line feeds")
    delimiter = next((mark for mark in ",;\t" if mark in text), ",")
    try:
        names = next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise UnreadableFile(f"the CSV header cannot be read ({error})") from error
    return delimiter, [name.strip() for name in names]


def _block(
    lines: list[str], first_line: int, file: str, delimiter: str, fields: int, pick: itemgetter[Any]
) -> tuple[list[CsvRow], list[RejectedRow], list[str]]:
    """The rows and rejects of `lines`, and the last lines when they may go on in the next block."""
    rows: list[CsvRow] = []
    rejects: list[RejectedRow] = []
    resume = 0  # index of the line at which reading starts, again after each broken row
    while resume < len(lines):
        reader = csv.reader(lines[resume:], delimiter=delimiter, strict=True)
        start = resume
        problem = None
        try:
            for row in reader:
                if len(row) != fields:
                    if row and not (len(row) == 1 and row[0].isspace()):
                        problem = f"{len(row)} fields instead of {fields}"
                        break
                elif too_long(lines[start]):
                    problem = "the line is too long"
                    break
                elif not (joined := "".join(row)).isascii() and not _is_unicode(joined):
                    problem = "not UTF-8 text"
                    break
                else:
                    row.append("")
                    rows.append((first_line + start, pick(row)))
                start = resume + reader.line_num
        except csv.Error as error:
            # A record as long as the whole block is broken, not continued: else it would grow without end.
            open_quote = "unexpected end of data" in str(error)
            if open_quote and start > 0:
                return rows, rejects, lines[start:]
            problem = _OPEN_QUOTE if open_quote else f"not CSV ({str(error).partition(' - ')[0]})"
        if problem is None:
            break
        rejects.append(_rejected(file, first_line + start, problem, lines[start]))
        resume = start + 1
    return rows, rejects, []


def _rejected(file: str, line: int, reason: str, text: str) -> RejectedRow:
    return RejectedRow(file, line, "row", reason, shortened(text.rstrip("\r\n")))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
