"""The ledger's queries on what is still to do, for all partners at once: cheap enough for every sensor tick.

Does not belong here: what the store offers, and the decision what to run.
"""

from __future__ import annotations

from dataclasses import dataclass

from resources.ledger.connection import Connection

# Who has most to do comes first; on the first day, when everything is queued, no tick counts 35 million rows for that.
MOST_COUNTED = 2_000


@dataclass(frozen=True)
class PartnerState:
    """What is applied for a partner, and how much waits in its queues, counted up to MOST_COUNTED each."""

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
    # Counted in the order of the index, or PostgreSQL scans a queue to find nothing of a partner.
    rows = connection.execute(
        """SELECT partner_id, version, etag, screening, fingerprint_method,
                  (SELECT count(*) FROM (SELECT FROM fetch_queue AS queued
                      WHERE queued.partner_id = known.partner_id ORDER BY fetch_key LIMIT %(most)s) AS fetches),
                  (SELECT count(*) FROM (SELECT FROM fingerprint_queue AS queued
                      WHERE queued.partner_id = known.partner_id ORDER BY sha256 LIMIT %(most)s) AS contents)
           FROM partner_catalogues AS known""",
        {"most": MOST_COUNTED},
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
