"""What becomes of chains, on arbitrary graphs of alike pairs."""

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from image_assets.image_groups import ALIGNED_POLICY, TALK_POLICY, Policy
from image_assets.image_groups.wholes import Pair, Wholes, find_wholes

laws = settings(deadline=None, derandomize=True)

JUST = ALIGNED_POLICY.threshold + 0.01
SURE = 0.99


@st.composite
def alike_pairs(draw: st.DrawFn) -> tuple[int, list[Pair]]:
    """A few images, and which of them are alike, some barely."""
    images = draw(st.integers(2, 9))
    pairs = list(combinations(range(images), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=14))
    return images, [(a, b, draw(st.sampled_from([JUST, SURE]))) for a, b in chosen]


def as_sets(wholes: Wholes) -> set[frozenset[int]]:
    return {frozenset(group) for group in wholes.groups}


def unflagged(wholes: Wholes) -> list[frozenset[int]]:
    return [frozenset(group) for index, group in enumerate(wholes.groups) if index not in wholes.weak]


def test_two_pairs_that_one_weak_link_joins_are_two_groups() -> None:
    links = [(0, 1, SURE), (1, 2, JUST), (2, 3, SURE)]
    wholes = find_wholes(4, links, ALIGNED_POLICY)
    assert (wholes.groups, wholes.weak, wholes.split) == ([[0, 1], [2, 3]], [], 1)


def test_a_strong_chain_is_one_group_and_flagged() -> None:
    wholes = find_wholes(4, [(0, 1, SURE), (1, 2, SURE), (2, 3, SURE)], ALIGNED_POLICY)
    assert (wholes.groups, wholes.weak, wholes.split) == ([[0, 1, 2, 3]], [0], 0)


def test_copies_that_are_all_alike_to_one_are_a_whole() -> None:
    wholes = find_wholes(4, [(0, 2, SURE), (1, 2, SURE), (2, 3, SURE)], ALIGNED_POLICY)
    assert (wholes.groups, wholes.weak, wholes.links) == ([[0, 1, 2, 3]], [], [(0, 2), (1, 2), (2, 3)])


def test_a_pair_that_is_barely_alike_is_kept_and_flagged() -> None:
    wholes = find_wholes(2, [(0, 1, JUST)], ALIGNED_POLICY)
    assert (wholes.groups, wholes.weak, wholes.split) == ([[0, 1]], [0], 0)


def test_under_the_talks_rule_groups_are_the_connected_components() -> None:
    barely = TALK_POLICY.least_score + 0.001
    wholes = find_wholes(4, [(0, 1, SURE), (1, 2, barely), (2, 3, SURE)], TALK_POLICY)
    assert (wholes.groups, wholes.weak, wholes.split) == ([[0, 1, 2, 3]], [0], 0)


def test_people_hold_together_what_no_rule_sees_and_part_what_it_joins() -> None:
    links = [(0, 1, SURE), (1, 2, SURE), (0, 2, 0.9)]
    assert find_wholes(4, links, ALIGNED_POLICY, together=[(3, 0)], apart=[(2, 1)]).groups == [[0, 1, 3], [2]]


@laws
@given(alike_pairs(), st.sampled_from([ALIGNED_POLICY, TALK_POLICY]), st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order_of_images_or_pairs(graph, policy: Policy, random) -> None:
    images, pairs = graph
    order = list(range(images))
    random.shuffle(order)
    renamed = [(min(order[a], order[b]), max(order[a], order[b]), score) for a, b, score in pairs]
    random.shuffle(renamed)
    here, there = find_wholes(images, pairs, policy), find_wholes(images, renamed, policy)
    assert {frozenset(order[image] for image in group) for group in here.groups} == as_sets(there)
    assert {frozenset(order[i] for i in group) for group in unflagged(here)} == set(unflagged(there))
    assert here.split == there.split


@laws
@given(alike_pairs(), st.sampled_from([ALIGNED_POLICY, TALK_POLICY]))
def test_an_added_image_never_splits_an_unflagged_group(graph, policy: Policy) -> None:
    images, pairs = graph
    before = find_wholes(images - 1, [pair for pair in pairs if pair[1] < images - 1], policy)
    after = as_sets(find_wholes(images, pairs, policy))
    for group in unflagged(before):
        assert any(group <= larger for larger in after)


@laws
@given(alike_pairs(), st.data())
def test_no_group_holds_a_pair_that_people_put_apart(graph, data) -> None:
    images, pairs = graph
    every = list(combinations(range(images), 2))
    apart = data.draw(st.lists(st.sampled_from(every), unique=True, max_size=3))
    for group in find_wholes(images, pairs, ALIGNED_POLICY, apart=apart).groups:
        assert not any({a, b} <= set(group) for a, b in apart)


@laws
@given(alike_pairs())
def test_links_span_each_group_and_are_few(graph) -> None:
    images, pairs = graph
    wholes = find_wholes(images, pairs, ALIGNED_POLICY)
    spanned = find_wholes(images, [(a, b, SURE) for a, b in wholes.links], TALK_POLICY)
    assert as_sets(spanned) == as_sets(wholes)
    assert len(wholes.links) <= 2 * images
