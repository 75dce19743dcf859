"""The ledger's queries on what came of fetches: micro-batches of results, what servers said, and what failed.

Does not belong here: the queue (fetch_queue), contents and fingerprints (images), screening.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from resources.ledger.connection import Connection, copy_rows

FEWEST_FAILED_RECHECKS = 5
LEAST_FAILING_DAYS = 30
"""A picture is given up after at least so many failed rechecks in a row that lasted at least so many days."""


@dataclass(frozen=True)
class FetchResult:
    """What came of one queued image. With `sha256` (hex) its bytes are kept, in `format`, `width` x `height` pixels.

    `outcome`: `available`, `rejected`, `failed`, or `unchanged` when a revalidated picture is as it was. What is not
    `conclusive` says nothing about a picture that is there already.
    """

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
    etag: str | None = None
    last_modified: str | None = None
    robots_tag: str | None = None
    conclusive: bool = True


class Failure(NamedTuple):
    """An image that is not available; `url` is shown without user name and password.

    sha256 (hex), format, width, height (pixels): of what was refused for a limit, whose bytes are kept.
    """

    outcome: str
    reason: str
    attempts: int
    status: int | None
    url: str
    sha256: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None


def record_fetches(connection: Connection, partner_id: str, results: Sequence[FetchResult], method: str) -> set[str]:
    """Write a micro-batch in one transaction: contents, results, the fingerprint queue; and shorten the fetch queue.

    The objects must be durable in the store before. An image that left the catalogue meanwhile is forgotten. A picture
    that is unchanged keeps its result; one whose content was lost meanwhile stays queued. A picture whose recheck was
    not conclusive keeps its result too, unless that has lasted too long; the keys of those that keep it are returned.
    Doing it again changes nothing.
    """
    with connection.transaction():
        _add_contents(connection, results)
        doubtful = [r for r in results if r.outcome == "unchanged" or not r.conclusive]
        known = _known_pictures(connection, partner_id, doubtful)
        over = [r for r in results if r.outcome != "unchanged" or r.fetch_key in known]
        done = connection.execute(
            """DELETE FROM fetch_queue WHERE partner_id = %s AND fetch_key = ANY(%s::uuid[])
               RETURNING fetch_key::text""",
            [partner_id, [r.fetch_key for r in over]],
        ).fetchall()
        still_wanted = {row[0] for row in done}
        asked_again = [r for r in over if r.fetch_key in known & still_wanted]
        _touch_headers(connection, partner_id, [r for r in asked_again if r.outcome == "unchanged"])
        failed = [r.fetch_key for r in asked_again if r.outcome != "unchanged"]
        kept = _count_failed_rechecks(connection, partner_id, failed)
        new = [r for r in over if r.fetch_key in still_wanted - known | set(failed) - kept]
        _replace_results(connection, partner_id, new)
        _replace_headers(connection, partner_id, new)
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
    return kept


def _add_contents(connection: Connection, results: Collection[FetchResult]) -> None:
    """In the order of their digests, so that two partners' batches never wait for each other."""
    kept = sorted((bytes.fromhex(sha256), r) for sha256, r in {r.sha256: r for r in results}.items() if sha256)
    connection.execute(
        """INSERT INTO raw_images (sha256, format, width, height, bytes)
           SELECT * FROM unnest(%s::bytea[], %s::text[], %s::int[], %s::int[], %s::bigint[]) ON CONFLICT DO NOTHING""",
        [
            [sha256 for sha256, _ in kept],
            [r.format for _, r in kept],
            [r.width for _, r in kept],
            [r.height for _, r in kept],
            [r.bytes for _, r in kept],
        ],
    )


def _known_pictures(connection: Connection, partner_id: str, results: Sequence[FetchResult]) -> set[str]:
    """Those that are available already. Locked: whoever finds their content lost waits, and then queues them anew."""
    rows = connection.execute(
        """SELECT fetch_key::text FROM fetch_results
           WHERE partner_id = %s AND fetch_key = ANY(%s::uuid[]) AND outcome = 'available'
           ORDER BY fetch_key FOR UPDATE""",
        [partner_id, [r.fetch_key for r in results]],
    )
    return {row[0] for row in rows}


def _replace_results(connection: Connection, partner_id: str, results: Collection[FetchResult]) -> None:
    connection.execute(
        "DELETE FROM fetch_results WHERE partner_id = %s AND fetch_key = ANY(%s::uuid[])",
        [partner_id, [r.fetch_key for r in results]],
    )
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
        ),
    )


