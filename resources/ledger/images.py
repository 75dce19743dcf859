"""The ledger's queries on contents: which are in the store, and their fingerprints still to make or made.

Does not belong here: the catalogue's entries (catalogues) and their fetches (fetch_results), hashing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from resources.ledger.connection import Connection, one_row


@dataclass(frozen=True)
class FingerprintRow:
    """A fingerprint and the features of one content, packed for the ledger."""

    sha256: str
    width: int
    height: int
    sharpness: float
    brightness: float
    contrast: float
    colourfulness: float
    crop_hashes: bytes
    luma: bytes


def known_contents(connection: Connection, sha256s: Sequence[str]) -> set[str]:
    """Those of the contents (hex) that are in the store already."""
    rows = connection.execute(
        "SELECT encode(sha256, 'hex') FROM raw_images WHERE sha256 = ANY(%s)", [[bytes.fromhex(s) for s in sha256s]]
    )
    return {row[0] for row in rows}


def requeue_for_method(connection: Connection, partner_id: str, method: str) -> None:
    """When the fingerprint method changed: queue all the partner's pictures, in catalogues and in loaded releases.

    It counts as changed until `record_method` says that all are done.
    """
    with connection.transaction():
        row = connection.execute(
            "SELECT fingerprint_method FROM partner_catalogues WHERE partner_id = %s FOR UPDATE", [partner_id]
        ).fetchone()
        if row is None or row[0] == method:
            return
        connection.execute(
            """INSERT INTO fingerprint_queue (partner_id, sha256)
               SELECT %(partner)s, sha256 FROM (
                   SELECT sha256 FROM fetch_results WHERE partner_id = %(partner)s AND outcome = 'available'
                   UNION
                   SELECT sha256 FROM release_images WHERE partner_id = %(partner)s) AS content
               WHERE NOT EXISTS (SELECT FROM fingerprints AS f WHERE f.sha256 = content.sha256 AND method = %(method)s)
                   AND NOT EXISTS (
                       SELECT FROM fingerprint_failures AS f WHERE f.sha256 = content.sha256 AND method = %(method)s)
               ON CONFLICT DO NOTHING""",
            {"partner": partner_id, "method": method},
        )


def record_method(connection: Connection, partner_id: str, method: str) -> None:
    """All the partner's pictures have their fingerprints by `method` now."""
    connection.execute(
        "UPDATE partner_catalogues SET fingerprint_method = %s WHERE partner_id = %s", [method, partner_id]
    )


def forget_contents(connection: Connection, sha256s: Sequence[str]) -> None:
    """Originals (hex) that are not in the store any more: their rows go, and what is still offered is fetched again."""
    if not sha256s:
        return
    gone = [bytes.fromhex(sha256) for sha256 in sha256s]
    with connection.transaction():
        connection.execute("DELETE FROM raw_images WHERE sha256 = ANY(%s)", [gone])
        connection.execute("DELETE FROM fingerprint_queue WHERE sha256 = ANY(%s)", [gone])
        connection.execute(
            """WITH lost AS (DELETE FROM fetch_results WHERE sha256 = ANY(%s) RETURNING partner_id, fetch_key)
               INSERT INTO fetch_queue (partner_id, fetch_key, url)
               SELECT DISTINCT ON (partner_id, fetch_key) partner_id, fetch_key, url
               FROM lost JOIN catalogue_entries USING (partner_id, fetch_key) ORDER BY partner_id, fetch_key, url
               ON CONFLICT DO NOTHING""",
            [gone],
        )


def queued_fingerprints(connection: Connection, partner_id: str, method: str, limit: int, after: str = "") -> list[str]:
    """A page of contents (hex) to fingerprint, in order, behind `after`. Empty when there are no more.

    Those that another partner's run has done meanwhile leave the queue, page by page: the queue is never read whole.
    """
    while True:
        rows = connection.execute(
            """SELECT encode(sha256, 'hex'), EXISTS (
                   SELECT FROM fingerprints AS known WHERE known.sha256 = queued.sha256 AND known.method = %s)
               FROM (SELECT sha256 FROM fingerprint_queue WHERE partner_id = %s AND sha256 > decode(%s, 'hex')
                     ORDER BY sha256 LIMIT %s) AS queued""",
            [method, partner_id, after, limit],
        ).fetchall()
        done = [bytes.fromhex(sha256) for sha256, known in rows if known]
        if done:
            connection.execute(
                "DELETE FROM fingerprint_queue WHERE partner_id = %s AND sha256 = ANY(%s)", [partner_id, done]
            )
        if len(done) < len(rows) or not rows:
            return [sha256 for sha256, known in rows if not known]
        after = rows[-1][0]


def count_queued_fingerprints(connection: Connection, partner_id: str) -> int:
    """How many contents of the partner wait for their fingerprint."""
    return int(one_row(connection, "SELECT count(*) FROM fingerprint_queue WHERE partner_id = %s", [partner_id])[0])


def record_fingerprints(
    connection: Connection,
    partner_id: str,
    method: str,
    fingerprints: Sequence[FingerprintRow],
    failures: Sequence[tuple[str, str]],
) -> None:
    """Write a micro-batch in one transaction; `failures` are (sha256 in hex, reason)."""
    contents = [bytes.fromhex(f.sha256) for f in fingerprints]
    with connection.transaction():
        connection.execute(
            """INSERT INTO fingerprints (method, sha256, width, height, sharpness, brightness, contrast,
                   colourfulness, crop_hashes, luma)
               SELECT %s, * FROM unnest(%s::bytea[], %s::int[], %s::int[], %s::float8[], %s::float8[], %s::float8[],
                   %s::float8[], %s::bytea[], %s::bytea[])
               ON CONFLICT DO NOTHING""",
            [
                method,
                contents,
                [f.width for f in fingerprints],
                [f.height for f in fingerprints],
                [f.sharpness for f in fingerprints],
                [f.brightness for f in fingerprints],
                [f.contrast for f in fingerprints],
                [f.colourfulness for f in fingerprints],
                [f.crop_hashes for f in fingerprints],
                [f.luma for f in fingerprints],
            ],
        )
        failed = [bytes.fromhex(sha256) for sha256, _ in failures]
        connection.execute(
            """INSERT INTO fingerprint_failures (method, sha256, reason)
               SELECT %s, * FROM unnest(%s::bytea[], %s::text[]) ON CONFLICT DO NOTHING""",
            [method, failed, [reason for _, reason in failures]],
        )
        connection.execute(
            "DELETE FROM fingerprint_queue WHERE partner_id = %s AND sha256 = ANY(%s)", [partner_id, contents + failed]
        )
