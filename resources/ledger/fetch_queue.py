"""The ledger's queries on what is still to be fetched: each partner's queue, drawn host by host, and what refills it.

Does not belong here: queueing what a new catalogue brings (catalogues), what came of the fetches (fetch_results).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple

from resources.ledger.connection import Connection, one_row

ROBOTS_TAG = "robots_tag"
"""The reason of pictures whose servers opt out, where that is obeyed; known here since the choice may change."""


class QueuedFetch(NamedTuple):
    """One image to fetch; with `sha256` (hex) the bytes are in the store already and only need judging again.

    `host` is the line it is drawn from. `etag` and `last_modified` are set when the picture is available and only to be
    revalidated.
    """

    fetch_key: str
    url: str
    sha256: str | None
    host: str = ""
    etag: str | None = None
    last_modified: str | None = None


def requeue_for_screening(
    connection: Connection,
    partner_id: str,
    screening: str,
    limit_reasons: Sequence[str],
    minimum_short: int,
    minimum_long: int,
    max_pixels: int,
    formats: Sequence[str],
    obey_robots_tag: bool,
) -> None:
    """When the partner's limits or its choice on opt-outs changed: queue, from the store, what they may turn.

    Pictures whose servers opt out are refused, or fetched after all, as the choice is now.
    """
    with connection.transaction():
        row = connection.execute(
            "SELECT screening FROM partner_catalogues WHERE partner_id = %s FOR UPDATE", [partner_id]
        ).fetchone()
        if row is None or row[0] == screening:
            return
        connection.execute(
            "UPDATE partner_catalogues SET screening = %s WHERE partner_id = %s", [screening, partner_id]
        )
        if row[0] is None:
            return
        connection.execute(
            """WITH turned AS (
                   DELETE FROM fetch_results AS result USING raw_images AS image
                   WHERE result.partner_id = %(partner)s AND image.sha256 = result.sha256
                       AND (result.reason = ANY(%(reasons)s)
                            OR least(image.width, image.height) < %(short)s
                            OR greatest(image.width, image.height) < %(long)s
                            OR image.width::bigint * image.height > %(pixels)s
                            OR image.format <> ALL(%(formats)s))
                   RETURNING result.fetch_key, result.sha256)
               INSERT INTO fetch_queue (partner_id, fetch_key, url, sha256)
               SELECT DISTINCT ON (fetch_key) %(partner)s, fetch_key, entry.url, turned.sha256
               FROM turned JOIN catalogue_entries AS entry USING (fetch_key)
               WHERE entry.partner_id = %(partner)s
               ON CONFLICT (partner_id, fetch_key) DO UPDATE SET sha256 = excluded.sha256""",
            {
                "partner": partner_id,
                "reasons": list(limit_reasons),
                "short": minimum_short,
                "long": minimum_long,
                "pixels": max_pixels,
                "formats": list(formats),
            },
        )
        if obey_robots_tag:
            connection.execute(
                """UPDATE fetch_results AS result SET outcome = 'rejected', reason = %s, sha256 = NULL
                   FROM fetch_headers AS said
                   WHERE result.partner_id = %s AND result.outcome = 'available' AND said.robots_tag IS NOT NULL
                       AND (said.partner_id, said.fetch_key) = (result.partner_id, result.fetch_key)""",
                [ROBOTS_TAG, partner_id],
            )
        else:
            requeue(connection, partner_id, [ROBOTS_TAG])


def requeue(connection: Connection, partner_id: str, reasons: Sequence[str] | None = None) -> int:
    """Give images one more round of attempts, without waiting for the partner's next catalogue. How many.

    All that failed; or those, failed or rejected, with one of the `reasons`.
    """
    return connection.execute(
        """WITH again AS (
               DELETE FROM fetch_results WHERE partner_id = %(partner)s AND outcome <> 'available'
                   AND CASE WHEN %(reasons)s::text[] IS NULL THEN outcome = 'failed' ELSE reason = ANY(%(reasons)s) END
               RETURNING fetch_key)
           INSERT INTO fetch_queue (partner_id, fetch_key, url)
           SELECT DISTINCT ON (fetch_key) %(partner)s, fetch_key, url
           FROM again JOIN catalogue_entries AS entry USING (fetch_key)
           WHERE entry.partner_id = %(partner)s ORDER BY fetch_key, url
           ON CONFLICT DO NOTHING""",
        {"partner": partner_id, "reasons": None if reasons is None else list(reasons)},
    ).rowcount


def queue_rechecks(connection: Connection, partner_id: str) -> int:
    """Queue all available pictures of the partner to be revalidated. How many.

    Their results stay until something else is known.
    """
    return _queue_rechecks(connection, partner_id, "true", {})


def queue_due_rechecks(connection: Connection, partner_id: str, days: float | None) -> int:
    """Queue available pictures to ask for again: the recheck failed and is due, or the last was `days` ago. How many.

    Those due within a tenth of that time are taken along, so that one run rechecks what one run fetched.
    """
    return _queue_rechecks(
        connection,
        partner_id,
        """(recheck_at <= now()
            OR recheck_at IS NULL AND checked_at <= now() - make_interval(secs => %(days)s * 86400.0 * 0.9))""",
        {"days": days},
    )


def _queue_rechecks(
    connection: Connection, partner_id: str, due: LiteralString, values: Mapping[str, float | None]
) -> int:
    return connection.execute(
        f"""INSERT INTO fetch_queue (partner_id, fetch_key, url)
            SELECT DISTINCT ON (partner_id, fetch_key) partner_id, fetch_key, url
            FROM fetch_headers AS said
            JOIN fetch_results AS result USING (partner_id, fetch_key)
            JOIN catalogue_entries AS entry USING (partner_id, fetch_key)
            WHERE partner_id = %(partner)s AND result.outcome = 'available' AND {due}
            ORDER BY partner_id, fetch_key, url
            ON CONFLICT DO NOTHING""",
        {"partner": partner_id, **values},
    ).rowcount


def queued_hosts(connection: Connection, partner_id: str, after: str | None, limit: int) -> list[str]:
    """The hosts of the partner's queue in name order, behind `after`: each by one look into the index."""
    rows = connection.execute(
        """WITH RECURSIVE hosts AS (
               (SELECT host, 1 AS number FROM fetch_queue
                WHERE partner_id = %(partner)s AND (%(after)s::text IS NULL OR host > %(after)s)
                ORDER BY host LIMIT 1)
               UNION ALL
               SELECT next.host, hosts.number + 1 FROM hosts CROSS JOIN LATERAL (
                   SELECT host FROM fetch_queue WHERE partner_id = %(partner)s AND host > hosts.host
                   ORDER BY host LIMIT 1) AS next
               WHERE hosts.number < %(limit)s)
           SELECT host FROM hosts ORDER BY host""",
        {"partner": partner_id, "after": after, "limit": limit},
    )
    return [row[0] for row in rows]


