"""Data release files: which object is which release, and their rows.

Does not belong here: accommodations that stand in two hotels, unknown partners, freezing (SQL in the ledger).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from image_assets.given_files import CsvRow, RejectedRow, UnreadableFile, csv_records, id_reason, shortened, unpacked

COLUMNS = ("hotel_id", "partner_id", "accommodation_id")


class UnreadableDataRelease(Exception):
    """A data release that cannot be read as a whole; the message names the file and the cause."""


class HotelAccommodation(NamedTuple):
    """One row: this accommodation belongs to this hotel. `line` is 1-based; ids are exactly the file's text."""

    line: int
    hotel_id: str
    partner_id: str
    accommodation_id: str


@dataclass(frozen=True)
class ReleaseBatch:
    """A few thousand consecutive rows of a data release."""

    entries: list[HotelAccommodation]
    rejects: list[RejectedRow]


def read_data_release(file: BinaryIO, name: str) -> Iterator[ReleaseBatch]:
    """The rows of a data release and its rejected rows, in the file's order, a few thousand at a time.

    `file` is a seekable CSV, gzipped or not, at its start, with the columns `hotel_id`, `partner_id` and
    `accommodation_id` in any order; others are passed over. Rows that repeat an accommodation all come. Raises
    UnreadableDataRelease, at any batch, when the file is empty, damaged or no such CSV; then no earlier batch counts.
    """
    try:
        with unpacked(file) as content:
            for rows, rejects in csv_records(content, name, COLUMNS):
                yield _checked(rows, rejects, name)
    except UnreadableFile as cause:
        raise UnreadableDataRelease(f"{name}: {cause}") from cause


def release_file(key: str) -> str | None:
    """The release id of an object key `data-releases/<release>.csv[.gz]`; None for any other key or a hidden file."""
    folder, _, name = key.partition("/")
    plain = name[:-3] if name.lower().endswith(".gz") else name
    if folder != "data-releases" or "/" in name or name.startswith(".") or not plain.lower().endswith(".csv"):
        return None
    return plain[:-4]


def _checked(rows: Iterable[CsvRow], rejects: list[RejectedRow], file: str) -> ReleaseBatch:
    batch = ReleaseBatch([], list(rejects))
    for line, values in rows:
        for column, value in zip(COLUMNS, values, strict=True):
            if reason := id_reason(value):
                batch.rejects.append(RejectedRow(file, line, column, reason, shortened(value)))
                break
        else:
            batch.entries.append(HotelAccommodation(line, *values))
    return batch
