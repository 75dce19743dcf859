"""Which texts may be partner and release ids."""

from __future__ import annotations

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_assets.partition_keys import id_problem


@pytest.mark.parametrize(
    "text", ["acme", "ünï", "$abc", "0123", "2026-W45", "two words", "a.b..c", "a\\b", "日本", "😀"]
)
def test_ordinary_and_unusual_names_are_ids(text: str) -> None:
    assert id_problem(text) is None


@pytest.mark.parametrize("part", ["|", ",", "[", "]", "/", "...", "\n", "\t", "\x00", "\x7f", "\x85"])
def test_an_id_with_a_forbidden_part_is_refused_with_the_part_in_the_message(part: str) -> None:
    problem = id_problem(f"be{part}fore")
    assert problem is not None
    assert repr(part) in problem


@pytest.mark.parametrize("text", ["", " ", ".", "..", "\ud800"])
def test_texts_that_name_no_folder_are_refused(text: str) -> None:
    assert id_problem(text)


@settings(deadline=None)
@given(st.text(), st.text())
def test_what_is_accepted_makes_a_partition_key_that_dagster_takes_apart_again(first: str, second: str) -> None:
    if id_problem(first) or id_problem(second):
        return
    dg.StaticPartitionsDefinition([first])
    key = dg.MultiPartitionKey({"release": first, "shard": second})
    assert str(key).split("|") == [first, second]
