"""Many labels, one truth: who is believed, what goes back to one source, which half a pair is in."""

from __future__ import annotations

import numpy as np
import pytest
from dedup_quality.corpus_pictures import names, pair, picture, sha256

from image_assets.dedup_quality.corpus import DECIDED, GENERATED, IMPORTED, is_held_out, labelled_corpus

TUNED, OTHER_TUNED = names(2, held_out=False)
HELD, OTHER_HELD = names(2, held_out=True)


def test_what_people_decided_counts_before_what_was_imported_or_generated() -> None:
    a, b = picture(TUNED), picture(OTHER_TUNED)
    labels = [pair(a, b, True, GENERATED), pair(a, b, True, IMPORTED), pair(a, b, False, DECIDED)]
    for order in (labels, labels[::-1]):
        corpus = labelled_corpus([a, b], order)
        assert (corpus.same.tolist(), corpus.kinds.tolist(), corpus.overruled) == ([False], [DECIDED], 2)


def test_a_decision_that_confirms_a_label_takes_no_pair_out_of_the_figures() -> None:
    """Or the gate could be opened by deciding rightly just what the policy gets wrong."""
    a, b = picture(HELD), picture(OTHER_HELD)
    for same in (False, True):
        corpus = labelled_corpus([a, b], [pair(a, b, same, GENERATED), pair(a, b, same, DECIDED)])
        assert (corpus.same.tolist(), corpus.kinds.tolist(), corpus.overruled) == ([same], [GENERATED], 0)


def test_copies_of_pictures_that_people_call_the_same_are_no_longer_called_different() -> None:
    a, b = picture(TUNED), picture(OTHER_TUNED)
    copy = picture(TUNED, "grey")
    labels = [pair(copy, b, False), pair(a, copy, True, detail="grey")]
    assert labelled_corpus([a, b, copy], labels).same.tolist().count(False) == 1
    told = labelled_corpus([a, b, copy], [*labels, pair(a, b, True, IMPORTED)])
    assert (told.same.all(), told.overruled, len(set(told.sources.tolist()))) == (True, 1, 1)


def test_a_pair_is_of_a_half_only_when_both_its_sources_are() -> None:
    pictures = [picture(name) for name in (TUNED, OTHER_TUNED, HELD, OTHER_HELD)]
    for a, b, half in ((0, 1, (True, False, 0)), (0, 2, (False, False, 1)), (2, 3, (False, True, 0))):
        corpus = labelled_corpus(pictures, [pair(pictures[a], pictures[b], False)])
        assert (corpus.tuning.item(), corpus.held_out.item(), corpus.between) == half


@pytest.mark.parametrize("kind", [IMPORTED, DECIDED])
@pytest.mark.parametrize("number", range(8))
def test_what_is_for_tuning_is_never_held_out_whatever_it_is_joined_with(kind: str, number: int) -> None:
    """Or a picture could be tuned on today, and judge the result tomorrow."""
    tuned, held = picture(names(8, held_out=False)[number]), picture(names(8, held_out=True)[number])
    copies = [picture(made.name, "grey") for made in (tuned, held)]
    labels = [pair(made, copy, True, detail="grey") for made, copy in zip((tuned, held), copies, strict=True)]
    apart = labelled_corpus([tuned, held, *copies], labels)
    assert (apart.tuning.sum(), apart.held_out.sum()) == (1, 1)
    joined = labelled_corpus([tuned, held, *copies], [*labels, pair(tuned, held, True, kind)])
    assert joined.tuning.all()
    assert not joined.held_out.any()


def test_a_picture_and_its_copies_are_in_one_half_whatever_else_is_in_the_corpus() -> None:
    name, others = HELD, [picture(name) for name in names(20, held_out=False)]
    copies = [picture(name, "grey", draw) for draw in range(5)]
    labels = [pair(picture(name), copy, True, detail="grey") for copy in copies]
    assert labelled_corpus([picture(name), *copies, *others], labels).held_out.all()
    assert labelled_corpus([picture(name), *copies], labels).held_out.all()


def test_about_half_of_all_sources_are_held_out() -> None:
    held_out = [is_held_out(sha256(str(number))) for number in range(2000)]
    assert 900 < np.sum(held_out) < 1100


def test_the_digest_names_fingerprints_and_labels_and_nothing_else() -> None:
    a, b, c = picture(TUNED), picture(OTHER_TUNED), picture(HELD)
    labels = [pair(a, b, False), pair(a, c, False)]
    digest = labelled_corpus([a, b, c], labels).digest
    assert labelled_corpus([c, b, a], labels[::-1]).digest == digest
    assert labelled_corpus([a, b, c], [pair(a, b, True), labels[1]]).digest != digest
    assert labelled_corpus([a, b, c], labels[:1]).digest != digest


def test_pairs_of_pictures_without_a_fingerprint_are_left_out() -> None:
    a, b, c = picture(TUNED), picture(OTHER_TUNED), picture(HELD)
    corpus = labelled_corpus([a, b], [pair(a, b, False), pair(a, c, False)])
    assert len(corpus.pairs) == 1
    assert labelled_corpus([], [pair(a, b, False)]).pairs.shape == (0, 2)
