"""The ledger's catalogue queries: staging a catalogue, its diff against what is applied, applying it.

Does not belong here: reading catalogue files, or the decision to apply.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import sql

from resources.ledger.connection import REJECTS_SHOWN, Connection, copy_rows, one_row

_STAGED_COLUMNS = (
    "line",
    "accommodation_id",
    "url",
    "position",
    "caption",
    "category",
    "version",
    "width",
    "height",
)


@dataclass(frozen=True)
class DiffCounts:
    """How a staged catalogue differs from the applied one, in entries (accommodation and URL)."""

    new: int
    updated: int
    deleted: int
    unchanged: int

    @property
    def known(self) -> int:
        """Entries of the applied catalogue."""
        return self.updated + self.deleted + self.unchanged

    @property
    def offered(self) -> int:
        """Entries of the staged catalogue."""
        return self.new + self.updated + self.unchanged

    @property
    def deleted_share(self) -> float:
        """The share of the known entries that would go, 0 to 1; 0 for a partner without any."""
        return self.deleted / self.known if self.known else 0.0


@dataclass(frozen=True)
class CatalogueVersion:
    """One catalogue file as it lies in the store."""

    partner_id: str
    version: str
    object_key: str
    etag: str

    @property
    def digest(self) -> str:
        """Names this very file."""
        return f"{self.version}:{self.etag}"


def applied_catalogue(connection: Connection, partner_id: str) -> tuple[str, str] | None:
    """The (version, etag) applied now; None for a partner that never had one."""
    return connection.execute(
        "SELECT version, etag FROM partner_catalogues WHERE partner_id = %s AND version IS NOT NULL",
        [partner_id],
    ).fetchone()


def open_staging(connection: Connection, catalogue: CatalogueVersion) -> None:
    """Begin anew: an empty staging table for the partner, and no rejected rows for this version."""
    connection.execute(
        "DELETE FROM catalogue_rejects WHERE partner_id = %s AND version = %s",
        [catalogue.partner_id, catalogue.version],
    )
    close_staging(connection, catalogue.partner_id)
    _execute(
        connection,
        catalogue.partner_id,
        """CREATE UNLOGGED TABLE {staged} (
            line bigint, accommodation_id text COLLATE "C", url text, position integer,
            caption text, category text, version text, width integer, height integer)""",
    )


def stage_entries(connection: Connection, partner_id: str, entries: Iterable[Sequence[Any]]) -> None:
    """Append a batch of entries, in the order of the staging table's columns."""
    copy_rows(connection, _staged_name(partner_id), _STAGED_COLUMNS, entries)


def stage_rejects(
    connection: Connection, catalogue: CatalogueVersion, rejects: Iterable[Sequence[Any]], row_kept: bool
) -> None:
    """Keep rejected rows, or unusable optional fields of kept rows: (file, line, field, reason, value) each."""
    copy_rows(
        connection,
        "catalogue_rejects",
        ("partner_id", "version", "row_kept", "file", "line", "field", "reason", "value"),
        ((catalogue.partner_id, catalogue.version, row_kept, *reject) for reject in rejects),
    )


def reject_duplicates(connection: Connection, catalogue: CatalogueVersion, file: str) -> None:
    """Of rows with the same accommodation and URL, the first line stays and the others become rejected rows."""
    with connection.transaction():
        connection.execute("SET LOCAL work_mem = '256MB'")
        _execute(
            connection,
            catalogue.partner_id,
            """CREATE UNLOGGED TABLE {keyed} AS
               SELECT *, md5(url || E'\\n' || coalesce(version, ''))::uuid AS fetch_key,
                      row_number() OVER same AS copy, first_value(line) OVER same AS first_line
               FROM (SELECT *, md5(url)::uuid AS url_key FROM {staged}) AS staged
               WINDOW same AS (PARTITION BY accommodation_id, url_key ORDER BY line)""",
        )
        _execute(
            connection,
            catalogue.partner_id,
            """INSERT INTO catalogue_rejects (partner_id, version, file, line, field, reason, value)
               SELECT %s, %s, %s, line, 'url', 'duplicate of line ' || first_line, left(url, 200)
               FROM {keyed} WHERE copy > 1""",
            [catalogue.partner_id, catalogue.version, file],
        )
        _execute(connection, catalogue.partner_id, "DELETE FROM {keyed} WHERE copy > 1")
    _execute(connection, catalogue.partner_id, "ANALYZE {keyed}")


