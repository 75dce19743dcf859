"""People's decisions that two images show the same picture or different ones: made, taken back, listed.

Belongs here: which images a command means, and messages. Does not belong here: what contradicts what
(image_groups.decided), when a release applies a decision (hotel_groups).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from image_assets.image_groups.decided import contradiction
from resources.ledger import Connection, Ledger
from resources.ledger.decisions import (
    contents_beginning,
    forget_decision,
    lock_decisions,
    pair_decisions,
    record_decision,
)

_FEWEST_DIGITS = 8
_SHA256 = re.compile(rf"[0-9a-fA-F]{{{_FEWEST_DIGITS},64}}")


class DecisionRefused(ValueError):
    """A decision that cannot be taken as it is; the message says why and what to do."""


def decide(ledger: Ledger, same: bool, first: str, second: str, note: str | None) -> str:
    """Keep that two images show the same picture, or different ones; a line that says so.

    first, second: sha256, or its first eight or more hexadecimal digits. Raises DecisionRefused, also when the decision
    contradicts others: then nothing is kept.
    """
    with ledger.connect() as connection, connection.transaction():
        a, b = _pair(connection, first, second)
        lock_decisions(connection)
        known = {(d.a, d.b): d.same for d in pair_decisions(connection)}
        against = contradiction(known, (a, b), same)
        if against:
            lines = "\n".join(f"  {_verdict(known[pair])} {pair[0]} {pair[1]}" for pair in against)
            raise DecisionRefused(
                f"This contradicts what was decided before:\n{lines}\n"
                "Nothing was kept. Take one of these back (image-assets undecide A B) if it is wrong."
            )
        record_decision(connection, a, b, same, note)
    before = known.get((a, b))
    changed = before is not None and before != same
    return f"{_verdict(same)} {a} {b}" + (f" (was: {_verdict(not same)})" if changed else "")


def undecide(ledger: Ledger, first: str, second: str) -> str:
    """Take back the decision on two images; a line that says which. Raises DecisionRefused when there is none."""
    digits = (_digits(first), _digits(second))
    with ledger.connect() as connection, connection.transaction():
        lock_decisions(connection)
        found = [(d.a, d.b) for d in pair_decisions(connection) if _means((d.a, d.b), digits)]
        if not found:
            raise DecisionRefused(f"Nothing was decided on {first} and {second} (image-assets decisions lists all).")
        if len(found) > 1:
            pairs = "".join(f"\n  {a} {b}" for a, b in found)
            raise DecisionRefused(f"{first} and {second} are ambiguous:{pairs}\nGive more digits.")
        a, b = found[0]
        forget_decision(connection, a, b)
    return f"undecided {a} {b}"


def decision_lines(ledger: Ledger) -> Iterator[str]:
    """All decisions, oldest first, a line each."""
    with ledger.connect() as connection:
        found = pair_decisions(connection)
    for decision in found:
        note = f"  {decision.note}" if decision.note else ""
        yield f"{_verdict(decision.same):<9} {decision.a} {decision.b}  {decision.decided_at}{note}"
    if not found:
        yield "Nothing was decided."


def _verdict(same: bool) -> str:
    return "same" if same else "different"


def _pair(connection: Connection, first: str, second: str) -> tuple[str, str]:
    a, b = sorted((_content(connection, first), _content(connection, second)))
    if a == b:
        raise DecisionRefused(f"{first} and {second} are the same image, {a}: a decision takes two.")
    return a, b


def _content(connection: Connection, given: str) -> str:
    """The one content in the store that these digits mean."""
    found = contents_beginning(connection, _digits(given))
    if not found:
        raise DecisionRefused(f"No image in the store has a sha256 that begins with {given}.")
    if len(found) > 1:
        raise DecisionRefused(f"{given} is ambiguous: {', '.join(found)}. Give more digits.")
    return found[0]


def _means(pair: tuple[str, str], digits: tuple[str, str]) -> bool:
    """Whether the digits, in either order, begin the two sums of a pair."""
    return any(a.startswith(digits[0]) and b.startswith(digits[1]) for a, b in (pair, pair[::-1]))


def _digits(given: str) -> str:
    if not _SHA256.fullmatch(given):
        raise DecisionRefused(
            f"{given!r} is not the sha256 of an image: expected {_FEWEST_DIGITS} to 64 hexadecimal digits."
        )
    return given.lower()
