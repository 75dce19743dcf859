"""The ledger's queries on data releases: loading one, freezing what it sees, and what was published of it.

Does not belong here: reading release files, grouping, ranking.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, LiteralString

from psycopg import sql

from resources.ledger.connection import Connection, copy_rows


@dataclass(frozen=True)
class DataRelease:
    """One data release as the ledger knows it. `frozen` is None until `hotel_groups` has loaded it."""

    release_id: str
    object_key: str
    etag: str
    awaited: dict[str, str]
    overdue: bool
    outcome: str | None
    decided_etag: str | None
    message: str | None
    frozen: str | None
    hotels: int
    accommodations: int
    images: int
    rejected: int
    unknown_partners: int
    unknown_accommodations: int

    @property
    def decided(self) -> bool:
        """Whether this very file was loaded, or found unreadable."""
        return self.outcome is not None and self.decided_etag == self.etag


@dataclass(frozen=True)
class Publication:
    """A published image release: the digest of all it was made from, and its keys in the store."""

    release_id: str
    input_digest: str
    manifest_digest: str
    manifest_key: str
    summary_key: str
    gallery_key: str


def notice_release(
    connection: Connection, release_id: str, object_key: str, etag: str, awaited: Mapping[str, str]
) -> None:
    """Remember when a release (or a new file for it) was first seen and which catalogues were there then."""
    connection.execute(
        """INSERT INTO data_releases AS known (release_id, object_key, etag, awaited) VALUES (%s, %s, %s, %s)
           ON CONFLICT (release_id) DO UPDATE SET object_key = excluded.object_key, etag = excluded.etag,
               awaited = excluded.awaited, first_seen_at = now()
           WHERE known.etag <> excluded.etag OR known.object_key <> excluded.object_key""",
        [release_id, object_key, etag, json.dumps(awaited)],
    )


def data_release(connection: Connection, release_id: str, wait: timedelta = timedelta(0)) -> DataRelease | None:
    """The release, if known; `overdue` when it was first seen longer than `wait` ago."""
    row = connection.execute(
        """SELECT release_id, object_key, etag, awaited, first_seen_at + %s < now(), outcome, decided_etag, message,
                  frozen::text, hotels, accommodations, images, rejected, unknown_partners, unknown_accommodations
           FROM data_releases WHERE release_id = %s""",
        [wait, release_id],
    ).fetchone()
    return None if row is None else DataRelease(*row)


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
    _execute(
        connection,
        release_id,
        """CREATE UNLOGGED TABLE {staged} (line bigint, hotel_id text COLLATE "C",
               partner_id text COLLATE "C", accommodation_id text COLLATE "C")""",
    )


def stage_accommodations(connection: Connection, release_id: str, rows: Iterable[Sequence[Any]]) -> None:
    """Append rows of (line, hotel_id, partner_id, accommodation_id)."""
    copy_rows(connection, _name("staged", release_id), ("line", "hotel_id", "partner_id", "accommodation_id"), rows)


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
        _execute(
            connection,
            release_id,
            """CREATE UNLOGGED TABLE {keyed} AS
               SELECT *, row_number() OVER same AS copy, first_value(line) OVER same AS first_line,
                      first_value(hotel_id) OVER same AS first_hotel
               FROM {staged} WINDOW same AS (PARTITION BY partner_id, accommodation_id ORDER BY line)""",
        )
        _execute(
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
        _execute(connection, release_id, "DELETE FROM {keyed} WHERE copy > 1")
    _execute(connection, release_id, "ANALYZE {keyed}")


def freeze(connection: Connection, release_id: str, etag: str, method: str) -> None:
    """Write what the release sees: its hotels, and their images that are available and have their fingerprint now.

    The new tables are filled apart and then attached in a short transaction, which ends the staging; no reader waits.
    `bucket` is the first 16 bits of md5(hotel_id); digests are md5 over rows in bytewise order.
    """
    _execute(connection, release_id, "DROP TABLE IF EXISTS {new_images}, {new_hotels}")
    with connection.transaction():
        connection.execute("SET LOCAL work_mem = '256MB'")
        _execute(connection, release_id, "CREATE TABLE {new_images} (LIKE release_images INCLUDING DEFAULTS)")
        _execute(connection, release_id, "CREATE TABLE {new_hotels} (LIKE release_hotels INCLUDING DEFAULTS)")
        _execute(
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
                   SELECT FROM fingerprints AS known WHERE known.sha256 = result.sha256 AND known.method = %s)""",
            [release_id, method],
        )
        _execute(
            connection,
            release_id,
            """INSERT INTO {new_hotels} (release_id, bucket, hotel_id, accommodations, images,
                   contents_digest, members_digest)
               SELECT %s, ('x' || left(md5(hotel_id), 4))::bit(16)::int, hotel_id, accommodations,
                   coalesce(images, 0), coalesce(contents_digest, md5('')::uuid),
                   coalesce(members_digest, md5('')::uuid)
               FROM (SELECT hotel_id, count(*) AS accommodations FROM {keyed} GROUP BY hotel_id) AS hotel
               LEFT JOIN (
                   SELECT hotel_id, count(*) AS images,
                       md5(string_agg(DISTINCT encode(sha256, 'hex'), ','
                           ORDER BY encode(sha256, 'hex')))::uuid AS contents_digest,
                       md5(string_agg(md5(concat_ws(E'\\x1f', partner_id, accommodation_id, url,
                               encode(sha256, 'hex'), coalesce(position::text, '-'))), ','
                           ORDER BY partner_id, accommodation_id, url))::uuid AS members_digest
                   FROM {new_images} GROUP BY hotel_id) AS members USING (hotel_id)""",
            [release_id],
        )
        for new, column in (
            ("{new_images}", "bucket, hotel_id"),
            ("{new_images}", "hotel_id"),
            ("{new_hotels}", "bucket"),
            ("{new_hotels}", "hotel_id"),
        ):
            _execute(connection, release_id, f"CREATE INDEX ON {new} ({column})")
    with connection.transaction():
        _attach(connection, release_id)
        connection.execute(
            """UPDATE data_releases SET outcome = 'loaded', decided_etag = %(etag)s, message = NULL,
                   (hotels, accommodations, images, frozen) = (
                       SELECT count(*), coalesce(sum(accommodations), 0), coalesce(sum(images), 0),
                           md5(coalesce(string_agg(hotel_id || members_digest, ',' ORDER BY hotel_id), ''))::uuid
                       FROM release_hotels WHERE release_id = %(release)s),
                   rejected = (SELECT count(DISTINCT line) FROM release_rejects WHERE release_id = %(release)s)
               WHERE release_id = %(release)s""",
            {"etag": etag, "release": release_id},
        )
        _execute(
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


def _attach(connection: Connection, release_id: str) -> None:
    for parent in ("release_images", "release_hotels"):
        current = sql.Identifier(_name(parent, release_id))
        new = sql.Identifier(_name("new_" + parent.removeprefix("release_"), release_id))
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(current))
        connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(new, current))
        connection.execute(
            sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES IN ({})").format(
                sql.Identifier(parent), current, sql.Literal(release_id)
            )
        )


