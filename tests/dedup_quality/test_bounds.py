"""The exact bounds of a share, against published values and against their own definition."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_assets.dedup_quality.bounds import clopper_pearson, trials_for


@pytest.mark.parametrize(
    ("hits", "trials", "lower", "upper"),
    [(0, 10, 0.0, 0.3085), (1, 10, 0.0025, 0.4450), (5, 10, 0.1871, 0.8129), (10, 10, 0.6915, 1.0)],
)
def test_the_bounds_are_those_of_the_tables(hits: int, trials: int, lower: float, upper: float) -> None:
    assert clopper_pearson(hits, trials) == pytest.approx((lower, upper), abs=5e-5)


@given(trials=st.integers(1, 60), share=st.floats(0, 1))
def test_so_few_or_so_many_hits_have_a_chance_of_a_fortieth_at_the_bounds(trials: int, share: float) -> None:
    hits = round(share * trials)
    lower, upper = clopper_pearson(hits, trials)

    def chance(of: range, rate: float) -> float:
        return sum(comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in of)

    assert 0 <= lower <= hits / trials <= upper <= 1
    if hits:
        assert chance(range(hits, trials + 1), lower) == pytest.approx(0.025)
    if hits < trials:
        assert chance(range(hits + 1), upper) == pytest.approx(0.025)


def test_nothing_counted_says_nothing() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)


def test_more_hits_than_trials_are_refused() -> None:
    with pytest.raises(ValueError):
        clopper_pearson(3, 2)


def test_the_trials_needed_for_a_rate_are_just_enough() -> None:
    enough = trials_for(1e-4)
    assert clopper_pearson(0, enough)[1] <= 1e-4 < clopper_pearson(0, enough - 1)[1]
