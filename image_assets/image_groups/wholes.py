"""Groups as wholes: what becomes of the pairs that are alike, when they form chains.

The images of a hotel and its alike pairs are a graph, and its connected components are the first draft of the groups.
Two pictures of different rooms come together when a single pair between them is wrong, so:

- A link is *weak* when its score is just above the threshold and nothing else holds its two ends together (it is a
  bridge of the graph). A weak link between two parts of two or more images each is cut: these are two groups.
- A group is flagged as *weak* when a weak link remains in it, or when no member is alike to all the others: a chain.

Whether a link is weak depends on its own score, and on other links only where they make a second way round. So a new
image can join groups, and can make a link less weak, but can never tear apart a group that was not flagged.

People's decisions come first: pairs they put together stay together, pairs they put apart are never in one group. To
that end links are taken from the strongest down, and one that would join such a pair is left out. No rule can keep all
groups whole then: when d is alike to c and c to m, and people put d and m apart, c is with one of the two, and a new
image between c and the other may move it there. So a group is flagged as *parted* when an image in it, or one that its
links lead to, is put apart from another. A new image that nobody decided on tears apart no group that was not flagged:
it would first have to join two images that people put apart.

Equal scores are taken in the order of the images' ranks, so the groups depend on nothing but images and decisions.

The talk's rule has no weak links, only chains: its groups are the connected components, as in the talk.

Belongs here: graphs of indices. Does not belong here: pictures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_assets.image_groups.similarity import Policy

Pairs = NDArray[np.int64]
Scores = NDArray[np.float64]

_WEAK_SHARE = 0.25
"""A link is weak in the lowest quarter of the scores above an aligned policy's threshold."""

_DECIDED = 2.0  # a score above all others: a decision is stronger
_AT_ONCE = 1 << 14  # links


@dataclass(frozen=True)
class Wholes:
    """groups, weak, parted and split: as in `Grouping`. links: pairs of indices, in the order of the groups."""

    groups: list[list[int]]
    links: list[tuple[int, int]]
    weak: list[int]
    parted: list[int]
    split: int


def find_wholes(
    ranks: Sequence[int],
    pairs: Pairs,
    scores: Scores,
    policy: Policy,
    together: Iterable[tuple[int, int]] = (),
    apart: Iterable[tuple[int, int]] = (),
) -> Wholes:
    """The groups of as many images as there are ranks, given every pair that is alike; see the module.

    ranks: where each image stands in an order that depends on the images alone; it decides between equal scores.
    pairs: (m, 2) indices, the first the smaller one, each pair once. scores: (m,). Takes some 150 bytes a pair; time
    grows with the pairs, but those inside what is joined already cost next to nothing.
    """
    images = len(ranks)
    decided_apart = {(min(pair), max(pair)) for pair in apart}
    decided_together = {(min(pair), max(pair)) for pair in together} - decided_apart
    links, scores = _strongest_first(np.array(ranks), pairs, scores, decided_together, decided_apart)
    weakest = policy.threshold + _WEAK_SHARE * (1.0 - policy.threshold) if policy.rule == "aligned" else 0.0

    forest = _forest(images, links, ())
    bridges = _weak_bridges(images, links, scores, forest, weakest)
    cut = _between_larger_parts(images, links[forest], bridges)
    uncut = _none_of(links, cut, images)
    tree = forest if not (cut or decided_apart) else _forest(images, links, decided_apart, uncut)
    groups, group_of = _components(images, links[tree])
    parted = _parted(groups, _components(images, links[forest])[1], decided_apart) if decided_apart else []
    inside = np.flatnonzero(uncut & (group_of[links[:, 0]] == group_of[links[:, 1]]))
    links, scores, in_tree = links[inside], scores[inside], np.isin(inside, tree)
    centres, wholes = _centres(groups, links, scores, ranks)

    bridged = {int(group_of[a]) for a, b in bridges if group_of[a] == group_of[b]}
    weak = [number for number, whole in enumerate(wholes) if not whole or number in bridged]
    group = group_of[links[:, 0]]
    kept = in_tree | (links == centres[group][:, None]).any(axis=1)
    by_group = np.flatnonzero(kept)[np.argsort(group[kept], kind="stable")]
    return Wholes(groups, [(a, b) for a, b in links[by_group].tolist()], weak, parted, len(cut))


def _strongest_first(
    ranks: NDArray[np.int64],
    pairs: Pairs,
    scores: Scores,
    together: set[tuple[int, int]],
    apart: set[tuple[int, int]],
) -> tuple[Pairs, Scores]:
    """All links, decided ones too, in an order that depends on scores and ranks alone."""
    undecided = _none_of(pairs, together | apart, len(ranks))
    pairs = np.concatenate([pairs[undecided], np.array(sorted(together), dtype=np.int64).reshape(-1, 2)])
    scores = np.concatenate([scores[undecided], np.full(len(together), _DECIDED)])
    of_ends = np.sort(ranks[pairs], axis=1)
    order = np.lexsort((of_ends[:, 1], of_ends[:, 0], -scores))
    return pairs[order], scores[order]


def _none_of(pairs: Pairs, others: set[tuple[int, int]], images: int) -> NDArray[np.bool_]:
    """Which pairs are not among the others."""
    if not others:
        return np.ones(len(pairs), dtype=np.bool_)
    return ~np.isin(pairs[:, 0] * images + pairs[:, 1], [a * images + b for a, b in others])


