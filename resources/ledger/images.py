"""The ledger's queries on raw images and fingerprints: the queues of both stages and their results.

Does not belong here: fetching, screening, hashing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from resources.ledger.connection import Connection, copy_rows, one_row


class QueuedFetch(NamedTuple):
    """One image to fetch; with `sha256` (hex) the bytes are in the store already and only need judging again."""

    fetch_key: str
    url: str
    sha256: str | None


@dataclass(frozen=True)
class FetchResult:
    """What came of one queued image. With `sha256` (hex) its bytes are kept, in `format`, `width` x `height` pixels."""

    fetch_key: str
    outcome: str
    reason: str | None
    attempts: int
    status: int | None
    sha256: str | None
    format: str | None
    width: int | None
    height: int | None
    bytes: int


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


def requeue_for_limits(
    connection: Connection,
    partner_id: str,
    screening: str,
    limit_reasons: Sequence[str],
    minimum_short: int,
    minimum_long: int,
    max_pixels: int,
) -> int:
    """When the screening limits changed: queue, from the store, the images whose verdict they may turn; how many."""
    with connection.transaction():
        row = connection.execute(
            "SELECT screening FROM partner_catalogues WHERE partner_id = %s FOR UPDATE", [partner_id]
        ).fetchone()
        if row is None or row[0] == screening:
            return 0
        connection.execute(
            "UPDATE partner_catalogues SET screening = %s WHERE partner_id = %s", [screening, partner_id]
        )
        if row[0] is None:
            return 0
        turned = connection.execute(
            """WITH turned AS (
                   DELETE FROM fetch_results AS result USING raw_images AS image
                   WHERE result.partner_id = %(partner)s AND image.sha256 = result.sha256
                       AND (result.reason = ANY(%(reasons)s)
                            OR least(image.width, image.height) < %(short)s
                            OR greatest(image.width, image.height) < %(long)s
                            OR image.width::bigint * image.height > %(pixels)s)
                   RETURNING result.fetch_key, result.sha256)
               INSERT INTO fetch_queue (partner_id, fetch_key, url, sha256)
               SELECT DISTINCT ON (fetch_key) %(partner)s, fetch_key, entry.url, turned.sha256
               FROM turned JOIN catalogue_entries AS entry USING (fetch_key)
               WHERE entry.partner_id = %(partner)s
               ON CONFLICT DO NOTHING""",
            {
                "partner": partner_id,
                "reasons": list(limit_reasons),
                "short": minimum_short,
                "long": minimum_long,
                "pixels": max_pixels,
            },
        )
        return turned.rowcount


def queued_fetches(connection: Connection, partner_id: str, after: str | None, limit: int) -> list[QueuedFetch]:
    """A page of the partner's queue in key order, behind the key `after`."""
    rows = connection.execute(
        """SELECT fetch_key::text, url, encode(sha256, 'hex') FROM fetch_queue
           WHERE partner_id = %s AND (%s::uuid IS NULL OR fetch_key > %s::uuid) ORDER BY fetch_key LIMIT %s""",
        [partner_id, after, after, limit],
    ).fetchall()
    return [QueuedFetch(*row) for row in rows]


def count_queued_fetches(connection: Connection, partner_id: str) -> int:
    """How many of the partner's images wait to be fetched or judged."""
    return int(one_row(connection, "SELECT count(*) FROM fetch_queue WHERE partner_id = %s", [partner_id])[0])


def known_contents(connection: Connection, sha256s: Sequence[str]) -> set[str]:
    """Those of the contents (hex) that are in the store already."""
    rows = connection.execute(
        "SELECT encode(sha256, 'hex') FROM raw_images WHERE sha256 = ANY(%s)", [[bytes.fromhex(s) for s in sha256s]]
    )
    return {row[0] for row in rows}


