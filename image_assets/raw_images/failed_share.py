"""The rule of the gate `failed_share`. Does not belong here: what a closed gate does (freezing, in the ledger)."""

from __future__ import annotations

FROM_ATTEMPTS = 100
"""Below so many attempted images a share says little."""


def failed_share(available: int, failed: int, most: float) -> tuple[float, bool, str]:
    """(share, whether the gate is open, why) of a partner with so many images `available` and `failed`.

    Refused content is not counted: it says nothing about the partner's servers.
    """
    attempted = available + failed
    share = failed / attempted if attempted else 0.0
    passed = attempted < FROM_ATTEMPTS or share <= most
    return (
        share,
        passed,
        f"{failed:,} of {attempted:,} attempted images failed ({share:.0%}, limit {most:.0%} from {FROM_ATTEMPTS} "
        "attempts up).",
    )
