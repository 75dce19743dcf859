"""The ledger's queries behind `image-assets status` and the last lines of `run`: partners and releases at a glance.

Does not belong here: anything that decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from resources.ledger.connection import Connection


@dataclass(frozen=True)
class PartnerOverview:
    """One partner: its applied catalogue, its images by outcome, and what waits."""

    partner_id: str
    version: str | None
    entries: int
    available: int
    rejected: int
    failed: int
    queued_fetches: int
    queued_fingerprints: int


@dataclass(frozen=True)
class ReleaseOverview:
    """One data release: what it sees, how many shards are built, when it was published."""

    release_id: str
    outcome: str | None
    message: str | None
    hotels: int
    images: int
    shards_built: int
    published_at: str | None
    manifest_key: str | None


def partners_overview(connection: Connection) -> list[PartnerOverview]:
    """All partners, in name order."""
    rows = connection.execute(
        """SELECT partner_id, version, coalesce(entries, 0), coalesce(available, 0), coalesce(rejected, 0),
                  coalesce(failed, 0), coalesce(fetches, 0), coalesce(contents, 0)
           FROM partner_catalogues
           LEFT JOIN (SELECT partner_id, count(*) AS entries FROM catalogue_entries GROUP BY 1) AS e USING (partner_id)
           LEFT JOIN (SELECT partner_id, count(*) FILTER (WHERE outcome = 'available') AS available,
                          count(*) FILTER (WHERE outcome = 'rejected') AS rejected,
                          count(*) FILTER (WHERE outcome = 'failed') AS failed
                      FROM fetch_results GROUP BY 1) AS r USING (partner_id)
           LEFT JOIN (SELECT partner_id, count(*) AS fetches FROM fetch_queue GROUP BY 1) AS q USING (partner_id)
           LEFT JOIN (SELECT partner_id, count(*) AS contents FROM fingerprint_queue GROUP BY 1) AS f
               USING (partner_id)
           ORDER BY partner_id"""
    )
    return [PartnerOverview(*row) for row in rows]


def failed_images(connection: Connection) -> dict[str, dict[str, int]]:
    """partner -> reason -> images whose attempts failed, partners by name, the most frequent reason first."""
    rows = connection.execute(
        """SELECT partner_id, reason, count(*) FROM fetch_results WHERE outcome = 'failed'
           GROUP BY partner_id, reason ORDER BY partner_id, count(*) DESC, reason"""
    )
    failed: dict[str, dict[str, int]] = {}
    for partner_id, reason, count in rows:
        failed.setdefault(partner_id, {})[reason] = count
    return failed


def refused_images(connection: Connection) -> dict[str, int]:
    """reason -> images of all partners that were rejected for it, the most frequent reason first."""
    rows = connection.execute(
        """SELECT reason, count(*) FROM fetch_results WHERE outcome = 'rejected'
           GROUP BY reason ORDER BY count(*) DESC, reason"""
    )
    return dict(rows.fetchall())


def releases_overview(connection: Connection, shards: Sequence[str], limit: int = 5) -> list[ReleaseOverview]:
    """The newest releases, newest first; of `shards` (the present ones) counts how many are built."""
    rows = connection.execute(
        """SELECT release_id, outcome, message, hotels, images, coalesce(shards, 0),
                  to_char(published_at, 'YYYY-MM-DD HH24:MI:SS "UTC"'), manifest_key
           FROM data_releases
           LEFT JOIN published_releases USING (release_id)
           LEFT JOIN (SELECT release_id, count(*) AS shards FROM shard_builds
                      WHERE stage = 'renditions' AND shard = ANY(%s) GROUP BY release_id) AS built USING (release_id)
           ORDER BY release_id DESC LIMIT %s""",
        [list(shards), limit],
    )
    return [ReleaseOverview(*row) for row in rows]
