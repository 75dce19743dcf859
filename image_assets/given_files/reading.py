"""From the bytes of a user's file to blocks of text lines, in constant memory.

Belongs here: gzip, byte order marks, encodings, line ends. Does not belong here: what the lines mean.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

MAX_LINE_CHARACTERS = 1 << 18
_MAX_LINE_BYTES = 4 * MAX_LINE_CHARACTERS
_BLOCK_BYTES = 1 << 19
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class UnreadableFile(Exception):
    """A file that cannot be read as a whole; the message is the cause, without the file's name."""


@contextmanager
def unpacked(file: BinaryIO) -> Iterator[BinaryIO]:
    """The file's content, gunzipped when it begins as gzip data does, whatever the name says.

    `file` is seekable and at its start. Damaged or cut-off gzip data raises UnreadableFile on reading.
    """
    magic = file.read(2)
    file.seek(0)
    if not magic:
        raise UnreadableFile("the file is empty")
    if magic != b"\x1f\x8b":
        yield file
        return
    try:
        with gzip.GzipFile(fileobj=file) as content:
            yield io.BufferedReader(content, _BLOCK_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableFile(f"the gzip data is damaged or cut off ({error})") from error


def line_blocks(content: BinaryIO) -> Iterator[list[str]]:
    r"""All lines of a UTF-8 text, a few thousand at a time, each with its `\n` (the last one maybe without).

    Lines end at `\n` only, so that other line breaks stay part of values. A byte order mark is dropped. Bytes that
    are not UTF-8 become lone surrogates (`unstorable` finds them), so that they cost a row and not the file. A line
    that is `too_long` comes cut. Raises UnreadableFile for an empty file and for UTF-16.
    """
    chunk = content.read(_BLOCK_BYTES)
    if not chunk:
        raise UnreadableFile("the file is empty")
    if chunk.startswith(_UTF_16):
        raise UnreadableFile("the text is UTF-16; it must be UTF-8")
    rest = b""
    chunk = chunk.removeprefix(_BYTE_ORDER_MARK)
    while chunk:
        chunk = rest + chunk
        end = chunk.rfind(b"\n") + 1
        if end:
            yield _lines(chunk[:end])
        rest = chunk[end:][: _MAX_LINE_BYTES + 1]
        chunk = content.read(_BLOCK_BYTES)
    if rest:
        yield _lines(rest)


def too_long(line: str) -> bool:
    """Whether a line has more characters than a row of a user's file may have."""
    return len(line) > MAX_LINE_CHARACTERS


def _lines(data: bytes) -> list[str]:
    return io.StringIO(data.decode("utf-8", "surrogateescape"), newline="\n").readlines()
