"""Groups as wholes: what becomes of the pairs that are alike, when they form chains.

The images of a hotel and its alike pairs are a graph, and its connected components are the first draft of the groups.
Two pictures of different rooms come together when a single pair between them is wrong, so:

- A link is *weak* when its score is just above the threshold and nothing else holds its two ends together (it is a
  bridge of the graph). A weak link between two parts of two or more images each is cut: these are two groups.
- A group is *flagged* when a weak link remains in it, or when no member is alike to all the others: a chain.

Whether a link is weak depends on its own score and on other links only in so far as they make a second way round. So
a new image can join groups, and can make a link less weak, but can never tear a group apart that was not flagged.

People's decisions come first: pairs they put together stay together, pairs they put apart are never in one group;
there the links are taken from the strongest down, and one that would join such a pair is left out.

The talk's rule has no weak links, only chains: its groups are the connected components, as in the talk.

Belongs here: graphs of indices. Does not belong here: pictures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from image_assets.image_groups.similarity import Policy

Pair = tuple[int, int, float]
"""Two images, the first the smaller index, and their score."""

_WEAK_SHARE = 0.25
"""A link is weak in the lowest quarter of the scores above an aligned policy's threshold."""


@dataclass(frozen=True)
class Wholes:
    """groups, weak and split: as in `Grouping`. links: pairs of indices, in the order of the groups."""

    groups: list[list[int]]
    links: list[tuple[int, int]]
    weak: list[int]
    split: int


def find_wholes(
    images: int,
    alike: Sequence[Pair],
    policy: Policy,
    together: Iterable[tuple[int, int]] = (),
    apart: Iterable[tuple[int, int]] = (),
) -> Wholes:
    """The groups of `images` images, given every pair that is alike (a < b); see the module."""
    decided_apart = {(min(pair), max(pair)) for pair in apart}
    decided_together = {(min(pair), max(pair)) for pair in together} - decided_apart
    # A decision is stronger than any score.
    links = {(a, b): score for a, b, score in alike if (a, b) not in decided_apart}
    links |= dict.fromkeys(decided_together, 2.0)
    strongest_first = sorted(links, key=lambda pair: (-links[pair], pair))
    weakest = policy.threshold + _WEAK_SHARE * (1.0 - policy.threshold) if policy.rule == "aligned" else 0.0

    bridges = {pair for pair in _bridges(links) if links[pair] < weakest}
    cut = _between_larger_parts(images, links, bridges)
    tree = _strongest_tree(images, [pair for pair in strongest_first if pair not in cut], decided_apart)
    groups = _components(images, tree)
    group_of = {image: index for index, group in enumerate(groups) for image in group}
    inside: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for a, b in strongest_first:
        if group_of[a] == group_of[b] and (a, b) not in cut:
            inside[group_of[a]].append((a, b))
    kept: list[tuple[int, int]] = []
    weak = []
    for index in sorted(inside):
        centre, is_whole = _centre(groups[index], inside[index], links)
        if not is_whole or not bridges.isdisjoint(inside[index]):
            weak.append(index)
        kept += [pair for pair in inside[index] if pair in tree or centre in pair]
    return Wholes(groups, kept, weak, len(cut))


def _components(images: int, links: Iterable[tuple[int, int]]) -> list[list[int]]:
    roots = _Roots(images)
    for a, b in links:
        roots.join(a, b)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for image in range(images):
        groups[roots.of(image)].append(image)
    return list(groups.values())


class _Roots:
    """Disjoint sets; the root of a set is its smallest member."""

    def __init__(self, images: int):
        self._roots = list(range(images))

    def of(self, image: int) -> int:
        while self._roots[image] != image:
            self._roots[image] = self._roots[self._roots[image]]
            image = self._roots[image]
        return image

    def join(self, a: int, b: int) -> bool:
        """False when they were joined already."""
        a, b = self.of(a), self.of(b)
        self._roots[max(a, b)] = min(a, b)
        return a != b


def _strongest_tree(
    images: int, strongest_first: Sequence[tuple[int, int]], apart: set[tuple[int, int]]
) -> set[tuple[int, int]]:
    """The links that join two sets when taken from the strongest down (Kruskal), none of which joins a pair `apart`."""
    roots = _Roots(images)
    tree = set()
    for a, b in strongest_first:
        ends = {roots.of(a), roots.of(b)}
        if any({roots.of(c), roots.of(d)} == ends for c, d in apart):
            continue
        if roots.join(a, b):
            tree.add((a, b))
    return tree


def _bridges(links: Mapping[tuple[int, int], float]) -> set[tuple[int, int]]:
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


def _between_larger_parts(
    images: int, links: Iterable[tuple[int, int]], bridges: set[tuple[int, int]]
) -> set[tuple[int, int]]:
    """The bridges with two or more images at each end, all bridges being taken away."""
    if not bridges:
        return set()
    size: dict[int, int] = {}
    for part in _components(images, (pair for pair in links if pair not in bridges)):
        size |= dict.fromkeys(part, len(part))
    return {(a, b) for a, b in bridges if size[a] > 1 and size[b] > 1}


def _centre(
    group: Sequence[int], inside: Sequence[tuple[int, int]], scores: Mapping[tuple[int, int], float]
) -> tuple[int, bool]:
    """The member that is most alike to the others (the medoid among those with most links); whether to all of them."""
    count: defaultdict[int, int] = defaultdict(int)
    total: defaultdict[int, float] = defaultdict(float)
    for pair in inside:
        for image in pair:
            count[image] += 1
            total[image] += scores[pair]
    centre = max(group, key=lambda image: (count[image], total[image], -image))
    return centre, count[centre] == len(group) - 1
