"""The ledger's queries on what is still to do, for all partners at once: cheap enough for every sensor tick.

Does not belong here: what the store offers, and the decision what to run.
"""

from __future__ import annotations

from dataclasses import dataclass

from resources.ledger.connection import Connection


@dataclass(frozen=True)
class PartnerState:
    """What is applied for a partner, what came of its last catalogue versions, and its queues' lengths."""

    version: str | None
    etag: str | None
    screening: str | None
    fingerprint_method: str | None
    queued_fetches: int
    queued_fingerprints: int


@dataclass(frozen=True)
class CatalogueOutcome:
    """What came of one catalogue file: `applied`, `held` or `unreadable`, and why."""

    etag: str
    outcome: str
    message: str | None


def partner_states(connection: Connection) -> dict[str, PartnerState]:
    """All partners the ledger knows."""
    rows = connection.execute(
        """SELECT partner_id, version, etag, screening, fingerprint_method,
                  coalesce(fetches.waiting, 0), coalesce(contents.waiting, 0)
           FROM partner_catalogues
           LEFT JOIN (SELECT partner_id, count(*) AS waiting FROM fetch_queue GROUP BY partner_id) AS fetches
               USING (partner_id)
           LEFT JOIN (SELECT partner_id, count(*) AS waiting FROM fingerprint_queue GROUP BY partner_id) AS contents
               USING (partner_id)"""
    )
    return {row[0]: PartnerState(*row[1:]) for row in rows}


def catalogue_outcomes(connection: Connection, versions: list[tuple[str, str]]) -> dict[str, CatalogueOutcome]:
    """partner -> what came of the given (partner, version); partners whose version was never read are left out."""
    rows = connection.execute(
        """SELECT partner_id, etag, outcome, message FROM catalogue_versions
           JOIN unnest(%s::text[], %s::text[]) AS wanted (partner_id, version) USING (partner_id, version)""",
        [[partner for partner, _ in versions], [version for _, version in versions]],
    )
    return {row[0]: CatalogueOutcome(*row[1:]) for row in rows}
