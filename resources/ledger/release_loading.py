"""Loading a data release: its file staged, what it sees frozen in tables of its own, people's decisions applied.

The tables are filled apart and attached at the end, so no reader waits. Does not belong here: reading release files,
which pictures are placeholders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import sql

from resources.ledger.connection import Connection, copy_rows
from resources.ledger.decisions import find_decided_pairs, record_decided_pairs
from resources.ledger.placeholders import record_placeholders
from resources.ledger.release_sources import choose_sources, take_from_earlier
from resources.ledger.release_tables import STAGING, execute_named, release_table


def record_unreadable(connection: Connection, release_id: str, etag: str, message: str) -> None:
    """The file of a release cannot be read: keep why, so that it is not asked for again before it changes.

    Its staging goes in the same transaction: nobody would clean up later.
    """
    with connection.transaction():
        close_staging(connection, release_id)
        connection.execute(
            """UPDATE data_releases SET outcome = 'unreadable', decided_etag = %s, message = %s
               WHERE release_id = %s""",
            [etag, message, release_id],
        )


def open_staging(connection: Connection, release_id: str) -> None:
    """Begin anew: empty staging tables for the release, and no rejected rows."""
    connection.execute("DELETE FROM release_rejects WHERE release_id = %s", [release_id])
    close_staging(connection, release_id)
    execute_named(
        connection,
        release_id,
        """CREATE UNLOGGED TABLE {staged} (line bigint, hotel_id text COLLATE "C",
               partner_id text COLLATE "C", accommodation_id text COLLATE "C")""",
    )


def stage_accommodations(connection: Connection, release_id: str, rows: Iterable[Sequence[Any]]) -> None:
    """Append rows of (line, hotel_id, partner_id, accommodation_id)."""
    copy_rows(
        connection, release_table("staged", release_id), ("line", "hotel_id", "partner_id", "accommodation_id"), rows
    )


def stage_rejects(connection: Connection, release_id: str, rejects: Iterable[Sequence[Any]]) -> None:
    """Keep rejected rows: (file, line, field, reason, value) each."""
    copy_rows(
        connection,
        "release_rejects",
        ("release_id", "file", "line", "field", "reason", "value"),
        ((release_id, *reject) for reject in rejects),
    )


def reject_repeated_accommodations(connection: Connection, release_id: str, file: str) -> None:
    """An accommodation belongs to the hotel of its first line; later lines become rejected rows."""
    with connection.transaction():
        connection.execute("SET LOCAL work_mem = '256MB'")
        execute_named(
            connection,
            release_id,
            """CREATE UNLOGGED TABLE {keyed} AS
               SELECT *, row_number() OVER same AS copy, first_value(line) OVER same AS first_line,
                      first_value(hotel_id) OVER same AS first_hotel
               FROM {staged} WINDOW same AS (PARTITION BY partner_id, accommodation_id ORDER BY line)""",
        )
        execute_named(
            connection,
            release_id,
            """INSERT INTO release_rejects (release_id, file, line, field, reason, value)
               SELECT %s, %s, line, 'accommodation_id',
                   CASE WHEN first_hotel = hotel_id THEN 'duplicate of line ' || first_line
                        ELSE 'already in hotel ' || first_hotel || ' on line ' || first_line END,
                   accommodation_id
               FROM {keyed} WHERE copy > 1""",
            [release_id, file],
        )
        execute_named(connection, release_id, "DELETE FROM {keyed} WHERE copy > 1")
    execute_named(connection, release_id, "ANALYZE {keyed}")


def freeze_images(connection: Connection, release_id: str, method: str) -> None:
    """Write which images the release sees: those that are available and have their fingerprint now.

    Of partners whose gate `failed_share` is closed, those that an earlier release saw.
    `bucket` is the first 16 bits of md5(hotel_id). No placeholder is known yet.
    """
    execute_named(connection, release_id, "DROP TABLE IF EXISTS {new_images}, {new_placeholders}")
    choose_sources(connection, release_id)
    execute_named(
        connection,
        release_id,
        """CREATE UNLOGGED TABLE {new_placeholders} (sha256 bytea, placeholder bytea, reason text, hotels bigint,
               images bigint, url text)""",
    )
    with connection.transaction():
        connection.execute("SET LOCAL work_mem = '256MB'")
        execute_named(connection, release_id, "CREATE TABLE {new_images} (LIKE release_images INCLUDING DEFAULTS)")
        execute_named(
            connection,
            release_id,
            """INSERT INTO {new_images} (release_id, bucket, hotel_id, partner_id, accommodation_id, url,
                   sha256, position)
               SELECT %s, ('x' || left(md5(hotel_id), 4))::bit(16)::int, hotel_id, partner_id, accommodation_id,
                   url, sha256, position
               FROM {keyed} AS listed
               JOIN catalogue_entries AS entry USING (partner_id, accommodation_id)
               JOIN fetch_results AS result USING (partner_id, fetch_key)
               WHERE result.outcome = 'available' AND EXISTS (
                   SELECT FROM fingerprints AS known WHERE known.sha256 = result.sha256 AND known.method = %s)
                   AND NOT EXISTS (
                       SELECT FROM release_partners AS held
                       WHERE held.release_id = %s AND held.partner_id = listed.partner_id AND NOT held.passed)""",
            [release_id, method, release_id],
        )
        take_from_earlier(connection, release_id, method)


def freeze_hotels(connection: Connection, release_id: str, etag: str) -> None:
    """Write the hotels of the release over its images that are no placeholders, and make both what everybody sees.

    The new tables are filled apart and then attached in a short transaction, which ends the staging; no reader waits.
    Digests are md5 over rows in bytewise order; what a hotel's placeholders are changes nothing in them.
    """
    execute_named(connection, release_id, "DROP TABLE IF EXISTS {new_hotels}")
    with connection.transaction():
        connection.execute("SET LOCAL work_mem = '256MB'")
        execute_named(connection, release_id, "CREATE TABLE {new_hotels} (LIKE release_hotels INCLUDING DEFAULTS)")
        execute_named(
            connection,
            release_id,
            """INSERT INTO {new_hotels} (release_id, bucket, hotel_id, accommodations, images, placeholder_images,
                   contents_digest, members_digest)
               SELECT %s, ('x' || left(md5(hotel_id), 4))::bit(16)::int, hotel_id, accommodations,
                   coalesce(images, 0), coalesce(placeholder_images, 0), coalesce(contents_digest, md5('')::uuid),
                   coalesce(members_digest, md5('')::uuid)
               FROM (SELECT hotel_id, count(*) AS accommodations FROM {keyed} GROUP BY hotel_id) AS hotel
               LEFT JOIN (
                   SELECT hotel_id, count(*) FILTER (WHERE NOT placeholder) AS images,
                       count(*) FILTER (WHERE placeholder) AS placeholder_images,
                       md5(string_agg(DISTINCT encode(sha256, 'hex'), ',' ORDER BY encode(sha256, 'hex'))
                           FILTER (WHERE NOT placeholder))::uuid AS contents_digest,
                       md5(string_agg(md5(concat_ws(E'\\x1f', partner_id, accommodation_id, url,
                               encode(sha256, 'hex'), coalesce(position::text, '-'))), ','
                           ORDER BY partner_id, accommodation_id, url)
                           FILTER (WHERE NOT placeholder))::uuid AS members_digest
                   FROM {new_images} GROUP BY hotel_id) AS members USING (hotel_id)""",
            [release_id],
        )
        for new, column in (
            ("{new_images}", "bucket, hotel_id"),
            ("{new_images}", "hotel_id"),
            ("{new_hotels}", "bucket"),
            ("{new_hotels}", "hotel_id"),
        ):
            execute_named(connection, release_id, f"CREATE INDEX ON {new} ({column})")
    # The shards begin at once, long before the server would do so: without statistics it plans for five images a shard.
    execute_named(connection, release_id, "ANALYZE {new_images}, {new_hotels}")
    decisions = find_decided_pairs(connection, release_table("new_images", release_id))
    with connection.transaction():
        _attach(connection, release_id)
        record_decided_pairs(connection, release_id, decisions)
        record_placeholders(connection, release_id)
        connection.execute(
            """UPDATE data_releases SET outcome = 'loaded', decided_etag = %(etag)s, message = NULL,
                   (hotels, accommodations, images) = (
                       SELECT count(*), coalesce(sum(accommodations), 0), coalesce(sum(images), 0)
                       FROM release_hotels WHERE release_id = %(release)s),
                   rejected = (SELECT count(DISTINCT line) FROM release_rejects WHERE release_id = %(release)s)
               WHERE release_id = %(release)s""",
            {"etag": etag, "release": release_id},
        )
        execute_named(
            connection,
            release_id,
            """UPDATE data_releases SET (unknown_partners, unknown_accommodations) = (
                   SELECT count(*) FILTER (WHERE NOT EXISTS (
                              SELECT FROM partner_catalogues AS known WHERE known.partner_id = listed.partner_id)),
                          count(*) FILTER (WHERE NOT EXISTS (
                              SELECT FROM catalogue_entries AS entry WHERE entry.partner_id = listed.partner_id
                                  AND entry.accommodation_id = listed.accommodation_id))
                   FROM {keyed} AS listed)
               WHERE release_id = %s""",
            [release_id],
        )
        close_staging(connection, release_id)


def apply_decisions(connection: Connection, release_id: str) -> None:
    """Bring what people decided into a loaded release: exactly the hotels that it concerns get other digests."""
    decisions = find_decided_pairs(connection, release_table("release_images", release_id))
    with connection.transaction():
        record_decided_pairs(connection, release_id, decisions)


def _attach(connection: Connection, release_id: str) -> None:
    for parent in ("release_images", "release_hotels"):
        current = sql.Identifier(release_table(parent, release_id))
        new = sql.Identifier(release_table("new_" + parent.removeprefix("release_"), release_id))
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(current))
        connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(new, current))
        connection.execute(
            sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES IN ({})").format(
                sql.Identifier(parent), current, sql.Literal(release_id)
            )
        )


def close_staging(connection: Connection, release_id: str) -> None:
    """Drop the staging tables, also those a killed run left."""
    tables = [sql.Identifier(release_table(kind, release_id)) for kind in STAGING]
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.SQL(", ").join(tables)))