def record_fetches(connection: Connection, partner_id: str, results: Sequence[FetchResult], method: str) -> None:
    """Write a micro-batch in one transaction: contents, results, the fingerprint queue; and shorten the fetch queue.

    The objects must be durable in the store before. An image that left the catalogue meanwhile is forgotten.
    """
    kept = {r.sha256: r for r in results if r.sha256 is not None}
    with connection.transaction():
        with connection.cursor() as cursor:
            cursor.executemany(
                """INSERT INTO raw_images (sha256, format, width, height, bytes)
                   VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
                [(bytes.fromhex(s), r.format, r.width, r.height, r.bytes) for s, r in sorted(kept.items())],
            )
        done = connection.execute(
            """DELETE FROM fetch_queue WHERE partner_id = %s AND fetch_key = ANY(%s::uuid[])
               RETURNING fetch_key::text""",
            [partner_id, [r.fetch_key for r in results]],
        ).fetchall()
        still_wanted = {row[0] for row in done}
        copy_rows(
            connection,
            "fetch_results",
            ("partner_id", "fetch_key", "outcome", "reason", "attempts", "status", "sha256"),
            (
                (
                    partner_id,
                    r.fetch_key,
                    r.outcome,
                    r.reason,
                    r.attempts,
                    r.status,
                    bytes.fromhex(r.sha256) if r.sha256 else None,
                )
                for r in results
                if r.fetch_key in still_wanted
            ),
        )
        connection.execute(
            """INSERT INTO fingerprint_queue (partner_id, sha256)
               SELECT DISTINCT %(partner)s, content FROM unnest(%(contents)s::bytea[]) AS content
               WHERE NOT EXISTS (SELECT FROM fingerprints WHERE sha256 = content AND method = %(method)s)
                   AND NOT EXISTS (SELECT FROM fingerprint_failures WHERE sha256 = content AND method = %(method)s)
               ON CONFLICT DO NOTHING""",
            {
                "partner": partner_id,
                "method": method,
                "contents": [bytes.fromhex(r.sha256) for r in results if r.sha256 and r.outcome == "available"],
            },
        )


def requeue_failed(connection: Connection, partner_id: str) -> int:
    """Give the partner's failed images one more round of attempts, without waiting for its next catalogue. How many."""
    return connection.execute(
        """WITH failed AS (
               DELETE FROM fetch_results WHERE partner_id = %(partner)s AND outcome = 'failed' RETURNING fetch_key)
           INSERT INTO fetch_queue (partner_id, fetch_key, url)
           SELECT DISTINCT ON (fetch_key) %(partner)s, fetch_key, url
           FROM failed JOIN catalogue_entries AS entry USING (fetch_key)
           WHERE entry.partner_id = %(partner)s ORDER BY fetch_key, url
           ON CONFLICT DO NOTHING""",
        {"partner": partner_id},
    ).rowcount


def outcomes(connection: Connection, partner_id: str) -> list[tuple[str, str | None, int]]:
    """The partner's images by (outcome, reason), most frequent first."""
    return connection.execute(
        """SELECT outcome, reason, count(*) FROM fetch_results WHERE partner_id = %s
           GROUP BY outcome, reason ORDER BY count(*) DESC, outcome, reason""",
        [partner_id],
    ).fetchall()


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


def queued_fingerprints(connection: Connection, partner_id: str, method: str, limit: int) -> list[str]:
    """A page of contents (hex) to fingerprint. Those another partner's run has done meanwhile leave the queue."""
    connection.execute(
        """DELETE FROM fingerprint_queue AS queued USING fingerprints AS done
           WHERE queued.partner_id = %s AND done.sha256 = queued.sha256 AND done.method = %s""",
        [partner_id, method],
    )
    rows = connection.execute(
        "SELECT encode(sha256, 'hex') FROM fingerprint_queue WHERE partner_id = %s ORDER BY sha256 LIMIT %s",
        [partner_id, limit],
    )
    return [row[0] for row in rows]


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
