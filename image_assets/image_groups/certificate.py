"""Certificates: what a policy was measured to do on labelled pairs, and whether that is enough to group by.

Belongs here: the figures, their JSON, which certificate counts, and the rule of the gate. Does not belong here: making
them (`image_assets.dedup_quality`), and where they are kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any

from image_assets.image_groups.similarity import Policy

BUILT_IN = "built_in_certificates.json"


@dataclass(frozen=True)
class Share:
    """`hits` of `pairs`; `lower` and `upper` bound the rate (95 %, exact, as if each pair were a trial of its own).

    sources: different source pictures behind the pairs. picture_pairs: different pairs of these; a picture with itself
    is one.
    """

    hits: int
    pairs: int
    sources: int
    picture_pairs: int
    lower: float
    upper: float

    @property
    def rate(self) -> float:
        """The share that was seen; 0 of nothing."""
        return self.hits / self.pairs if self.pairs else 0.0


@dataclass(frozen=True)
class Precision:
    """How many of the merged pairs are right, worked out for a mix of same and different pairs inside hotels.

    lower: with the lower bound of the recall and the upper bound of the false-merge rate.
    """

    hotels: int
    same_pairs: int
    different_pairs: int
    rate: float
    lower: float


@dataclass(frozen=True)
class GroupErrors:
    """What groups of held-out pictures came to, in `hotels` made up of them.

    wrong_merges: how often a group holds one more picture than it should: pictures lost. missed_merges: how often a
    picture is in one more group than it should: pictures shown twice.
    """

    hotels: int
    images: int
    sources: int
    wrong_merges: int
    missed_merges: int


@dataclass(frozen=True)
class Certificate:
    """What `policy` does with fingerprints of the method `fingerprint`, measured on the held-out half of `corpus`.

    recall: over the generated edits, and `by_edit` for each of them (an edit that the policy does not merge is there,
    and not in `recall`). false_merges: over the different pairs that were generated or imported, and `by_kind`, by how
    the pair was found. confused_pictures: the same, with all pairs of two source pictures and their copies as one
    trial, which is a hit when any of them is merged. labelled: of imported same pairs those found. decided: of the
    pairs that people decided those that the policy decides alike; they are chosen because a policy was wrong, so they
    take no part in a rate.
    """

    policy: Policy
    fingerprint: str
    corpus: str
    recall: Share
    by_edit: Mapping[str, Share]
    false_merges: Share
    confused_pictures: Share
    by_kind: Mapping[str, Share]
    labelled: Share
    decided: Share
    groups: GroupErrors
    precision: Precision | None

    @property
    def content(self) -> dict[str, Any]:
        """As it is kept and published."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """Names the certificate: equal figures on an equal corpus give an equal one."""
        return hashlib.sha256(json.dumps(self.content, sort_keys=True).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Requirements:
    """The bounds that a certificate must meet: at most so many false merges, at least so much recall."""

    max_false_merge_rate: float = 1e-4
    min_recall: float = 0.97


@dataclass(frozen=True)
class EarlierCertificate:
    """A certificate that an earlier release of this package made, with other figures: it proves nothing any more."""

    policy: Policy
    fingerprint: str


def certificate_of(content: Mapping[str, Any]) -> Certificate | EarlierCertificate:
    """The certificate that `Certificate.content` gave, now or in an earlier release of this package."""
    try:
        return _certificate_of(content)
    except (KeyError, TypeError):
        asked = content["policy"]
        policy = Policy(asked["rule"], asked["version"], asked["threshold"], asked["mirrored"])
        return EarlierCertificate(policy, content["fingerprint"])


def _certificate_of(content: Mapping[str, Any]) -> Certificate:
    shares = {
        name: Share(**content[name]) for name in ("recall", "false_merges", "confused_pictures", "labelled", "decided")
    }
    return Certificate(
        policy=Policy(**content["policy"]),
        fingerprint=content["fingerprint"],
        corpus=content["corpus"],
        by_edit={name: Share(**share) for name, share in content["by_edit"].items()},
        by_kind={name: Share(**share) for name, share in content["by_kind"].items()},
        groups=GroupErrors(**content["groups"]),
        precision=Precision(**content["precision"]) if content["precision"] else None,
        **shares,
    )


@cache
def built_in_certificates() -> tuple[Certificate, ...]:
    """The certificates that the package brings; `make certificates` makes them again, byte for byte."""
    text = resources.files("image_assets.image_groups").joinpath(BUILT_IN).read_text()
    return tuple(_certificate_of(content) for content in json.loads(text))


def certificate_for(
    policy: Policy, fingerprint: str, own: Sequence[Certificate | EarlierCertificate]
) -> Certificate | EarlierCertificate | None:
    """The certificate that counts for a policy: the user's own, the last of `own`, before the one the package brings.

    One of another version of the rule is given only when there is no better; None when none speaks of this rule,
    threshold and fingerprint at all.
    """
    known = [
        certificate
        for certificate in (*built_in_certificates(), *own)
        if certificate.fingerprint == fingerprint
        and _apart_from_version(certificate.policy) == _apart_from_version(policy)
    ]
    present = [certificate for certificate in known if certificate.policy.version == policy.version]
    return next(reversed(present or known), None)


def shortcoming(
    policy: Policy,
    fingerprint: str,
    certificate: Certificate | EarlierCertificate | None,
    required: Requirements,
) -> str | None:
    """Why images must not be grouped by a policy, given the certificate that counts for it; None when they may."""
    if certificate is None:
        return f"nothing certifies policy {policy} on {fingerprint} fingerprints"
    if certificate.policy.version != policy.version:
        return (
            f"the certificate of policy {policy} is for version {certificate.policy.version} of its rule, "
            f"which is at version {policy.version} now"
        )
    if isinstance(certificate, EarlierCertificate):
        return (
            f"the certificate of policy {policy} is from an earlier release of this package, which counted otherwise: "
            "build the corpus and evaluate it again"
        )
    missed = []
    if certificate.false_merges.upper > required.max_false_merge_rate:
        missed.append(
            f"at most {required.max_false_merge_rate:g} of different pictures may be merged, and it bounds that by "
            f"{certificate.false_merges.upper:.2g} ({_counted(certificate.false_merges)}, "
            f"{certificate.false_merges.picture_pairs:,} pairs of them)"
        )
    if certificate.recall.lower < required.min_recall:
        missed.append(
            f"at least {required.min_recall:.1%} of edited copies must be found, and it bounds that by "
            f"{certificate.recall.lower:.2%} ({_counted(certificate.recall)})"
        )
    return f"the certificate of policy {policy} is not good enough: {'; '.join(missed)}" if missed else None


def _counted(share: Share) -> str:
    return f"{share.hits:,} of {share.pairs:,} pairs, {share.sources:,} pictures"


def _apart_from_version(policy: Policy) -> tuple[str, float, bool]:
    return policy.rule, policy.threshold, policy.mirrored
