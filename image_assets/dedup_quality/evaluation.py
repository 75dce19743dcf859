"""Judging a policy by a corpus: what it finds, what it confuses, with exact bounds and the curve over thresholds.

Pure. Belongs here: the counting, over one half of a corpus. Does not belong here: proposing thresholds (`tuning`), and
what is good enough (`image_groups.certificate`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from image_assets.dedup_quality.bounds import clopper_pearson
from image_assets.dedup_quality.corpus import DECIDED, GENERATED, IMPORTED, Corpus
from image_assets.dedup_quality.drawn_edits import MIRRORED
from image_assets.image_groups import Policy, group_pictures, pair_scores
from image_assets.image_groups.certificate import Certificate, GroupErrors, Precision, Share
from image_assets.image_groups.similarity import HASH_BITS

Chosen = NDArray[np.bool_]

_SOURCES_A_HOTEL = 12
_IMAGES_A_SOURCE = 4
_MOST_HOTELS = 60
_DIGITS = 9  # of bounds: more than anybody reads, and the same bytes whatever the last bit of a library's function


@dataclass(frozen=True)
class Mix:
    """Pairs of images inside hotels, as they are grouped now: how many show the same picture and how many do not."""

    hotels: int
    same: int
    different: int


@dataclass(frozen=True)
class CurvePoint:
    """What the policy would do at another threshold."""

    threshold: float
    recall: Share
    false_merges: Share


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A certificate and what it was counted from.

    pairs: (m,) int64, indices of the corpus's pairs that were judged. scores: (m,) float64. curve: by rising threshold
    of the score; tuning_curve: the same of the other half, which is for choosing.
    """

    certificate: Certificate
    pairs: NDArray[np.int64]
    scores: NDArray[np.float64]
    curve: tuple[CurvePoint, ...]
    tuning_curve: tuple[CurvePoint, ...]


class _Half:
    """The judged pairs of a corpus with their scores, and who takes part in which figure."""

    def __init__(self, corpus: Corpus, policy: Policy, half: Chosen):
        self.pairs = np.flatnonzero(half)
        ends = corpus.pairs[self.pairs]
        self.scores = pair_scores(corpus.crop_hashes, corpus.luma, ends, policy)
        self.sources = np.sort(corpus.sources[ends], axis=1)
        self.same = corpus.same[self.pairs]
        self.kinds = corpus.kinds[self.pairs]
        self.details = corpus.details[self.pairs]
        self.edited = self.same & (self.kinds == GENERATED)
        merged_by_policy = policy.mirrored | (self.details != MIRRORED)
        self.recalled = self.edited & merged_by_policy
        self.different = ~self.same & (self.kinds != DECIDED)

    def share(self, chosen: Chosen, hits: Chosen) -> Share:
        """How many of the chosen pairs are hits."""
        return _share(int((chosen & hits).sum()), int(chosen.sum()), self.sources[chosen])

    def share_of_pictures(self, chosen: Chosen, hits: Chosen) -> Share:
        """The same with all chosen pairs of two source pictures as one, which is a hit when any of them is."""
        pairs = np.unique(self.sources[chosen], axis=0)
        return _share(len(np.unique(self.sources[chosen & hits], axis=0)), len(pairs), pairs)


def _share(hits: int, pairs: int, sources: NDArray[np.int64]) -> Share:
    """`sources`: (pairs, 2), the source pictures of each pair, sorted."""
    lower, upper = clopper_pearson(hits, pairs)
    pictures, of_pictures = len(np.unique(sources)), len(np.unique(sources, axis=0))
    return Share(hits, pairs, pictures, of_pictures, round(lower, _DIGITS), round(upper, _DIGITS))


