"""From bytes to lines: gzip, block borders, and lines without end."""

from __future__ import annotations

import gzip
import io
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_assets.given_files import UnreadableFile, line_blocks, too_long, unpacked


def test_the_lines_of_all_blocks_are_the_lines_of_the_text() -> None:
    text = "".join(f"{n} grüße\u2028 \x0b \r {'x' * (n % 97)}\r\n" for n in range(20_000)) + "end"
    blocks = list(line_blocks(io.BytesIO(text.encode())))
    assert len(blocks) > 1
    assert [line for block in blocks for line in block] == [line + "\n" for line in text.split("\n")[:-1]] + ["end"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4))
def test_gzip_files_joined_together_read_as_one(parts: list[bytes]) -> None:
    with unpacked(io.BytesIO(b"".join(gzip.compress(part, mtime=0) for part in parts))) as content:
        assert content.read() == b"".join(parts)


def test_content_that_is_not_gzip_is_given_as_it_is() -> None:
    file = io.BytesIO(b"\x1fplain")
    with unpacked(file) as content:
        assert content is file
        assert content.read() == b"\x1fplain"


def test_an_empty_file_is_unreadable() -> None:
    with pytest.raises(UnreadableFile, match="the file is empty"), unpacked(io.BytesIO()):
        pass


def test_a_line_without_end_is_cut_and_takes_little_memory() -> None:
    file = io.BytesIO(gzip.compress(b"first\n" + "é".encode() * 20_000_000 + b"\nlast", 1))
    tracemalloc.start()
    try:
        with unpacked(file) as content:
            lines = [line for block in line_blocks(content) for line in block]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [too_long(line) for line in lines] == [False, True, False]
    assert (lines[0], lines[2]) == ("first\n", "last")
    assert peak < 12 * 2**20
