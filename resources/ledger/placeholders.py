"""The ledger's queries that find the placeholders of a release while it is loaded, and list them.

Each step is one pass over the release's images, in staging tables. Does not belong here: what pictures look like.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from resources.ledger.connection import Connection, copy_rows
from resources.ledger.release_tables import execute_named, named, release_table

_PAGE = 10_000


def lumas_without_looks(
    connection: Connection, release_id: str, fingerprint_method: str, looks_method: str
) -> Iterator[list[tuple[str, bytes]]]:
    """(sha256 in hex, packed luma) of the release's contents whose looks are not known yet, page by page."""
    execute_named(connection, release_id, "DROP TABLE IF EXISTS {new_contents}")
    with connection.transaction():
        connection.execute("SET LOCAL work_mem = '256MB'")
        execute_named(
            connection,
            release_id,
            """CREATE UNLOGGED TABLE {new_contents} AS
               SELECT DISTINCT sha256 FROM {new_images} AS image WHERE NOT EXISTS (
                   SELECT FROM content_looks AS known WHERE known.sha256 = image.sha256 AND known.method = %s)""",
            [looks_method],
        )
    execute_named(connection, release_id, "CREATE INDEX ON {new_contents} (sha256)")
    execute_named(connection, release_id, "ANALYZE {new_contents}")
    last = b""
    while True:
        rows = execute_named(
            connection,
            release_id,
            """SELECT sha256, luma
               FROM (SELECT sha256 FROM {new_contents} WHERE sha256 > %s ORDER BY sha256 LIMIT %s) AS page
               JOIN fingerprints USING (sha256) WHERE method = %s ORDER BY sha256""",
            [last, _PAGE, fingerprint_method],
        ).fetchall()
        if not rows:
            break
        yield [(sha256.hex(), luma) for sha256, luma in rows]
        last = rows[-1][0]
    execute_named(connection, release_id, "DROP TABLE {new_contents}")


def record_looks(connection: Connection, looks_method: str, looks: Sequence[tuple[str, int, int, bool]]) -> None:
    """Keep what contents look like: (sha256 in hex, first key, second key, blank) each."""
    connection.execute(
        """INSERT INTO content_looks (sha256, method, key_1, key_2, blank)
           SELECT decode(sha256, 'hex'), %s, key_1, key_2, blank
           FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bool[]) AS seen (sha256, key_1, key_2, blank)
           ON CONFLICT DO NOTHING""",
        [looks_method, *[[row[column] for row in looks] for column in range(4)]],
    )


def count_staged_hotels(connection: Connection, release_id: str) -> int:
    """The hotels of a release that is being loaded, with images or without."""
    (row,) = execute_named(connection, release_id, "SELECT count(DISTINCT hotel_id) FROM {keyed}").fetchall()
    return int(row[0])


def popular_looks(
    connection: Connection, release_id: str, fingerprint_method: str, looks_method: str, most_hotels: int
) -> Iterator[tuple[list[str], list[bytes]]]:
    """The contents that share a key which many hotels show: (sha256s in hex and in order, packed lumas) of each key.

    A key counts as popular from half of `most_hotels` up: the copies of one picture may be spread over several keys.
    """
    with connection.transaction():
        connection.execute("SET LOCAL work_mem = '256MB'")
        execute_named(connection, release_id, "DROP TABLE IF EXISTS {shown}, {popular}")
        execute_named(
            connection,
            release_id,
            """CREATE UNLOGGED TABLE {shown} AS
               SELECT hotel_id, sha256, key_1, key_2, blank
               FROM (SELECT DISTINCT hotel_id, sha256 FROM {new_images}) AS content
               JOIN content_looks USING (sha256) WHERE method = %s""",
            [looks_method],
        )
        # The first condition needs no sorting by hotel and leaves few keys; most pictures are shown by one hotel only.
        execute_named(
            connection,
            release_id,
            """CREATE UNLOGGED TABLE {popular} AS
               WITH frequent AS MATERIALIZED (
                   SELECT key FROM {shown} CROSS JOIN unnest(ARRAY[key_1, key_2]) AS key
                   WHERE NOT blank GROUP BY key HAVING count(*) > %(half)s AND min(hotel_id) <> max(hotel_id))
               SELECT key FROM {shown} CROSS JOIN unnest(ARRAY[key_1, key_2]) AS key JOIN frequent USING (key)
               WHERE NOT blank GROUP BY key HAVING count(DISTINCT hotel_id) > %(half)s""",
            {"half": most_hotels / 2},
        )
        execute_named(connection, release_id, "ANALYZE {shown}")
        execute_named(connection, release_id, "ANALYZE {popular}")
        with connection.cursor("popular_looks") as cursor:
            cursor.itersize = _PAGE
            cursor.execute(
                named(
                    release_id,
                    """SELECT key, sha256, luma
                       FROM (SELECT DISTINCT key, sha256 FROM {shown} CROSS JOIN unnest(ARRAY[key_1, key_2]) AS key
                             JOIN {popular} USING (key) WHERE NOT blank) AS candidate
                       JOIN fingerprints USING (sha256) WHERE method = %s ORDER BY key, sha256""",
                ),
                [fingerprint_method],
            )
            for _, rows in groupby(cursor, key=itemgetter(0)):
                contents = list(rows)
                yield [sha256.hex() for _, sha256, _ in contents], [luma for _, _, luma in contents]


