"""A certificate and a proposal as lines of text for the terminal.

Pure. Does not belong here: the same as a page (`dedup_quality.report`).
"""

from __future__ import annotations

from collections.abc import Iterator

from image_assets.corpus.tuning import Proposal
from image_assets.dedup_quality.bounds import trials_for
from image_assets.dedup_quality.evaluation import CurvePoint, Mix, precision_of
from image_assets.image_groups.certificate import Certificate, Requirements, Share


def certificate_lines(certificate: Certificate, required: Requirements) -> Iterator[str]:
    """The whole certificate; the worst edits first."""
    yield f"policy {certificate.policy} on {certificate.fingerprint} fingerprints, corpus {certificate.corpus}"
    for edit, share in sorted(certificate.by_edit.items(), key=lambda item: (item[1].rate, item[0])):
        yield f"  {edit:<30} {share.rate:>8.2%}  at least {share.lower:>7.2%}  {_behind(share)}"
    for kind, share in sorted(certificate.by_kind.items()):
        merged = f"{share.hits:,} merged"
        yield (
            f"  different, {kind:<25} {merged:>8}  at most {share.upper:>8.2g}  {_behind(share)}, "
            f"{share.picture_pairs:,} pairs of them"
        )
    if certificate.labelled.pairs:
        yield f"  same pairs that were imported: {certificate.labelled.hits:,} found of {_behind(certificate.labelled)}"
    if certificate.decided.pairs:
        yield f"  decided by people: agrees with {certificate.decided.hits:,} of {_behind(certificate.decided)}"
    groups = certificate.groups
    yield (
        f"groups: {groups.wrong_merges:,} wrong and {groups.missed_merges:,} missed merges among {groups.images:,} "
        f"images of {groups.sources:,} pictures in {groups.hotels:,} hotels made of them"
    )
    recall, false = certificate.recall, certificate.false_merges
    yield (
        f"recall over the edits: {recall.rate:.2%} of {_behind(recall)}; at least {recall.lower:.2%} "
        f"(95 %, required {required.min_recall:.1%})"
    )
    enough = trials_for(required.max_false_merge_rate)
    yield (
        f"false merges: {false.hits:,} of {_behind(false)}; a rate of at most {false.upper:.2g} "
        f"(95 %, required {required.max_false_merge_rate:g})"
        + (f"; without a mistake {enough:,} pairs are enough" if false.pairs < enough else "")
    )
    confused = certificate.confused_pictures
    yield (
        f"  behind them {confused.pairs:,} pairs of pictures, {confused.hits:,} of them confused in any copy; if "
        f"copies told nothing new, a rate of at most {confused.upper:.2g}"
    )
    if certificate.precision is None:
        yield "precision: not known, no hotel is grouped yet"
    else:
        mix = certificate.precision
        yield (
            f"precision: {mix.rate:.3%}, at least {mix.lower:.3%}, for {mix.same_pairs:,} same and "
            f"{mix.different_pairs:,} different pairs inside {mix.hotels:,} hotels"
        )


def _behind(share: Share) -> str:
    return f"{share.pairs:,} pairs of {share.sources:,} pictures"


def proposal_lines(proposal: Proposal) -> Iterator[str]:
    """What is proposed, what it would change, and how to accept it."""
    if proposal.mix is not None:
        yield (
            f"inside {proposal.mix.hotels:,} hotels: {proposal.mix.same:,} pairs of the same picture and "
            f"{proposal.mix.different:,} of different ones, as grouped now"
        )
    for name, point in (("now", proposal.now), ("proposed", proposal.best)):
        if point is not None:
            yield f"{name:<9} {_on_the_curve(point, proposal.mix)}"
    if proposal.best is None and proposal.mix is None:
        yield "No hotel is grouped yet: without the mix of pairs inside hotels a precision cannot be promised."
    if proposal.best is None:
        yield "No threshold meets that on the tuning half: more pairs would bound it more tightly, or ask for less."
        return
    changes = proposal.changes
    if changes is None or not changes.hotels:
        yield "No data release is loaded, so there are no groups that would change."
    else:
        yield (
            f"of {changes.hotels:,} hotels {changes.hotels_changed:,} would change: {changes.groups_joined:,} groups "
            f"made of several, {changes.groups_split:,} taken apart"
        )
        for example in changes.examples:
            yield f"  {example.hotel_id}: {'joins' if example.joins else 'takes apart'} {' '.join(example.urls)}"
    yield (
        "To accept it, write into partners.yaml:   "
        f"grouping: {{rule: {proposal.policy.rule}, threshold: {proposal.best.threshold:g}, "
        f"mirrored: {str(proposal.policy.mirrored).lower()}}}"
    )
    yield "and prove it on the half that was not looked at here:   image-assets corpus evaluate"


def _on_the_curve(point: CurvePoint, mix: Mix | None) -> str:
    recall, false = point.recall, point.false_merges
    precision = "" if mix is None else f", precision at least {precision_of(recall, false, mix).lower:.3%}"
    return (
        f"threshold {point.threshold:<6g} recall {recall.rate:.2%} (at least {recall.lower:.2%}), false merges "
        f"{false.hits:,} of {false.pairs:,} (at most {false.upper:.2g}; {false.picture_pairs:,} pairs of pictures)"
        f"{precision}"
    )
