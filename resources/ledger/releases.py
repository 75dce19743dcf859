"""The ledger's queries on data releases: what is known of one, and what was published of it.

Does not belong here: loading one (release_loading), grouping, ranking.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import LiteralString

from psycopg import sql

from resources.ledger.connection import REJECTS_SHOWN, Connection
from resources.ledger.release_tables import release_table


@dataclass(frozen=True)
class DataRelease:
    """One data release as the ledger knows it. `frozen` is None until `hotel_groups` has loaded it.

    `decisions` is the digest of people's decisions when it last applied them. `images` are catalogue entries without
    the `placeholder_images` of its `placeholders`; `only_placeholders` counts hotels that have no other images.
    """

    release_id: str
    object_key: str
    etag: str
    awaited: dict[str, str]
    overdue: bool
    outcome: str | None
    decided_etag: str | None
    message: str | None
    frozen: str | None
    decisions: str | None
    hotels: int
    accommodations: int
    images: int
    rejected: int
    unknown_partners: int
    unknown_accommodations: int
    placeholders: int
    placeholder_images: int
    only_placeholders: int

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
    row = connection.execute(f"{_DATA_RELEASE} WHERE release_id = %s", [wait, release_id]).fetchone()
    return None if row is None else DataRelease(*row)


def loaded_releases(connection: Connection) -> list[DataRelease]:
    """The releases of which the ledger holds what they see, in name order."""
    query: LiteralString = f"{_DATA_RELEASE} WHERE frozen IS NOT NULL ORDER BY release_id"
    return [DataRelease(*row) for row in connection.execute(query, [timedelta(0)])]


_DATA_RELEASE: LiteralString = """
    SELECT release_id, object_key, etag, awaited, first_seen_at + %s < now(), outcome, decided_etag, message,
        frozen::text, decisions::text, hotels, accommodations, images, rejected, unknown_partners,
        unknown_accommodations, placeholders, placeholder_images, only_placeholders
    FROM data_releases"""


def newest_loaded(connection: Connection) -> str | None:
    """The last release in name order whose hotels and images are frozen."""
    row = connection.execute("SELECT max(release_id) FROM data_releases WHERE frozen IS NOT NULL").fetchone()
    return None if row is None or row[0] is None else str(row[0])


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


def first_rejects(connection: Connection, release_id: str) -> list[tuple[str, int, str, str, str]]:
    """(file, line, field, reason, value) of the first rejected rows."""
    return connection.execute(
        """SELECT file, line, field, reason, coalesce(value, '') FROM release_rejects WHERE release_id = %s
           ORDER BY line, field COLLATE "C" LIMIT %s""",
        [release_id, REJECTS_SHOWN],
    ).fetchall()


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
                connection.execute(
                    sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(release_table(parent, old)))
                )
            connection.execute("DELETE FROM shard_builds WHERE release_id = %s", [old])
            for table in ("release_decisions", "release_partners", "release_placeholders"):
                connection.execute(sql.SQL("DELETE FROM {} WHERE release_id = %s").format(sql.Identifier(table)), [old])
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