def close_staging(connection: Connection, release_id: str) -> None:
    """Drop the staging tables, also those a killed run left."""
    _execute(connection, release_id, "DROP TABLE IF EXISTS {staged}, {keyed}, {new_images}, {new_hotels}")


def publication(connection: Connection, release_id: str) -> Publication | None:
    """What was last published of a release, if anything."""
    row = connection.execute(
        """SELECT release_id, input_digest, manifest_digest, manifest_key, summary_key, gallery_key
           FROM published_releases WHERE release_id = %s""",
        [release_id],
    ).fetchone()
    return None if row is None else Publication(*row)


def record_publication(connection: Connection, published: Publication) -> None:
    """Keep that a release was published; the objects and the pointer are in the store before."""
    connection.execute(
        """INSERT INTO published_releases (release_id, input_digest, manifest_digest, manifest_key,
               summary_key, gallery_key) VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT (release_id) DO UPDATE SET input_digest = excluded.input_digest,
               manifest_digest = excluded.manifest_digest, manifest_key = excluded.manifest_key,
               summary_key = excluded.summary_key, gallery_key = excluded.gallery_key, published_at = now()""",
        [
            published.release_id,
            published.input_digest,
            published.manifest_digest,
            published.manifest_key,
            published.summary_key,
            published.gallery_key,
        ],
    )


def reject_reasons(connection: Connection, release_id: str) -> dict[str, int]:
    """Rejected rows by field and reason, without the line numbers that reasons name."""
    return dict(
        connection.execute(
            """SELECT field || ': ' || regexp_replace(reason, ' (of line|in hotel|on line) .*$', '') AS why, count(*)
               FROM release_rejects WHERE release_id = %s GROUP BY 1 ORDER BY 1""",
            [release_id],
        ).fetchall()
    )


def drop_releases_before(connection: Connection, release_id: str) -> list[str]:
    """Drop what releases older than `release_id` (in name order) saw; loading one again freezes it anew. Their ids.

    What was computed for their hotels stays: it belongs to digests, not to releases.
    """
    rows = connection.execute(
        "SELECT release_id FROM data_releases WHERE release_id < %s AND frozen IS NOT NULL", [release_id]
    ).fetchall()
    for (old,) in rows:
        with connection.transaction():
            for parent in ("release_images", "release_hotels"):
                connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(_name(parent, old))))
            connection.execute("DELETE FROM shard_builds WHERE release_id = %s", [old])
            connection.execute(
                "UPDATE data_releases SET outcome = NULL, decided_etag = NULL, frozen = NULL WHERE release_id = %s",
                [old],
            )
    return [old for (old,) in rows]


def kept_from(connection: Connection, kept: int) -> str | None:
    """The oldest of the `kept` newest published releases, in name order; None when there are no more than these."""
    row = connection.execute(
        "SELECT release_id FROM published_releases ORDER BY release_id DESC OFFSET %s LIMIT 1", [kept - 1]
    ).fetchone()
    return None if row is None else str(row[0])


def _name(kind: str, release_id: str) -> str:
    return f"{kind}_{hashlib.md5(release_id.encode()).hexdigest()}"


def _execute(connection: Connection, release_id: str, statement: LiteralString, parameters: Sequence[Any] = ()) -> None:
    names = {kind: sql.Identifier(_name(kind, release_id)) for kind in ("staged", "keyed", "new_images", "new_hotels")}
    connection.execute(sql.SQL(statement).format(**names), parameters or None)
