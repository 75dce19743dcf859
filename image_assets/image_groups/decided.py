"""What follows from people's decisions on pairs of images: which contradict each other, which a grouping does not obey.

Pure: images are any values that compare. Does not belong here: keeping decisions (the ledger) and making groups that
obey them (`grouping`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

Image = TypeVar("Image")
Pair = tuple[Image, Image]


def contradiction(decided: Mapping[Pair[Image], bool], pair: Pair[Image], same: bool) -> list[Pair[Image]]:
    """The decisions that say the opposite of a new one on `pair` together; empty when none do.

    decided: pair -> whether people said same. Images that are the same picture as a third one are the same picture,
    so a chain of "same" contradicts "different", and so does "different" between two such chains. An earlier decision
    on `pair` itself is left out: the new one takes its place.
    """
    a, b = pair
    others = {known: verdict for known, verdict in decided.items() if set(known) != {a, b}}
    together = [known for known, verdict in others.items() if verdict]
    from_a = _chains(together, a)
    if not same:
        return from_a.get(b, [])
    from_b = _chains(together, b)
    for (x, y), verdict in others.items():
        if verdict:
            continue
        for end_a, end_b in ((x, y), (y, x)):
            if end_a in from_a and end_b in from_b:
                return [*from_a[end_a], (x, y), *from_b[end_b]]
    return []


def disobeyed(
    groups: Sequence[Sequence[int]], together: Iterable[tuple[int, int]], apart: Iterable[tuple[int, int]]
) -> int:
    """How many decisions on pairs of indices the groups do not obey."""
    group_of = {index: number for number, group in enumerate(groups) for index in group}
    return sum(group_of[a] != group_of[b] for a, b in together) + sum(group_of[a] == group_of[b] for a, b in apart)


def _chains(together: Sequence[Pair[Image]], start: Image) -> dict[Image, list[Pair[Image]]]:
    """Every image that is the same as `start`, with a shortest chain of decisions that leads there."""
    neighbours: dict[Image, list[tuple[Image, Pair[Image]]]] = {}
    for known in together:
        a, b = known
        neighbours.setdefault(a, []).append((b, known))
        neighbours.setdefault(b, []).append((a, known))
    chains: dict[Image, list[Pair[Image]]] = {start: []}
    ends = [start]
    for end in ends:  # grows while it is walked: breadth first
        for image, known in neighbours.get(end, []):
            if image not in chains:
                chains[image] = [*chains[end], known]
                ends.append(image)
    return chains
