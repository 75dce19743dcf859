"""Where a release takes each partner's pictures from: the ledger as it is, or an earlier release it passed.

Does not belong here: the gate `failed_share` itself (raw_images judges it).
"""

from __future__ import annotations

from resources.ledger.connection import Connection
from resources.ledger.gates import FAILED_SHARE
from resources.ledger.release_tables import execute_named


def choose_sources(connection: Connection, release_id: str) -> None:
    """Choose for each partner whose gate is closed the last release it passed: its pictures come from there.

    When that release is not kept any more, they come from the oldest kept one, which carries them on. A partner that
    never passed gives none.
    """
    with connection.transaction():
        connection.execute("DELETE FROM release_partners WHERE release_id = %s", [release_id])
        execute_named(
            connection,
            release_id,
            """INSERT INTO release_partners (release_id, partner_id, passed, taken_from)
               SELECT %(release)s, partner_id, NOT closed, CASE WHEN closed THEN (
                   SELECT known.release_id FROM release_partners AS known
                   JOIN data_releases AS loaded USING (release_id)
                   WHERE known.partner_id = partner.partner_id AND known.release_id < %(release)s
                       AND loaded.frozen IS NOT NULL
                   ORDER BY known.passed DESC, CASE WHEN known.passed THEN known.release_id END DESC, known.release_id
                   LIMIT 1) END
               FROM (SELECT partner_id, EXISTS (
                         SELECT FROM gates WHERE asset = 'raw_images' AND gate = %(gate)s
                             AND partition_key = partner_id AND NOT passed AND NOT accepted) AS closed
                     FROM partner_catalogues WHERE EXISTS (
                         SELECT FROM {keyed} AS listed WHERE listed.partner_id = partner_catalogues.partner_id)
                    ) AS partner""",
            {"release": release_id, "gate": FAILED_SHARE},
        )


def take_from_earlier(connection: Connection, release_id: str, method: str) -> None:
    """Add to the release's images those of the partners whose gate is closed."""
    execute_named(
        connection,
        release_id,
        """INSERT INTO {new_images} (release_id, bucket, hotel_id, partner_id, accommodation_id, url,
               sha256, position)
           SELECT %(release)s, ('x' || left(md5(listed.hotel_id), 4))::bit(16)::int, listed.hotel_id, partner_id,
               accommodation_id, url, sha256, position
           FROM {keyed} AS listed
           JOIN release_partners AS held USING (partner_id)
           JOIN release_images AS earlier USING (partner_id, accommodation_id)
           WHERE held.release_id = %(release)s AND earlier.release_id = held.taken_from AND EXISTS (
               SELECT FROM fingerprints AS known WHERE known.sha256 = earlier.sha256 AND known.method = %(method)s)""",
        {"release": release_id, "method": method},
    )


def held_partners(connection: Connection, release_id: str) -> dict[str, str | None]:
    """partner -> the earlier release whose pictures of it this release sees, None for no pictures at all."""
    rows = connection.execute(
        """SELECT partner_id, taken_from FROM release_partners WHERE release_id = %s AND NOT passed
           ORDER BY partner_id""",
        [release_id],
    )
    return dict(rows.fetchall())


def last_passed(connection: Connection, partner_id: str) -> str | None:
    """The newest release that sees the partner's own pictures of its time; None when there is none."""
    row = connection.execute(
        "SELECT max(release_id) FROM release_partners WHERE partner_id = %s AND passed", [partner_id]
    ).fetchone()
    return None if row is None else row[0]