def queued_fetches(
    connection: Connection, partner_id: str, after: Mapping[str, str | None], limits: Mapping[str, int]
) -> list[QueuedFetch]:
    """Pages of several hosts' queues: of each host in `limits` that many, in key order, behind its key in `after`.

    Images whose bytes are in the store already are left out.
    """
    hosts = list(limits)
    rows = connection.execute(
        """SELECT fetch_key::text, queued.url, encode(queued.sha256, 'hex'), wanted.host,
                  CASE WHEN result.outcome = 'available' THEN etag END,
                  CASE WHEN result.outcome = 'available' THEN last_modified END
           FROM unnest(%s::text[], %s::uuid[], %s::int[]) AS wanted (host, after, many)
           CROSS JOIN LATERAL (
               SELECT partner_id, fetch_key, url, sha256 FROM fetch_queue
               WHERE partner_id = %s AND host = wanted.host AND (wanted.after IS NULL OR fetch_key > wanted.after)
                   AND sha256 IS NULL
               ORDER BY fetch_key LIMIT wanted.many) AS queued
           LEFT JOIN fetch_results AS result USING (partner_id, fetch_key)
           LEFT JOIN fetch_headers AS said USING (partner_id, fetch_key)
           ORDER BY wanted.host, fetch_key""",
        [hosts, [after.get(host) for host in hosts], [limits[host] for host in hosts], partner_id],
    ).fetchall()
    return [QueuedFetch(*row) for row in rows]


def queued_in_store(connection: Connection, partner_id: str, after: str | None, limit: int) -> list[QueuedFetch]:
    """A page of the images whose bytes are in the store already, in key order, behind the key `after`."""
    rows = connection.execute(
        """SELECT fetch_key::text, url, encode(sha256, 'hex') FROM fetch_queue
           WHERE partner_id = %s AND (%s::uuid IS NULL OR fetch_key > %s::uuid) AND sha256 IS NOT NULL
           ORDER BY fetch_key LIMIT %s""",
        [partner_id, after, after, limit],
    ).fetchall()
    return [QueuedFetch(*row) for row in rows]


def fetch_instead(connection: Connection, partner_id: str, fetch_keys: Sequence[str]) -> None:
    """The bytes of these images are not in the store after all."""
    connection.execute(
        "UPDATE fetch_queue SET sha256 = NULL WHERE partner_id = %s AND fetch_key = ANY(%s::uuid[])",
        [partner_id, list(fetch_keys)],
    )


def count_queued(connection: Connection, partner_id: str) -> int:
    """How many of the partner's images wait to be fetched or judged."""
    return int(one_row(connection, "SELECT count(*) FROM fetch_queue WHERE partner_id = %s", [partner_id])[0])


def partners_to_recheck(connection: Connection, days: Mapping[str, float], by: datetime | None = None) -> set[str]:
    """Partners with an available picture whose recheck failed and is due again, now or `by` then.

    Of the partners in `days`, also those with an available picture that was last asked for so many days before.
    """
    rows = connection.execute(
        """SELECT partner_id FROM unnest(%(partners)s::text[], %(days)s::float8[]) AS wanted (partner_id, days)
           WHERE EXISTS (
               SELECT FROM fetch_headers AS said JOIN fetch_results AS result USING (partner_id, fetch_key)
               WHERE partner_id = wanted.partner_id AND result.outcome = 'available' AND recheck_at IS NULL
                   AND said.checked_at <= coalesce(%(by)s::timestamptz, now())
                       - make_interval(secs => wanted.days * 86400.0))
           UNION
           SELECT partner_id FROM partner_catalogues AS known
           WHERE EXISTS (
               SELECT FROM fetch_headers AS said JOIN fetch_results AS result USING (partner_id, fetch_key)
               WHERE partner_id = known.partner_id AND result.outcome = 'available'
                   AND recheck_at <= coalesce(%(by)s::timestamptz, now()))""",
        {"partners": list(days), "days": list(days.values()), "by": by},
    )
    return {row[0] for row in rows}
