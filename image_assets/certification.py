"""Whether images may be grouped by the present policy: the certificate that counts, and the gate that follows.

Belongs here: reading the certificates of the ledger, for everything that asks (the gate, `pending_work`, the summary of
a release, `status`, `doctor`). Does not belong here: the rule (`image_groups.certificate`), making certificates
(`image_assets.corpus.evaluating`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from image_assets.image_groups.certificate import Certificate, certificate_for, certificate_of, shortcoming
from image_assets.methods import Methods, input_digest
from resources.ledger import Connection
from resources.ledger.certificates import own_certificates
from resources.ledger.gates import POLICY_CERTIFIED, Gate

WHAT_TO_DO = (
    "`image-assets corpus build`, then `corpus evaluate` measure the policy on your own pictures; `corpus tune` "
    "proposes a threshold; `grouping:` in partners.yaml sets policy and bounds (docs/same-picture-guarantee.md)."
)


@dataclass(frozen=True)
class Certification:
    """What certifies `policy`. problem: why images must not be grouped by it; None when they may."""

    policy: str
    certificate: Certificate | None
    problem: str | None
    digest: str

    @property
    def line(self) -> str:
        """For people: what is certified, or why nothing is."""
        if self.problem is not None or self.certificate is None:
            return f"not certified: {self.problem}"
        recall, false = self.certificate.recall, self.certificate.false_merges
        return (
            f"policy {self.policy} is certified: at least {recall.lower:.2%} of edited copies found, at most "
            f"{false.upper:.2g} of different pictures merged (95 %; {recall.pairs:,} and {false.pairs:,} pairs of "
            f"{false.sources:,} pictures, which make {false.picture_pairs:,} pairs)"
        )

    @property
    def content(self) -> dict[str, Any]:
        """As a release's summary tells it: the certificate, if there is one, and whether it is good enough."""
        figures = self.certificate.content if self.certificate is not None else {}
        return {"good_enough": self.problem is None, "problem": self.problem, **figures}

    def gate(self, partition_key: str, stage_digest: str) -> Gate:
        """The gate of a shard of `image_groups` whose other input is named by `stage_digest`."""
        message = self.line if self.problem is None else f"Images are not grouped: {self.problem}. {WHAT_TO_DO}"
        return Gate(
            "image_groups",
            partition_key,
            POLICY_CERTIFIED,
            self.gate_digest(stage_digest),
            self.problem is None,
            message,
        )

    def gate_digest(self, stage_digest: str) -> str:
        """Changes when the gate may judge otherwise."""
        return input_digest(stage_digest, self.digest)


def certification(connection: Connection, methods: Methods) -> Certification:
    """What certifies the present policy on the present fingerprints."""
    own = [certificate_of(content) for content in own_certificates(connection)]
    found = certificate_for(methods.policy, methods.fingerprint, own)
    problem = shortcoming(methods.policy, methods.fingerprint, found, methods.required)
    certificate = found if isinstance(found, Certificate) else None
    required = f"{methods.required.max_false_merge_rate!r}/{methods.required.min_recall!r}"
    digest = input_digest(str(methods.policy), required, certificate.digest if certificate else str(problem))
    return Certification(str(methods.policy), certificate, problem, digest)
