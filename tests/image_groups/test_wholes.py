"""What becomes of chains, on arbitrary graphs of alike pairs."""

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from image_assets.image_groups import ALIGNED_POLICY, TALK_POLICY, Policy
from image_assets.image_groups import wholes as wholes_module
from image_assets.image_groups.wholes import Wholes, find_wholes

laws = settings(deadline=None, derandomize=True)

JUST = ALIGNED_POLICY.threshold + 0.01
SURE = 0.99

Pair = tuple[int, int, float]
Decision = tuple[int, int]


@st.composite
def alike_pairs(draw: st.DrawFn) -> tuple[int, list[Pair]]:
    """A few images, and which of them are alike, some barely."""
    images = draw(st.integers(2, 9))
    pairs = list(combinations(range(images), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=14))
    return images, [(a, b, draw(st.sampled_from([JUST, SURE]))) for a, b in chosen]


def wholes_of(
    images: int,
    alike: Sequence[Pair],
    policy: Policy,
    together: Iterable[Decision] = (),
    apart: Iterable[Decision] = (),
    ranks: Sequence[int] | None = None,
) -> Wholes:
    pairs = np.array([(a, b) for a, b, _ in alike], dtype=np.int64).reshape(-1, 2)
    scores = np.array([score for *_, score in alike], dtype=float)
    return find_wholes(range(images) if ranks is None else ranks, pairs, scores, policy, together, apart)


def as_sets(wholes: Wholes) -> set[frozenset[int]]:
    return {frozenset(group) for group in wholes.groups}


def unflagged(wholes: Wholes) -> list[frozenset[int]]:
    flagged = {*wholes.weak, *wholes.parted}
    return [frozenset(group) for index, group in enumerate(wholes.groups) if index not in flagged]


def test_two_pairs_that_one_weak_link_joins_are_two_groups() -> None:
    links = [(0, 1, SURE), (1, 2, JUST), (2, 3, SURE)]
    wholes = wholes_of(4, links, ALIGNED_POLICY)
    assert (wholes.groups, wholes.weak, wholes.split) == ([[0, 1], [2, 3]], [], 1)


def test_a_strong_chain_is_one_group_and_flagged() -> None:
    wholes = wholes_of(4, [(0, 1, SURE), (1, 2, SURE), (2, 3, SURE)], ALIGNED_POLICY)
    assert (wholes.groups, wholes.weak, wholes.split) == ([[0, 1, 2, 3]], [0], 0)


def test_copies_that_are_all_alike_to_one_are_a_whole() -> None:
    wholes = wholes_of(4, [(0, 2, SURE), (1, 2, SURE), (2, 3, SURE)], ALIGNED_POLICY)
    assert (wholes.groups, wholes.weak, wholes.links) == ([[0, 1, 2, 3]], [], [(0, 2), (1, 2), (2, 3)])


def test_a_pair_that_is_barely_alike_is_kept_and_flagged() -> None:
    wholes = wholes_of(2, [(0, 1, JUST)], ALIGNED_POLICY)
    assert (wholes.groups, wholes.weak, wholes.split) == ([[0, 1]], [0], 0)


def test_under_the_talks_rule_groups_are_the_connected_components() -> None:
    barely = TALK_POLICY.least_score + 0.001
    wholes = wholes_of(4, [(0, 1, SURE), (1, 2, barely), (2, 3, SURE)], TALK_POLICY)
    assert (wholes.groups, wholes.weak, wholes.split) == ([[0, 1, 2, 3]], [0], 0)


def test_people_hold_together_what_no_rule_sees_and_part_what_it_joins() -> None:
    links = [(0, 1, SURE), (1, 2, SURE), (0, 2, 0.9)]
    assert wholes_of(4, links, ALIGNED_POLICY, together=[(3, 0)], apart=[(2, 1)]).groups == [[0, 1, 3], [2]]


def test_groups_near_a_pair_that_people_put_apart_are_flagged_for_an_image_may_come_between() -> None:
    d, c, m, x = range(4)
    before = wholes_of(3, [(c, m, 0.9)], ALIGNED_POLICY, apart=[(d, m)])
    assert (before.groups, before.weak, before.parted) == ([[d], [c, m]], [], [1])
    after = wholes_of(4, [(c, m, 0.9), (d, x, 0.97), (c, x, 0.95)], ALIGNED_POLICY, apart=[(d, m)])
    assert (after.groups, after.parted) == ([[d, c, x], [m]], [0])


