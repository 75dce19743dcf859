"""Catalogues as Parquet, read a few thousand rows at a time.

Belongs here: columns and types of Parquet. Does not belong here: what the values may be (entries). Imported only when
a Parquet file is read, for the sake of the code server's start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from image_assets.catalogue_diffs.entries import COLUMNS, REQUIRED, RawRow
from image_assets.given_files import UnreadableFile

_BATCH_ROWS = 2048
_READ_BYTES = 1 << 20


def parquet_rows(file: BinaryIO) -> Iterator[list[RawRow]]:
    """The rows of a seekable Parquet file; `line` is the row number, from 1.

    `accommodation_id` is a column of text (dictionary and binary columns hold text too) or of whole numbers, `url`
    one of text. Raises UnreadableFile for other types, absent columns, and a file that is damaged or no Parquet.
    """
    try:
        # Reading through a buffer keeps large row groups out of memory.
        parquet = pq.ParquetFile(file, buffer_size=_READ_BYTES, pre_buffer=False)
        schema = parquet.schema_arrow
        _check(schema)
        known = [name for name in COLUMNS if name in schema.names]
        line = 1
        for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=known, use_threads=False):
            columns = [_values(batch.column(name)) if name in known else [None] * batch.num_rows for name in COLUMNS]
            yield list(enumerate(zip(*columns, strict=True), start=line))
            line += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        # pyarrow reports damaged pages as OSError.
        raise UnreadableFile(f"not readable as Parquet ({str(error).partition(chr(10))[0]})") from error


def _check(schema: pa.Schema) -> None:
    for name in COLUMNS:
        if schema.names.count(name) > 1:
            raise UnreadableFile(f"there is more than one column {name}")
    for name in REQUIRED:
        if name not in schema.names:
            raise UnreadableFile(f"there is no column {name}")
        kind = schema.field(name).type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        whole = pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0)
        if not (_is_text(kind) or pa.types.is_null(kind) or (whole and name == "accommodation_id")):
            wanted = "text or whole numbers" if name == "accommodation_id" else "text"
            raise UnreadableFile(f"the column {name} is of type {kind}; it must be {wanted}")


def _is_text(kind: pa.DataType) -> bool:
    return any(
        test(kind)
        for test in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_binary_view,
            pa.types.is_fixed_size_binary,
        )
    )


def _values(column: pa.Array) -> list[Any]:
    """The column as Python values; text that is not UTF-8 with lone surrogates, which costs its row only."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if _is_text(kind):
        try:
            return [
                value if value is None or isinstance(value, str) else value.decode() for value in column.to_pylist()
            ]
        except UnicodeDecodeError:
            octets = column.cast(pa.large_binary()).to_pylist()
            return [None if value is None else value.decode("utf-8", "surrogateescape") for value in octets]
    if pa.types.is_decimal(kind) and kind.scale == 0:
        return [None if number is None else int(number) for number in column.to_pylist()]
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return list(column.cast(pa.string()).to_pylist())  # ISO text, also beyond the years that Python knows
    if pa.types.is_floating(kind):
        return list(column.cast(pa.float64()).to_pylist())
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return list(column.to_pylist())
    # Lists, structs and the like: a value that no field accepts, and that names the type when it is shown.
    return [[str(kind)] if valid else None for valid in column.is_valid().to_pylist()]
