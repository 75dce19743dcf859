"""Proposing a threshold from a curve, and telling what would become of the groups."""

from __future__ import annotations

from image_assets.dedup_quality.bounds import clopper_pearson
from image_assets.dedup_quality.evaluation import CurvePoint, Mix
from image_assets.dedup_quality.tuning import Wanted, group_change, propose
from image_assets.image_groups.certificate import Share


def share(hits: int, pairs: int) -> Share:
    return Share(hits, pairs, pairs, pairs, *clopper_pearson(hits, pairs))


# Threshold, copies found of 1,000, different pairs merged of 100,000.
CURVE = [
    CurvePoint(threshold, share(found, 1000), share(merged, 100_000))
    for threshold, found, merged in [(0.5, 999, 50), (0.6, 990, 4), (0.7, 980, 1), (0.8, 980, 0), (0.9, 700, 0)]
]


def proposed(wanted: Wanted, mix: Mix | None = None) -> float | None:
    point = propose(CURVE, wanted, mix)
    return None if point is None else point.threshold


def test_of_the_thresholds_that_confuse_few_enough_the_one_that_finds_most_is_proposed() -> None:
    assert proposed(Wanted(max_false_merge_rate=1e-2)) == 0.5
    assert proposed(Wanted(max_false_merge_rate=2e-4)) == 0.6


def test_of_equally_good_thresholds_the_one_that_merges_least_is_proposed() -> None:
    assert proposed(Wanted(max_false_merge_rate=1e-4)) == 0.8


def test_nothing_is_proposed_that_the_pairs_cannot_prove() -> None:
    assert proposed(Wanted(max_false_merge_rate=1e-6)) is None


def test_precision_is_promised_for_the_mix_of_pairs_inside_hotels() -> None:
    wanted = Wanted(precision=0.999)
    assert proposed(wanted, Mix(1, same=1000, different=1000)) == 0.5
    assert proposed(wanted, Mix(1, same=1000, different=5000)) == 0.6
    assert proposed(wanted, Mix(1, same=1000, different=10**7)) is None
    assert proposed(wanted) is None


def test_groups_that_would_join_and_split_are_told() -> None:
    change = group_change([[0, 1], [2], [3, 4]], [[0, 1, 2], [3], [4]])
    assert (change.merged, change.split) == (((0, 1, 2),), ((3, 4),))
    assert not group_change([[0], [1, 2]], [[1, 2], [0]]).any
