"""Certificates as the ledger keeps them, for tests of what they open."""

from __future__ import annotations

from image_assets.image_groups import Certificate, Policy
from image_assets.image_groups.certificate import GroupErrors, Share
from resources.ledger import Ledger
from resources.ledger.certificates import record_certificate


def good_certificate(policy: Policy, method: str, lower: float = 0.99, upper: float = 5e-5) -> Certificate:
    """A certificate that meets the default bounds, unless another bound is given."""
    recall, false = Share(99, 100, 10, 10, lower, 1.0), Share(0, 60_000, 300, 40_000, 0.0, upper)
    none = Share(0, 0, 0, 0, 0.0, 1.0)
    errors = GroupErrors(1, 8, 2, 0, 0)
    return Certificate(policy, method, "c1", recall, {"grey": recall}, false, false, {}, none, none, errors, None)


def keep(ledger: Ledger, certificate: Certificate) -> None:
    """Write it into the ledger, as an evaluation does."""
    with ledger.connect() as connection:
        record_certificate(connection, certificate.digest, certificate.fingerprint, certificate.content, "report.html")