def mark_placeholders(connection: Connection, release_id: str, lookalikes: Mapping[str, str], most_hotels: int) -> None:
    """Find and mark the placeholders: pictures that more than `most_hotels` hotels show, and blank ones.

    lookalikes: sha256 -> the smallest sha256 of those that look like it (hex), see `popular_looks`.
    """
    execute_named(connection, release_id, "DROP TABLE IF EXISTS {alike}")
    execute_named(connection, release_id, "CREATE UNLOGGED TABLE {alike} (sha256 bytea, placeholder bytea)")
    rows = ((bytes.fromhex(sha256), bytes.fromhex(first)) for sha256, first in lookalikes.items())
    copy_rows(connection, release_table("alike", release_id), ("sha256", "placeholder"), rows)
    execute_named(connection, release_id, "ANALYZE {alike}")
    with connection.transaction():
        connection.execute("SET LOCAL work_mem = '256MB'")
        execute_named(
            connection,
            release_id,
            """INSERT INTO {new_placeholders} (sha256, placeholder, reason, hotels)
               WITH shared AS MATERIALIZED (
                   SELECT placeholder, count(DISTINCT hotel_id) AS hotels FROM {alike} JOIN {shown} USING (sha256)
                   GROUP BY placeholder HAVING count(DISTINCT hotel_id) > %s)
               SELECT sha256, placeholder, 'many_hotels' AS reason, hotels FROM {alike} JOIN shared USING (placeholder)
               UNION ALL
               SELECT sha256, sha256, 'blank', count(*) FROM {shown} WHERE blank GROUP BY sha256""",
            [most_hotels],
        )
        execute_named(connection, release_id, "ANALYZE {new_placeholders}")
        execute_named(
            connection,
            release_id,
            """UPDATE {new_images} AS image SET placeholder = true FROM {new_placeholders} AS found
               WHERE image.sha256 = found.sha256""",
        )
        execute_named(
            connection,
            release_id,
            """UPDATE {new_placeholders} AS found SET (images, url) = (shown.images, shown.url)
               FROM (SELECT sha256, count(*) AS images, min(url) AS url FROM {new_images}
                     WHERE placeholder GROUP BY sha256) AS shown
               WHERE shown.sha256 = found.sha256""",
        )


def record_placeholders(connection: Connection, release_id: str) -> None:
    """Keep the placeholders that were marked as those of the release, and count them."""
    connection.execute("DELETE FROM release_placeholders WHERE release_id = %s", [release_id])
    execute_named(
        connection,
        release_id,
        """INSERT INTO release_placeholders (release_id, sha256, placeholder, reason, hotels, images, url)
           SELECT %s, sha256, placeholder, reason, hotels, images, url FROM {new_placeholders}""",
        [release_id],
    )
    connection.execute(
        """UPDATE data_releases SET (placeholders, placeholder_images) = (
               SELECT count(DISTINCT placeholder), coalesce(sum(images), 0)
               FROM release_placeholders WHERE release_id = %(release)s),
               only_placeholders = (SELECT count(*) FROM release_hotels
                   WHERE release_id = %(release)s AND images = 0 AND placeholder_images > 0)
           WHERE release_id = %(release)s""",
        {"release": release_id},
    )


@dataclass(frozen=True)
class Placeholder:
    """A picture that a release leaves out: its smallest content (sha256 in hex), why, how often it is shown, and where.

    hotels and images (catalogue entries) are those of all its `contents`.
    """

    sha256: str
    reason: str
    hotels: int
    images: int
    contents: int
    url: str


def release_placeholders(connection: Connection, release_id: str) -> list[Placeholder]:
    """The placeholders of a release, those of most hotels first."""
    rows = connection.execute(
        """SELECT encode(placeholder, 'hex'), reason, max(hotels), sum(images)::bigint, count(*), min(url)
           FROM release_placeholders WHERE release_id = %s GROUP BY placeholder, reason ORDER BY 3 DESC, 1""",
        [release_id],
    ).fetchall()
    return [Placeholder(*row) for row in rows]


def hotels_with_placeholders_only(connection: Connection, release_id: str, limit: int) -> list[str]:
    """The first hotels of a release, in order, whose available images are all placeholders."""
    rows = connection.execute(
        """SELECT hotel_id FROM release_hotels WHERE release_id = %s AND images = 0 AND placeholder_images > 0
           ORDER BY hotel_id LIMIT %s""",
        [release_id, limit],
    ).fetchall()
    return [row[0] for row in rows]
