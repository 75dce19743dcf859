"""What a policy finds and confuses: every figure against a corpus whose outcome is known beforehand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from dedup_quality.corpus_pictures import names, pair, picture, resembling
from hypothesis import given, settings
from hypothesis import strategies as st

from image_assets.dedup_quality.bounds import clopper_pearson
from image_assets.dedup_quality.corpus import DECIDED, IMPORTED, Corpus, CorpusPicture, LabelledPair, labelled_corpus
from image_assets.dedup_quality.drawn_edits import MIRRORED
from image_assets.dedup_quality.evaluation import Mix, evaluate, precision_of, tuning_curve
from image_assets.image_groups import ALIGNED_POLICY, TALK_POLICY, Policy
from image_assets.image_groups.certificate import Share, certificate_of

HELD = names(6, held_out=True)
TUNED = names(6, held_out=False)


def small_corpus(held_out: bool = True) -> Corpus:
    """Six pictures, the first two alike; of each a grey copy that is found, a cut and a mirrored one that are not."""
    pictures: list[CorpusPicture] = []
    pairs: list[LabelledPair] = []
    originals = [picture(name) for name in (HELD if held_out else TUNED)]
    originals[1] = resembling(originals[1], originals[0])
    for original in originals:
        grey = resembling(picture(original.name, "grey"), original)
        cut, mirrored = picture(original.name, "cut"), picture(original.name, MIRRORED)
        pictures += [original, grey, cut, mirrored]
        pairs += [pair(original, grey, True, detail="grey"), pair(original, cut, True, detail="cut")]
        pairs.append(pair(original, mirrored, True, detail=MIRRORED))
    for i, a in enumerate(originals):
        pairs += [pair(a, b, False, detail="nearest" if i else "same hotel") for b in originals[i + 1 :]]
    return labelled_corpus(pictures, pairs)


def counted(share: Share) -> tuple[int, int, int]:
    return share.hits, share.pairs, share.sources


def test_copies_found_and_pictures_confused_are_counted_with_the_pictures_behind_them() -> None:
    certificate = evaluate(small_corpus(), TALK_POLICY, "dhash-1", None).certificate
    assert counted(certificate.recall) == (6, 12, 6)
    assert {edit: counted(share) for edit, share in certificate.by_edit.items()} == {
        "grey": (6, 6, 6),
        "cut": (0, 6, 6),
        MIRRORED: (0, 6, 6),
    }
    assert counted(certificate.false_merges) == (1, 15, 6)
    assert {kind: counted(share) for kind, share in certificate.by_kind.items()} == {
        "same hotel": (1, 5, 6),
        "nearest": (0, 10, 5),
    }
    lower, upper = clopper_pearson(1, 15)
    assert (certificate.false_merges.lower, certificate.false_merges.upper) == pytest.approx((lower, upper))


def test_copies_of_two_pictures_are_one_trial_when_pictures_are_counted_and_fail_when_any_is_merged() -> None:
    originals = [picture(name) for name in HELD[:3]]
    copies = [picture(made.name, "grey") for made in originals]
    copies[1] = resembling(copies[1], copies[0])  # the only pair that is merged
    pairs = [
        pair(a, b, False)
        for i, j in ((0, 1), (0, 2), (1, 2))
        for a in (originals[i], copies[i])
        for b in (originals[j], copies[j])
    ]
    certificate = evaluate(labelled_corpus([*originals, *copies], pairs), TALK_POLICY, "dhash-1", None).certificate
    assert counted(certificate.false_merges) == (1, 12, 3)
    assert counted(certificate.confused_pictures) == (1, 3, 3)
    assert (certificate.false_merges.picture_pairs, certificate.confused_pictures.picture_pairs) == (3, 3)
    assert certificate.confused_pictures.upper == pytest.approx(clopper_pearson(1, 3)[1])


def test_pairs_between_the_halves_take_part_in_nothing() -> None:
    a, b = picture(HELD[0]), resembling(picture(TUNED[0]), picture(HELD[0]))
    for kind in (IMPORTED, DECIDED):
        corpus = labelled_corpus([a, b], [pair(a, b, False, kind)])
        assert len(evaluate(corpus, TALK_POLICY, "dhash-1", None).pairs) == 0
        assert tuning_curve(corpus, TALK_POLICY)[0].false_merges.pairs == 0


def test_mirrored_pictures_count_in_the_recall_only_where_the_policy_merges_them() -> None:
    mirrored = evaluate(small_corpus(), replace(TALK_POLICY, mirrored=True), "dhash-1", None).certificate
    assert mirrored.recall.pairs == 18


def test_nothing_of_the_tuning_half_takes_part() -> None:
    assert len(evaluate(small_corpus(held_out=False), TALK_POLICY, "dhash-1", None).pairs) == 0
    assert all(point.recall.pairs == 0 for point in tuning_curve(small_corpus(), TALK_POLICY))
    assert tuning_curve(small_corpus(held_out=False), TALK_POLICY)[-1].recall.pairs == 12


def test_groups_that_lose_a_picture_or_show_it_twice_are_counted() -> None:
    groups = evaluate(small_corpus(), TALK_POLICY, "dhash-1", None).certificate.groups
    # The first two pictures fall into one group; the cut copy of each stays by itself.
    assert (groups.hotels, groups.sources, groups.images) == (1, 6, 18)
    assert (groups.wrong_merges, groups.missed_merges) == (1, 6)


def test_what_people_decided_takes_no_part_in_a_rate_and_what_they_imported_does() -> None:
    a, b, c, d = (picture(name) for name in HELD[:4])
    b, d = resembling(b, a), resembling(d, c)
    labels = [pair(a, b, False, DECIDED), pair(a, c, False, IMPORTED), pair(c, d, True, IMPORTED)]
    certificate = evaluate(labelled_corpus([a, b, c, d], labels), TALK_POLICY, "dhash-1", None).certificate
    assert counted(certificate.decided) == (0, 1, 2)
    assert counted(certificate.false_merges) == (0, 1, 2)
    assert {kind: share.pairs for kind, share in certificate.by_kind.items()} == {IMPORTED: 1}
    assert counted(certificate.labelled) == (1, 1, 1)
    assert certificate.recall.pairs == 0


@pytest.mark.parametrize("policy", [TALK_POLICY, ALIGNED_POLICY], ids=lambda policy: policy.rule)
def test_a_higher_bar_never_finds_more_and_never_confuses_more(policy: Policy) -> None:
    curve = tuning_curve(small_corpus(held_out=False), policy)
    for before, after in pairwise(curve):
        assert after.recall.hits <= before.recall.hits
        assert after.false_merges.hits <= before.false_merges.hits


def test_the_curve_passes_through_the_certificate() -> None:
    evaluation = evaluate(small_corpus(), TALK_POLICY, "dhash-1", None)
    assert all(point.recall.pairs == 0 for point in evaluation.tuning_curve)
    (here,) = [point for point in evaluation.curve if point.threshold == TALK_POLICY.threshold]
    assert (here.recall, here.false_merges) == (evaluation.certificate.recall, evaluation.certificate.false_merges)


@given(
    st.integers(1, 10**6), st.integers(0, 10**8), st.integers(0, 100), st.integers(0, 1000), st.integers(1001, 50_000)
)
@settings(max_examples=50)
def test_precision_follows_from_the_mix_and_its_bound_is_below_it(
    same: int, different: int, missed: int, false: int, pairs: int
) -> None:
    def share(hits: int, of: int) -> Share:
        lower, upper = clopper_pearson(hits, of)
        return Share(hits, of, of, of, lower, upper)

    recall, false_merges = share(1000 - missed, 1000), share(false, pairs)
    precision = precision_of(recall, false_merges, Mix(10, same, different))
    right, wrong = same * recall.rate, different * false_merges.rate
    assert precision.rate == pytest.approx(right / (right + wrong), abs=1e-9)
    assert precision.lower <= precision.rate
    assert (precision.same_pairs, precision.different_pairs) == (same, different)


def test_a_certificate_survives_being_kept() -> None:
    certificate = evaluate(small_corpus(), TALK_POLICY, "dhash-1", Mix(3, 10, 90)).certificate
    assert certificate_of(certificate.content) == certificate
    assert certificate_of(certificate.content).digest == certificate.digest


def test_the_same_corpus_gives_the_same_certificate_whatever_the_order() -> None:
    corpus = small_corpus()
    shuffled = np.random.default_rng(1).permutation(len(corpus.pictures))
    again = labelled_corpus(
        [corpus.pictures[i] for i in shuffled],
        [
            LabelledPair(corpus.pictures[a].key, corpus.pictures[b].key, bool(same), str(kind), "a test", str(detail))
            for (a, b), same, kind, detail in list(
                zip(corpus.pairs, corpus.same, corpus.kinds, corpus.details, strict=True)
            )[::-1]
        ],
    )
    one, other = (evaluate(c, ALIGNED_POLICY, "dhash-1", None).certificate for c in (corpus, again))
    assert one == other
