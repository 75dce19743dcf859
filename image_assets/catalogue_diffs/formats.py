"""Catalogue files: which object is which partner's version, and their entries, whatever the format.

Belongs here: names of files, and the choice of the reader. Does not belong here: the formats themselves
(json_lines, parquet_rows, given_files), the rules for a row (entries), the diff (SQL in the ledger).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from image_assets.catalogue_diffs.entries import OPTIONAL, REQUIRED, CatalogueBatch, checked
from image_assets.catalogue_diffs.json_lines import json_rows
from image_assets.given_files import UnreadableFile, csv_records, unpacked
from image_assets.partition_keys import id_problem

_JSON_LINES = (".jsonl", ".json", ".ndjson")
_ENDINGS = (*_JSON_LINES, ".csv", ".parquet")


class UnreadableCatalogue(Exception):
    """A catalogue that cannot be read as a whole; the message names the file and the cause."""


def read_catalogue(file: BinaryIO, name: str) -> Iterator[CatalogueBatch]:
    """The entries, rejected rows and notices of a catalogue, in the file's order, a few thousand rows at a time.

    `file` is seekable and at its start. The format goes by the ending of `name` (`.jsonl`, `.json`, `.ndjson`,
    `.csv`, `.parquet`, each with or without `.gz`); whether the content is gzipped goes by its first bytes. Blank
    lines and unknown columns are passed over. Rows with the same accommodation and URL all come: the ledger keeps
    the first.

    Raises UnreadableCatalogue, at any batch, for an unknown ending, an empty file (which an upload in progress looks
    like), damaged or cut-off gzip or Parquet, and text that is not of the format at all; then no earlier batch counts.
    A catalogue without entries is a CSV header alone, a Parquet file without rows, or JSON Lines of blank lines.
    """
    ending = _ending(name)
    try:
        with unpacked(file) as content:
            if ending in _JSON_LINES:
                for rows, rejects in json_rows(content, name):
                    yield checked(rows, rejects, name)
            elif ending == ".csv":
                for records, rejects in csv_records(content, name, REQUIRED, OPTIONAL):
                    yield checked(records, rejects, name)
            elif ending == ".parquet":
                yield from _read_parquet(file, content, name)
            else:
                raise UnreadableFile(f"unknown format; the name must end with {', '.join(_ENDINGS)}, or that and .gz")
    except UnreadableFile as cause:
        raise UnreadableCatalogue(f"{name}: {cause}") from cause


def catalogue_version(name: str) -> str:
    """The version that a file name (or object key) gives: the name without folder and known endings."""
    return name.rpartition("/")[2].removesuffix(_gz(name))[: -len(_ending(name)) or None]


def catalogue_file(key: str) -> tuple[str, str]:
    """(partner_id, version) of an object key `catalogues/<partner>/<version>.<format>[.gz]`.

    Raises ValueError for any other key, and for hidden files (`.name`), which uploading tools leave behind.
    """
    folder, _, rest = key.partition("/")
    partner_id, _, name = rest.partition("/")
    if folder != "catalogues" or not partner_id or "/" in name or not _ending(name) or name.startswith("."):
        raise ValueError(f"{key}: not a catalogue; expected catalogues/<partner>/<version>.jsonl, .csv or .parquet")
    return partner_id, catalogue_version(name)


def newest_versions(keys: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The key of each partner's newest catalogue, and a message for every key that cannot be a catalogue.

    The newest version is the last in code point order (as `COLLATE "C"` sorts): `2026-W9` comes after `2026-W10`.
    When one version lies there in several files, the last key counts. Partners whose id cannot be a partition key
    are among the messages. Both results are in the order of the keys.
    """
    newest: dict[str, tuple[str, str]] = {}
    unrecognised = []
    for key in sorted(keys):
        try:
            partner_id, version = catalogue_file(key)
        except ValueError as error:
            unrecognised.append(str(error))
            continue
        if problem := id_problem(partner_id):
            unrecognised.append(f"{key}: {problem}")
        else:
            newest[partner_id] = max(newest.get(partner_id, ("", "")), (version, key))
    return {partner_id: key for partner_id, (_, key) in newest.items()}, unrecognised


def _read_parquet(file: BinaryIO, content: BinaryIO, name: str) -> Iterator[CatalogueBatch]:
    # pyarrow costs more to import than the rest of the room, and most catalogues are text.
    from image_assets.catalogue_diffs.parquet_rows import parquet_rows

    if content is file:
        for rows in parquet_rows(file):
            yield checked(rows, [], name)
        return
    # Parquet is read from its end, gzip from its beginning.
    with tempfile.TemporaryFile() as spooled:
        shutil.copyfileobj(content, spooled, 1 << 20)
        spooled.seek(0)
        for rows in parquet_rows(spooled):
            yield checked(rows, [], name)


def _gz(name: str) -> str:
    return name[-3:] if name.lower().endswith(".gz") else ""


def _ending(name: str) -> str:
    """The known ending of a name, in lower case and without `.gz`; "" when it has none."""
    plain = name.removesuffix(_gz(name)).lower()
    return next((ending for ending in _ENDINGS if plain.endswith(ending)), "")