def evaluate(corpus: Corpus, policy: Policy, fingerprint: str, mix: Mix | None) -> Evaluation:
    """Judge the held-out half of `corpus`, measured by the method `fingerprint`."""
    half = _Half(corpus, policy, corpus.held_out)
    merged = half.scores > policy.least_score
    recall = half.share(half.recalled, merged)
    false_merges = half.share(half.different, merged)
    found_as = np.where(half.kinds == IMPORTED, IMPORTED, half.details)
    certificate = Certificate(
        policy=policy,
        fingerprint=fingerprint,
        corpus=corpus.digest,
        recall=recall,
        by_edit={
            str(edit): half.share(half.edited & (half.details == edit), merged)
            for edit in np.unique(half.details[half.edited])
        },
        false_merges=false_merges,
        confused_pictures=half.share_of_pictures(half.different, merged),
        by_kind={
            str(kind): half.share(half.different & (found_as == kind), merged)
            for kind in np.unique(found_as[half.different])
        },
        labelled=half.share(half.same & (half.kinds == IMPORTED), merged),
        decided=half.share(half.kinds == DECIDED, merged == half.same),
        groups=group_errors(corpus, policy),
        precision=None if mix is None else precision_of(recall, false_merges, mix),
    )
    curve, other_curve = tuple(_curve(half, policy)), tuple(tuning_curve(corpus, policy))
    return Evaluation(certificate, half.pairs, half.scores, curve, other_curve)


def tuning_curve(corpus: Corpus, policy: Policy) -> list[CurvePoint]:
    """What every threshold would do on the tuning half, by rising threshold of the score."""
    return list(_curve(_Half(corpus, policy, corpus.tuning), policy))


def with_threshold(policy: Policy, threshold: float) -> Policy:
    """The policy with its knob turned."""
    return replace(policy, threshold=threshold)


def precision_of(recall: Share, false_merges: Share, mix: Mix) -> Precision:
    """The share of merged pairs that are right, by Bayes' rule, where a mix of pairs is compared."""

    def share(found: float, confused: float) -> float:
        right, wrong = mix.same * found, mix.different * confused
        return round(right / (right + wrong), _DIGITS) if right + wrong else 0.0

    return Precision(
        mix.hotels,
        mix.same,
        mix.different,
        share(recall.rate, false_merges.rate),
        share(recall.lower, false_merges.upper),
    )


def group_errors(corpus: Corpus, policy: Policy) -> GroupErrors:
    """Group held-out pictures and their copies, some pictures a hotel, and count what is wrong with the groups."""
    hotels = images = sources = wrong = missed = 0
    for members in _hotels(corpus, policy):
        truth = corpus.sources[members]
        found = group_pictures(corpus.crop_hashes[members], corpus.luma[members], policy).groups
        label = np.empty(len(members), dtype=np.int64)
        for number, group in enumerate(found):
            label[group] = number
        touching = len({(int(t), int(g)) for t, g in zip(truth, label, strict=True)})
        hotels += 1
        images += len(members)
        sources += len(np.unique(truth))
        wrong += touching - len(found)
        missed += touching - len(np.unique(truth))
    return GroupErrors(hotels, images, sources, wrong, missed)


def _hotels(corpus: Corpus, policy: Policy) -> Iterator[NDArray[np.int64]]:
    """Indices of pictures, hotel by hotel: real hotels where they are known, else pictures that come next to each
    other."""
    of_source: dict[int, list[int]] = {}
    for index in np.unique(corpus.pairs[corpus.held_out & (corpus.kinds == GENERATED)]):
        if policy.mirrored or corpus.pictures[index].edit != MIRRORED:
            of_source.setdefault(int(corpus.sources[index]), []).append(int(index))
    ordered = sorted(of_source, key=lambda source: (corpus.pictures[source].hotel_id or "", source))
    hotels: list[list[int]] = []
    for source in ordered:
        hotel_id = corpus.pictures[source].hotel_id
        if not hotels or len(hotels[-1]) == _SOURCES_A_HOTEL or corpus.pictures[hotels[-1][0]].hotel_id != hotel_id:
            hotels.append([])
        hotels[-1].append(source)
    for hotel in hotels[:_MOST_HOTELS]:
        chosen = [
            index
            for source in hotel
            for index in sorted(of_source[source], key=lambda i: (corpus.pictures[i].edit != "", i))[:_IMAGES_A_SOURCE]
        ]
        yield np.array(chosen, dtype=np.int64)


def _curve(half: _Half, policy: Policy) -> Iterator[CurvePoint]:
    for threshold in _thresholds(policy):
        merged = half.scores > with_threshold(policy, threshold).least_score
        yield CurvePoint(threshold, half.share(half.recalled, merged), half.share(half.different, merged))


def _thresholds(policy: Policy) -> Sequence[float]:
    """Every setting of the knob that is worth a look, from the most merging to the least."""
    if policy.rule == "talk":
        return [float(distance) for distance in range(HASH_BITS // 2, 0, -1)]
    return [round(0.3 + step / 200, 3) for step in range(140)]