def _replace_headers(connection: Connection, partner_id: str, results: Collection[FetchResult]) -> None:
    """What a server said goes with what it sent; pictures judged again from the store keep theirs."""
    asked = [r for r in results if r.attempts]
    connection.execute(
        "DELETE FROM fetch_headers WHERE partner_id = %s AND fetch_key = ANY(%s::uuid[])",
        [partner_id, [r.fetch_key for r in asked]],
    )
    connection.execute(
        """INSERT INTO fetch_headers (partner_id, fetch_key, etag, last_modified, robots_tag, checked_at)
           SELECT %s, fetch_key, etag, last_modified, robots_tag, CASE WHEN available THEN now() END
           FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::bool[])
               AS said (fetch_key, etag, last_modified, robots_tag, available)
           WHERE available OR robots_tag IS NOT NULL""",
        [partner_id, *_columns(asked), [r.outcome == "available" for r in asked]],
    )


def _touch_headers(connection: Connection, partner_id: str, results: Collection[FetchResult]) -> None:
    connection.execute(
        """UPDATE fetch_headers AS known SET checked_at = now(),
               failed_rechecks = 0, failing_since = NULL, recheck_at = NULL,
               etag = coalesce(said.etag, known.etag),
               last_modified = coalesce(said.last_modified, known.last_modified)
           FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[])
               AS said (fetch_key, etag, last_modified, robots_tag)
           WHERE known.partner_id = %s AND known.fetch_key = said.fetch_key""",
        [*_columns(results), partner_id],
    )


def _count_failed_rechecks(connection: Connection, partner_id: str, fetch_keys: Sequence[str]) -> set[str]:
    """Count a failed recheck of each; returns those whose pictures stay for now.

    The pauses before they are asked for again double, up to a week. They end at whole hours, so that one run rechecks
    together what failed together.
    """
    rows = connection.execute(
        """UPDATE fetch_headers SET checked_at = now(), failed_rechecks = failed_rechecks + 1,
               failing_since = coalesce(failing_since, now()),
               recheck_at = date_trunc('hour', now()) + least(interval '7 days',
                   interval '1 hour' * (1 + 2 ^ least(failed_rechecks, 10)))
           WHERE partner_id = %s AND fetch_key = ANY(%s::uuid[])
           RETURNING fetch_key::text, failed_rechecks < %s OR failing_since > now() - make_interval(days => %s)""",
        [partner_id, fetch_keys, FEWEST_FAILED_RECHECKS, LEAST_FAILING_DAYS],
    )
    return {fetch_key for fetch_key, kept in rows if kept}


def _columns(results: Collection[FetchResult]) -> list[list[str | None]]:
    return [
        [r.fetch_key for r in results],
        [r.etag for r in results],
        [r.last_modified for r in results],
        [r.robots_tag for r in results],
    ]


def outcomes(connection: Connection, partner_id: str) -> list[tuple[str, str | None, int]]:
    """The partner's images by (outcome, reason), most frequent first."""
    return connection.execute(
        """SELECT outcome, reason, count(*) FROM fetch_results WHERE partner_id = %s
           GROUP BY outcome, reason ORDER BY count(*) DESC, outcome, reason""",
        [partner_id],
    ).fetchall()


def failures(connection: Connection, partner_id: str, reason: str | None = None) -> Iterator[Failure]:
    """The partner's images that are not available, by reason and URL; with `reason` those of one. In flat memory."""
    with connection.transaction(), connection.cursor("failures") as cursor:
        cursor.execute(
            """SELECT outcome, reason, attempts, status, regexp_replace(url, '//[^/?#]*@', '//') AS shown,
                   encode(raw.sha256, 'hex'), format, width, height
               FROM fetch_results AS result JOIN (
                   SELECT DISTINCT fetch_key, url FROM catalogue_entries WHERE partner_id = %(partner)s) AS entry
                   USING (fetch_key)
               LEFT JOIN raw_images AS raw USING (sha256)
               WHERE partner_id = %(partner)s AND outcome <> 'available'
                   AND (%(reason)s::text IS NULL OR reason = %(reason)s)
               ORDER BY outcome, reason, shown""",
            {"partner": partner_id, "reason": reason},
        )
        for row in cursor:
            yield Failure(*row)