def test_decisions_that_links_lead_to_flag_too_and_others_do_not() -> None:
    links = [(0, 1, SURE), (1, 2, SURE), (3, 4, SURE), (5, 6, SURE)]
    wholes = wholes_of(8, links, ALIGNED_POLICY, apart=[(0, 2), (3, 7)])
    assert (wholes.groups, wholes.parted) == ([[0, 1], [2], [3, 4], [5, 6], [7]], [0, 2])


@st.composite
def decisions(draw: st.DrawFn, images: int) -> tuple[list[Decision], list[Decision]]:
    """A few pairs that people put together, and apart."""
    every = list(combinations(range(images), 2))
    decided = draw(st.lists(st.sampled_from(every), unique=True, max_size=4)) if every else []
    same = draw(st.integers(0, len(decided)))
    return decided[:same], decided[same:]


@laws
@given(alike_pairs(), st.sampled_from([ALIGNED_POLICY, TALK_POLICY]), st.data())
def test_groups_do_not_depend_on_the_order_of_images_pairs_or_decisions(graph, policy: Policy, data) -> None:
    images, pairs = graph  # many of the same score
    together, apart = data.draw(decisions(images))
    order = data.draw(st.permutations(range(images)))

    def renamed(a: int, b: int) -> Decision:
        return min(order[a], order[b]), max(order[a], order[b])

    shuffled = data.draw(st.permutations([(*renamed(a, b), score) for a, b, score in pairs]))
    here = wholes_of(images, pairs, policy, together, apart)
    there = wholes_of(
        images,
        shuffled,
        policy,
        [renamed(*pair) for pair in reversed(together)],
        [renamed(*pair)[::-1] for pair in apart],
        ranks=[order.index(image) for image in range(images)],
    )
    assert {frozenset(order[image] for image in group) for group in here.groups} == as_sets(there)
    assert {frozenset(order[i] for i in group) for group in unflagged(here)} == set(unflagged(there))
    assert {renamed(a, b) for a, b in here.links} == set(there.links)
    assert here.split == there.split


@st.composite
def decided_hotels(draw: st.DrawFn) -> tuple[int, list[Pair], list[Decision], list[Decision]]:
    """Images, alike pairs, and what people decided on all but the last image; dense enough to be torn now and then."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    images = int(random.integers(3, 10))
    every = list(combinations(range(images), 2))
    chosen = random.permutation(len(every))[: random.integers(2, 15)].tolist()
    alike = [(*every[place], float(random.choice([JUST, JUST + 0.01, 0.8, 0.9, SURE]))) for place in chosen]
    others = [pair for pair in every if pair[1] < images - 1]
    decided = [others[place] for place in random.permutation(len(others))[: random.integers(0, 4)].tolist()]
    same = int(random.integers(0, 2))
    return images, alike, decided[:same], decided[same:]


@settings(laws, max_examples=1500)
@given(decided_hotels(), st.sampled_from([ALIGNED_POLICY, TALK_POLICY]))
def test_an_added_image_never_splits_an_unflagged_group(hotel, policy: Policy) -> None:
    images, pairs, together, apart = hotel
    before = wholes_of(images - 1, [pair for pair in pairs if pair[1] < images - 1], policy, together, apart)
    after = as_sets(wholes_of(images, pairs, policy, together, apart))
    for group in unflagged(before):
        assert any(group <= larger for larger in after)


@laws
@given(alike_pairs(), st.sampled_from([ALIGNED_POLICY, TALK_POLICY]), st.data())
def test_links_in_many_pages_give_the_same_groups(graph, policy: Policy, data) -> None:
    images, pairs = graph
    decided = data.draw(decisions(images))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wholes_module, "_AT_ONCE", data.draw(st.integers(1, 5)))
        paged = wholes_of(images, pairs, policy, *decided)
    assert paged == wholes_of(images, pairs, policy, *decided)


@laws
@given(alike_pairs(), st.data())
def test_no_group_holds_a_pair_that_people_put_apart(graph, data) -> None:
    images, pairs = graph
    every = list(combinations(range(images), 2))
    apart = data.draw(st.lists(st.sampled_from(every), unique=True, max_size=3))
    for group in wholes_of(images, pairs, ALIGNED_POLICY, apart=apart).groups:
        assert not any({a, b} <= set(group) for a, b in apart)


@laws
@given(alike_pairs())
def test_links_span_each_group_and_are_few(graph) -> None:
    images, pairs = graph
    wholes = wholes_of(images, pairs, ALIGNED_POLICY)
    spanned = wholes_of(images, [(a, b, SURE) for a, b in wholes.links], TALK_POLICY)
    assert as_sets(spanned) == as_sets(wholes)
    assert len(wholes.links) <= 2 * images