def diff(connection: Connection, partner_id: str) -> DiffCounts:
    """Compare the staged catalogue with the applied one, by one full join."""
    row = _execute(
        connection,
        partner_id,
        """SELECT count(*) FILTER (WHERE known.url_key IS NULL),
                  count(*) FILTER (WHERE known.fetch_key <> staged.fetch_key),
                  count(*) FILTER (WHERE staged.url_key IS NULL),
                  count(*) FILTER (WHERE known.fetch_key = staged.fetch_key)
           FROM (SELECT * FROM catalogue_entries WHERE partner_id = %s) AS known
           FULL JOIN {keyed} AS staged USING (accommodation_id, url_key)""",
        [partner_id],
    ).fetchone()
    assert row is not None
    return DiffCounts(*row)


def apply(connection: Connection, catalogue: CatalogueVersion, counts: DiffCounts) -> None:
    """Make the staged catalogue the applied one and queue what it needs fetched, in one transaction.

    Results of pictures no longer offered go; failed ones get one more round. The staging goes too. Entries that did not
    change are neither written nor locked: a lock costs as much as a write.
    """
    partner_id = catalogue.partner_id
    with connection.transaction():
        connection.execute("SET LOCAL work_mem = '256MB'")
        _execute(
            connection,
            partner_id,
            """DELETE FROM catalogue_entries AS known
               WHERE partner_id = %s AND NOT EXISTS (
                   SELECT FROM {keyed} AS staged
                   WHERE staged.accommodation_id = known.accommodation_id AND staged.url_key = known.url_key)""",
            [partner_id],
        )
        _execute(
            connection,
            partner_id,
            """INSERT INTO catalogue_entries (partner_id, accommodation_id, url_key, fetch_key, url,
                   position, caption, category, version, width, height)
               SELECT %(partner)s, accommodation_id, url_key, fetch_key, url,
                   position, caption, category, version, width, height
               FROM {keyed} AS staged
               WHERE NOT EXISTS (
                   SELECT FROM catalogue_entries AS known
                   WHERE known.partner_id = %(partner)s AND known.accommodation_id = staged.accommodation_id
                       AND known.url_key = staged.url_key
                       AND (known.fetch_key, known.position, known.caption, known.category, known.width, known.height)
                           IS NOT DISTINCT FROM (staged.fetch_key, staged.position, staged.caption, staged.category,
                               staged.width, staged.height))
               ON CONFLICT (partner_id, accommodation_id, url_key) DO UPDATE SET
                   fetch_key = excluded.fetch_key, position = excluded.position, caption = excluded.caption,
                   category = excluded.category, version = excluded.version,
                   width = excluded.width, height = excluded.height""",
            {"partner": partner_id},
        )
        for table in ("fetch_results", "fetch_headers", "fetch_queue"):
            connection.execute(
                sql.SQL(
                    """DELETE FROM {table} AS known
                       WHERE partner_id = %s AND NOT EXISTS (
                           SELECT FROM catalogue_entries AS entry
                           WHERE entry.partner_id = known.partner_id AND entry.fetch_key = known.fetch_key)"""
                ).format(table=sql.Identifier(table)),
                [partner_id],
            )
        connection.execute("DELETE FROM fetch_results WHERE partner_id = %s AND outcome = 'failed'", [partner_id])
        connection.execute(
            """INSERT INTO fetch_queue (partner_id, fetch_key, url)
               SELECT DISTINCT ON (fetch_key) partner_id, fetch_key, url
               FROM catalogue_entries AS entry
               WHERE partner_id = %s AND NOT EXISTS (
                   SELECT FROM fetch_results AS result
                   WHERE result.partner_id = entry.partner_id AND result.fetch_key = entry.fetch_key)
               ORDER BY fetch_key, url
               ON CONFLICT DO NOTHING""",
            [partner_id],
        )
        connection.execute(
            """INSERT INTO partner_catalogues (partner_id, version, etag) VALUES (%s, %s, %s)
               ON CONFLICT (partner_id) DO UPDATE SET version = excluded.version, etag = excluded.etag""",
            [partner_id, catalogue.version, catalogue.etag],
        )
        record_outcome(connection, catalogue, "applied", counts)


