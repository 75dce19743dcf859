"""Which certificate counts for a policy, and whether it lets images be grouped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policy_certificates import good_certificate

from image_assets.image_groups import TALK_POLICY, Certificate, Policy, Requirements
from image_assets.image_groups.certificate import certificate_for, shortcoming

POLICY = Policy(rule="aligned", version=7, threshold=0.6789)  # nothing built in speaks of it
METHOD = "dhash-1"
REQUIRED = Requirements()


def certificate(policy: Policy = POLICY, corpus: str = "c1", **bounds: float) -> Certificate:
    return replace(good_certificate(policy, METHOD, **bounds), corpus=corpus)


def problem(known: Certificate | None, required: Requirements = REQUIRED) -> str:
    return shortcoming(POLICY, METHOD, known, required) or ""


def test_a_certificate_within_the_bounds_lets_images_be_grouped() -> None:
    assert problem(certificate()) == ""
    assert problem(certificate(lower=0.97, upper=1e-4)) == ""


def test_a_missing_certificate_does_not() -> None:
    assert "nothing certifies policy aligned-7:0.6789" in problem(None)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (certificate(upper=1.01e-4), "at most 0.0001 of different pictures may be merged"),
        (certificate(lower=0.9699), "at least 97.0% of edited copies must be found"),
    ],
)
def test_a_certificate_outside_a_bound_does_not_and_says_which(known: Certificate, said: str) -> None:
    assert said in problem(known)
    assert problem(known, Requirements(max_false_merge_rate=1e-3, min_recall=0.5)) == ""


def test_a_certificate_of_an_older_version_does_not() -> None:
    older = certificate(replace(POLICY, version=6))
    assert certificate_for(POLICY, METHOD, [older]) == older
    assert "is for version 6 of its rule, which is at version 7 now" in problem(older)


def test_the_last_of_the_users_own_certificates_counts() -> None:
    own = [certificate(corpus="c1"), certificate(corpus="c2"), certificate(replace(POLICY, version=6), corpus="c3")]
    assert certificate_for(POLICY, METHOD, own) == own[1]


def test_a_certificate_speaks_of_one_threshold_one_fingerprint_and_one_view_of_mirrored_pictures() -> None:
    own = [certificate()]
    assert certificate_for(replace(POLICY, threshold=0.7), METHOD, own) is None
    assert certificate_for(replace(POLICY, mirrored=True), METHOD, own) is None
    assert certificate_for(POLICY, "phash-1", own) is None
    assert certificate_for(replace(TALK_POLICY, threshold=9), METHOD, own) is None
