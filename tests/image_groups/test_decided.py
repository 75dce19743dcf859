"""Which decisions of people contradict each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from image_assets.image_groups.decided import contradiction, disobeyed

pairs = st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda pair: pair[0] < pair[1])


def components(together: list[tuple[int, int]]) -> list[int]:
    """For each of seven images the smallest of those that are the same; shares nothing with what is tested."""
    label = list(range(7))
    for _ in label:
        for a, b in together:
            label[a] = label[b] = min(label[a], label[b])
    return label


@given(st.lists(st.tuples(pairs, st.booleans()), max_size=25))
def test_decisions_that_were_not_refused_never_contradict_and_those_refused_would(
    made: list[tuple[tuple[int, int], bool]],
) -> None:
    decided: dict[tuple[int, int], bool] = {}
    for pair, same in made:
        against = contradiction(decided, pair, same)
        wanted = {**decided, pair: same}
        label = components([known for known, verdict in wanted.items() if verdict])
        consistent = all(verdict or label[a] != label[b] for (a, b), verdict in wanted.items())
        assert bool(against) is not consistent
        # What is named is enough to contradict, and was decided.
        assert set(against) <= decided.keys() - {pair}
        if against:
            named = components([known for known in (*against, pair) if wanted[known]])
            assert any(not wanted[(a, b)] and named[a] == named[b] for a, b in (*against, pair))
        else:
            decided = wanted


def test_decisions_that_groups_do_not_obey_are_counted() -> None:
    groups = [[0, 1], [2], [3, 4]]
    assert disobeyed(groups, together=[(0, 1), (1, 2)], apart=[(3, 4), (0, 3)]) == 2