def record_outcome(
    connection: Connection,
    catalogue: CatalogueVersion,
    outcome: str,
    counts: DiffCounts | None = None,
    message: str | None = None,
) -> None:
    """Keep what came of a catalogue: `applied`, `held` by its gate, or `unreadable`.

    Its staging goes with it, in one transaction: what is decided is not staged again, so nobody would clean up later.
    """
    counted = counts or DiffCounts(0, 0, 0, 0)
    with connection.transaction():
        close_staging(connection, catalogue.partner_id)
        _insert_outcome(connection, catalogue, outcome, counted, message)


def _insert_outcome(
    connection: Connection, catalogue: CatalogueVersion, outcome: str, counted: DiffCounts, message: str | None
) -> None:
    connection.execute(
        """INSERT INTO catalogue_versions (partner_id, version, object_key, etag, outcome, entries, rejected,
               new, updated, deleted, unchanged, message)
           SELECT %(partner)s, %(version)s, %(key)s, %(etag)s, %(outcome)s, %(entries)s, count(DISTINCT line),
               %(new)s, %(updated)s, %(deleted)s, %(unchanged)s, %(message)s
           FROM catalogue_rejects WHERE partner_id = %(partner)s AND version = %(version)s AND NOT row_kept
           ON CONFLICT (partner_id, version) DO UPDATE SET
               object_key = excluded.object_key, etag = excluded.etag, outcome = excluded.outcome,
               entries = excluded.entries, rejected = excluded.rejected, new = excluded.new,
               updated = excluded.updated, deleted = excluded.deleted, unchanged = excluded.unchanged,
               message = excluded.message, decided_at = now()""",
        {
            "partner": catalogue.partner_id,
            "version": catalogue.version,
            "key": catalogue.object_key,
            "etag": catalogue.etag,
            "outcome": outcome,
            "entries": counted.offered,
            "new": counted.new,
            "updated": counted.updated,
            "deleted": counted.deleted,
            "unchanged": counted.unchanged,
            "message": message,
        },
    )


def close_staging(connection: Connection, partner_id: str) -> None:
    """Drop the partner's staging tables, also those a killed run left."""
    _execute(connection, partner_id, "DROP TABLE IF EXISTS {staged}, {keyed}")


def reject_reasons(connection: Connection, partner_id: str, version: str) -> dict[str, int]:
    """Rejected rows by reason, most frequent first; duplicates counted together."""
    return dict(
        connection.execute(
            """SELECT field || ': ' || regexp_replace(reason, ' of line [0-9]+$', '') AS why, count(*)
               FROM catalogue_rejects WHERE partner_id = %s AND version = %s
               GROUP BY why ORDER BY count(*) DESC, why LIMIT 20""",
            [partner_id, version],
        ).fetchall()
    )


def first_rejects(connection: Connection, partner_id: str, version: str) -> list[tuple[str, int, str, str, str]]:
    """(file, line, field, reason, value) of the first rejected rows, and of fields that kept rows do without."""
    return connection.execute(
        """SELECT file, line, field, reason || CASE WHEN row_kept THEN ' (row kept without it)' ELSE '' END,
                  coalesce(value, '')
           FROM catalogue_rejects WHERE partner_id = %s AND version = %s
           ORDER BY row_kept, line, field COLLATE "C" LIMIT %s""",
        [partner_id, version, REJECTS_SHOWN],
    ).fetchall()


def count_entries(connection: Connection, partner_id: str) -> int:
    """How many entries the partner's applied catalogue has."""
    counted = one_row(connection, "SELECT count(*) FROM catalogue_entries WHERE partner_id = %s", [partner_id])
    return int(counted[0])


def count_rejected(connection: Connection, partner_id: str, version: str) -> int:
    """How many rows of this catalogue version were rejected."""
    return int(
        one_row(
            connection,
            """SELECT count(DISTINCT line) FROM catalogue_rejects
               WHERE partner_id = %s AND version = %s AND NOT row_kept""",
            [partner_id, version],
        )[0]
    )


def _staged_name(partner_id: str) -> str:
    return "staged_" + hashlib.md5(partner_id.encode()).hexdigest()


def _execute(
    connection: Connection,
    partner_id: str,
    statement: LiteralString,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
) -> Any:
    staged = _staged_name(partner_id)
    return connection.execute(
        sql.SQL(statement).format(staged=sql.Identifier(staged), keyed=sql.Identifier(f"{staged}_keyed")),
        parameters or None,
    )
