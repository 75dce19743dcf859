"""The gates before a release becomes current, as pure rules."""

from __future__ import annotations

import pytest

from image_assets.image_release import gates
from resources.ledger.gates import Gate


def test_a_hotel_that_would_show_nothing_closes_the_gate_and_is_named() -> None:
    assert gates.every_hotel_has_a_picture([])[0]
    passed, message = gates.every_hotel_has_a_picture(["$abc", "Ünï"])
    assert not passed
    assert "$abc, Ünï" in message


def test_a_rendition_that_is_not_in_the_store_closes_the_gate_and_is_named() -> None:
    assert gates.renditions_in_store([], 28) == (True, "All 28 renditions are in the store.")
    passed, message = gates.renditions_in_store(["renditions/a/1.jpg"], 28)
    assert (passed, message) == (False, "1 of 28 renditions are not in the store: renditions/a/1.jpg.")


def test_of_many_names_only_a_few_are_told_and_the_rest_is_counted() -> None:
    _, message = gates.renditions_in_store([f"key{n}" for n in range(2000)], 2000)
    assert message.endswith("key0, key1, key2, key3, key4 and 1,995 more.")


@pytest.mark.parametrize(
    ("lost", "before", "passed"), [(0, 0, True), (0, 10, True), (1, 10, True), (2, 10, False), (11, 100, False)]
)
def test_hotels_may_be_lost_up_to_the_limit(lost: int, before: int, passed: bool) -> None:
    assert gates.few_hotels_lost("r1", lost, before, 0.1)[0] is passed


def test_the_message_on_lost_hotels_says_since_when_how_many_and_the_limit() -> None:
    _, message = gates.few_hotels_lost("2026-W44", 1_500, 3_000, 0.1)
    assert message == "1,500 of 3,000 hotels lose all their pictures since 2026-W44 (50.0%, limit 10%)."


def test_without_a_current_release_no_hotel_can_be_lost() -> None:
    assert gates.few_hotels_lost(None, 0, 0, 0.0)[0]


def test_a_closed_gate_of_a_shard_closes_the_release_and_is_named() -> None:
    assert gates.shard_gates_open([])[0]
    closed = Gate("renditions", "r1|00of04", "renderable", "d", False, "x")
    assert gates.shard_gates_open([closed]) == (False, "Closed: renderable of r1|00of04.")


def test_every_gate_says_what_to_do_when_it_is_closed() -> None:
    assert len(gates.DESCRIPTIONS) == 4
    assert all("closed" in description for description in gates.DESCRIPTIONS.values())
