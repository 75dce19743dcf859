"""People's decisions on pairs of images, as the commands make, refuse, list and take them back."""

from __future__ import annotations

import pytest

from image_assets.commands.deciding import DecisionRefused, decide, decision_lines, undecide
from resources.ledger import Ledger

A, B, C, D = ("a1" * 32, "b2" * 32, "c3" * 32, "d4" * 32)
NEARLY_A = "a1" * 31 + "ff"


@pytest.fixture
def ledger(ledger: Ledger) -> Ledger:
    """A ledger that knows some images."""
    with ledger.connect() as connection:
        for sha256 in (A, B, C, D, NEARLY_A):
            connection.execute("INSERT INTO raw_images VALUES (decode(%s, 'hex'), 'JPEG', 640, 480, 1)", [sha256])
    return ledger


def listed(ledger: Ledger) -> list[list[str]]:
    """(verdict, sha256, sha256) of each decision."""
    return [line.split()[:3] for line in decision_lines(ledger)]


def test_images_are_named_by_their_first_digits_in_any_order_and_case(ledger: Ledger) -> None:
    assert decide(ledger, True, "C3C3C3C3", B[:8], "the same balcony") == f"same {B} {C}"
    (line,) = decision_lines(ledger)
    assert line.startswith(f"same      {B} {C}  ")
    assert line.endswith("UTC  the same balcony")


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("a1a1a1a", "'a1a1a1a' is not the sha256 of an image: expected 8 to 64 hexadecimal digits"),
        ("lobby.jpg", "'lobby.jpg' is not the sha256"),
        ("0" * 10, "No image in the store has a sha256 that begins with 0000000000"),
        (A[:40], f"is ambiguous: {A}, {NEARLY_A}. Give more digits"),
        (B, f"are the same image, {B}: a decision takes two"),
    ],
)
def test_digits_that_do_not_mean_one_other_image_are_refused_with_the_reason(
    ledger: Ledger, first: str, message: str
) -> None:
    with pytest.raises(DecisionRefused) as refused:
        decide(ledger, True, first, B, None)
    assert message in str(refused.value)
    assert list(decision_lines(ledger)) == ["Nothing was decided."]


def test_a_second_decision_on_a_pair_takes_the_place_of_the_first(ledger: Ledger) -> None:
    decide(ledger, True, A, B, None)
    assert decide(ledger, False, B, A, None) == f"different {A} {B} (was: same)"
    assert listed(ledger) == [["different", A, B]]


def test_different_at_the_ends_of_a_chain_of_same_is_refused_and_the_chain_named(ledger: Ledger) -> None:
    decide(ledger, True, A, B, None)
    decide(ledger, True, B, C, None)
    with pytest.raises(DecisionRefused) as refused:
        decide(ledger, False, A, C, None)
    assert f"  same {A} {B}\n  same {B} {C}\n" in str(refused.value)
    assert len(listed(ledger)) == 2


def test_same_between_chains_that_somebody_told_apart_is_refused(ledger: Ledger) -> None:
    decide(ledger, True, A, B, None)
    decide(ledger, True, C, D, None)
    decide(ledger, False, B, D, None)
    with pytest.raises(DecisionRefused) as refused:
        decide(ledger, True, A, C, None)
    assert [line.split() for line in str(refused.value).splitlines()[1:4]] == [
        ["same", A, B],
        ["different", B, D],
        ["same", C, D],
    ]
    undecide(ledger, D[:8], B[:8])
    decide(ledger, True, A, C, None)
    assert listed(ledger) == [["same", A, B], ["same", C, D], ["same", A, C]]


def test_what_was_never_decided_cannot_be_taken_back(ledger: Ledger) -> None:
    decide(ledger, True, A, B, None)
    decide(ledger, True, NEARLY_A, B, None)
    with pytest.raises(DecisionRefused, match="Nothing was decided on"):
        undecide(ledger, A, C)
    with pytest.raises(DecisionRefused, match="ambiguous"):
        undecide(ledger, A[:10], B)
    assert len(listed(ledger)) == 2


def test_a_decision_is_taken_back_though_its_images_are_gone(ledger: Ledger) -> None:
    decide(ledger, True, A, B, None)
    with ledger.connect() as connection:
        connection.execute("DELETE FROM raw_images")
    assert undecide(ledger, B[:8], A[:8]) == f"undecided {A} {B}"
    assert list(decision_lines(ledger)) == ["Nothing was decided."]