class _Sets:
    """Disjoint sets of images; the root of a set is its smallest member. Those put apart never come into one set."""

    def __init__(self, images: int, apart: Iterable[tuple[int, int]] = ()):
        self._roots = list(range(images))
        self._foes: defaultdict[int, set[int]] = defaultdict(set)  # roots of sets that a set must not join
        for a, b in apart:
            self._foes[a].add(b)
            self._foes[b].add(a)

    def of(self, image: int) -> int:
        while self._roots[image] != image:
            self._roots[image] = self._roots[self._roots[image]]
            image = self._roots[image]
        return image

    def roots(self) -> NDArray[np.int64]:
        """(images,) the root of each."""
        return np.array([self.of(image) for image in range(len(self._roots))], dtype=np.int64)

    def join(self, a: int, b: int) -> bool:
        """False when they were joined already, or must not be."""
        a, b = sorted((self.of(a), self.of(b)))
        if a == b or b in self._foes.get(a, ()):
            return False
        self._roots[b] = a
        for foe in self._foes.pop(b, ()):
            self._foes[foe].discard(b)
            self._foes[foe].add(a)
            self._foes[a].add(foe)
        return True


def _forest(
    images: int, links: Pairs, apart: Iterable[tuple[int, int]], usable: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Where the links stand that join two sets when taken from the strongest down (Kruskal, 1956), none of which joins
    images put apart."""
    sets = _Sets(images, apart)
    taken = []
    for start in range(0, len(links), _AT_ONCE):
        page = links[start : start + _AT_ONCE]
        roots = sets.roots()
        between = roots[page[:, 0]] != roots[page[:, 1]]  # the others join nothing, so they need no look
        if usable is not None:
            between &= usable[start : start + _AT_ONCE]
        places = np.flatnonzero(between)
        taken += [
            start + place
            for place, (a, b) in zip(places.tolist(), page[places].tolist(), strict=True)
            if sets.join(a, b)
        ]
    return np.array(taken, dtype=np.int64)


def _components(images: int, links: Pairs) -> tuple[list[list[int]], NDArray[np.int64]]:
    """The groups that links make, ordered by their first image, and the number of each image's group."""
    sets = _Sets(images)
    for a, b in links.tolist():
        sets.join(a, b)
    _, group_of = np.unique(sets.roots(), return_inverse=True)
    groups: list[list[int]] = [[] for _ in range(int(group_of.max(initial=-1)) + 1)]
    for image, group in enumerate(group_of.tolist()):
        groups[group].append(image)
    return groups, group_of


def _weak_bridges(
    images: int, links: Pairs, scores: Scores, forest: NDArray[np.int64], weakest: float
) -> set[tuple[int, int]]:
    """The links below a score without which their ends would not be connected.

    Looks at two forests only, the second one of what the first leaves: a link is a bridge of both together exactly when
    it is one of the whole graph (Nagamochi and Ibaraki, 1992), and two thousand images that are all alike have two
    million links.
    """
    if not (scores < weakest).any():
        return set()
    left = np.ones(len(links), dtype=np.bool_)
    left[forest] = False
    two = np.concatenate([forest, _forest(images, links, (), left)])
    weak = {(a, b) for a, b in links[two[scores[two] < weakest]].tolist()}
    return _bridges([(a, b) for a, b in links[two].tolist()]) & weak


def _bridges(links: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """The links without which their ends would not be connected (Tarjan, 1974), without recursion."""
    neighbours: defaultdict[int, list[int]] = defaultdict(list)
    for a, b in links:
        neighbours[a].append(b)
        neighbours[b].append(a)
    seen: dict[int, int] = {}  # in which order images were reached
    lowest: dict[int, int] = {}  # the first image that the tree below this one leads back to
    bridges = set()
    for start in neighbours:
        if start in seen:
            continue
        seen[start] = lowest[start] = len(seen)
        way = [(start, -1, iter(neighbours[start]))]
        while way:
            image, parent, rest = way[-1]
            for other in rest:
                if other == parent:
                    continue
                if other in seen:
                    lowest[image] = min(lowest[image], seen[other])
                    continue
                seen[other] = lowest[other] = len(seen)
                way.append((other, image, iter(neighbours[other])))
                break
            else:
                way.pop()
                if parent >= 0:
                    lowest[parent] = min(lowest[parent], lowest[image])
                    if lowest[image] > seen[parent]:
                        bridges.add((min(image, parent), max(image, parent)))
    return bridges


def _between_larger_parts(images: int, forest: Pairs, bridges: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """The bridges with two or more images at each end, all bridges being taken away from the graph of this forest."""
    if not bridges:
        return set()
    parts, part_of = _components(images, forest[_none_of(forest, bridges, images)])
    return {(a, b) for a, b in bridges if len(parts[part_of[a]]) > 1 and len(parts[part_of[b]]) > 1}


def _parted(groups: Sequence[Sequence[int]], component_of: NDArray[np.int64], apart: set[tuple[int, int]]) -> list[int]:
    """The groups of two or more in the components, of all links, that hold an image put apart from another."""
    near = {int(component_of[image]) for pair in apart for image in pair}
    return [number for number, group in enumerate(groups) if len(group) > 1 and int(component_of[group[0]]) in near]


def _centres(
    groups: Sequence[Sequence[int]], inside: Pairs, scores: Scores, ranks: Sequence[int]
) -> tuple[NDArray[np.int64], list[bool]]:
    """For each group the member that is most alike to the others (the medoid among those with most links), and whether
    it is alike to all of them."""
    count = np.bincount(inside.ravel(), minlength=len(ranks)).tolist()
    # Added up from the strongest link down, so that the order of the images has no part in it.
    total = np.bincount(inside.ravel(), np.repeat(scores, 2), minlength=len(ranks)).tolist()
    centres = [max(group, key=lambda image: (count[image], total[image], -ranks[image])) for group in groups]
    wholes = [count[centre] == len(group) - 1 for centre, group in zip(centres, groups, strict=True)]
    return np.array(centres, dtype=np.int64), wholes
