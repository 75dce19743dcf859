"""The ledger's queries of `image-assets gc`: what nothing refers to, since when, and its deletion.

Findings go into temporary tables of the session, slice by slice, so that neither memory nor transactions grow with
the ledger. Does not belong here: listing the store, reading manifests, and the rule of tombstones (tombstones).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from psycopg import sql

from resources.ledger.connection import Connection, copy_rows, one_row
from resources.ledger.rendering import delete_renditions

RENDITION = "rendition"
ORIGINAL = "original"
RELEASE_FILE = "image release"
UNKNOWN = "without a row"

# The lease that keeps a second gc away; it is no run of the pipeline.
LEASE = "gc"

_ROWS_A_SLICE = 500_000
_KEYS_A_PAGE = 50_000


@dataclass(frozen=True)
class Found:
    """Unused things of one kind: how many and how large (rows have no size).

    `new` are not marked yet, `waiting` are marked for less than the grace, `due` may be deleted now.
    """

    kind: str
    detail: str
    new: int
    waiting: int
    due: int
    bytes: int = 0
    due_bytes: int = 0

    @property
    def count(self) -> int:
        """All of them."""
        return self.new + self.waiting + self.due


def find_renditions(connection: Connection) -> None:
    """Renditions that no kept publication lists and no loaded release publishes in the present recipes."""
    for low, high in slices(connection, "renditions"):
        connection.execute(
            f"""INSERT INTO garbage (key, kind, detail, bytes)
                SELECT key, '{RENDITION}', recipe, bytes FROM renditions AS made
                WHERE sha256 >= %(low)s AND sha256 < %(high)s AND NOT EXISTS (
                    SELECT FROM kept_renditions AS kept JOIN kept_recipes USING (generation)
                    WHERE kept.sha256 >= %(low)s AND kept.sha256 < %(high)s AND kept.sha256 = made.sha256
                        AND kept_recipes.recipe = made.recipe AND kept_recipes.recipe_digest = made.recipe_digest)
                ON CONFLICT DO NOTHING""",
            {"low": low, "high": high},
        )


def find_originals(connection: Connection) -> None:
    """Originals that no catalogue entry, queue, loaded release or kept manifest refers to."""
    for low, high in slices(connection, "raw_images"):
        connection.execute(
            f"""INSERT INTO garbage (key, kind, detail, bytes)
                SELECT 'raw/' || left(encode(sha256, 'hex'), 2) || '/' || encode(sha256, 'hex'), '{ORIGINAL}', '', bytes
                FROM raw_images AS image
                WHERE sha256 >= %(low)s AND sha256 < %(high)s AND NOT EXISTS (
                    SELECT FROM kept_originals AS kept
                    WHERE kept.sha256 >= %(low)s AND kept.sha256 < %(high)s AND kept.sha256 = image.sha256)""",
            {"low": low, "high": high},
        )


def find_files(connection: Connection, files: Sequence[tuple[str, str, int]]) -> None:
    """(key, release, bytes) of files of image releases that are not kept."""
    rows = ((key, RELEASE_FILE, release_id, size) for key, release_id, size in files)
    copy_rows(connection, "garbage", ("key", "kind", "detail", "bytes"), rows)


def find_unknown(connection: Connection, listed: Sequence[tuple[str, int]]) -> None:
    """Of a page of listed renditions and originals (key, bytes), those that no row knows."""
    connection.execute(
        f"""INSERT INTO garbage (key, kind, detail, bytes)
            SELECT key, '{UNKNOWN}', split_part(key, '/', 1), bytes
            FROM (SELECT key, bytes, decode(substring(key FROM '/([0-9a-f]{{64}})[^/]*$'), 'hex') AS sha256
                  FROM unnest(%s::text[], %s::bigint[]) AS listed (key, bytes)) AS listed
            WHERE NOT EXISTS (
                    SELECT FROM renditions AS made WHERE made.sha256 = listed.sha256 AND made.key = listed.key)
                AND NOT (key LIKE 'raw/%%' AND EXISTS (
                    SELECT FROM raw_images AS image WHERE image.sha256 = listed.sha256))
            ON CONFLICT DO NOTHING""",
        [[key for key, _ in listed], [size for _, size in listed]],
    )


def due_before(connection: Connection, grace: timedelta) -> datetime:
    """What was marked before this moment may go: older than the grace, and than every run that is at work now."""
    moment: datetime = one_row(
        connection,
        """SELECT least(now() - %s::interval,
               (SELECT min(taken_at) FROM leases WHERE expires_at > now() AND name <> %s))""",
        [grace, LEASE],
    )[0]
    return moment


def found_objects(connection: Connection, due: datetime) -> list[Found]:
    """The findings by kind and detail."""
    rows = connection.execute(
        """SELECT kind, detail, count(*) FILTER (WHERE marked_at IS NULL),
               count(*) FILTER (WHERE marked_at >= %(due)s), count(*) FILTER (WHERE marked_at < %(due)s),
               sum(bytes)::bigint, coalesce(sum(bytes) FILTER (WHERE marked_at < %(due)s), 0)::bigint
           FROM garbage LEFT JOIN tombstones USING (key) GROUP BY kind, detail ORDER BY kind, detail""",
        {"due": due},
    ).fetchall()
    return [Found(*row) for row in rows]


def mark_objects(connection: Connection) -> None:
    """Tombstones for all findings; those of what is in use again go."""
    connection.execute("ANALYZE garbage")
    connection.execute(
        """DELETE FROM tombstones WHERE key IN (
               SELECT key FROM tombstones WHERE NOT EXISTS (SELECT FROM garbage WHERE garbage.key = tombstones.key)
               ORDER BY key FOR UPDATE)"""
    )
    for page in _pages(connection, "SELECT key FROM garbage WHERE key > %s ORDER BY key LIMIT %s"):
        connection.execute("INSERT INTO tombstones (key) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", [page])


def delete_objects(
    connection: Connection,
    kinds: Sequence[str],
    due: datetime,
    delete: Callable[[list[str]], None],
    keys_a_batch: int = 500,
) -> int:
    """Delete the findings of these kinds that are due: rows, then objects (by `delete`), then tombstones. How many.

    A batch is two transactions. After the first, no row refers to its objects; in the second, its tombstones stay
    locked until the objects are gone, and a run that wants to write one of them waits.
    """
    deleted = 0
    for page in _pages(
        connection,
        """SELECT key FROM garbage JOIN tombstones USING (key)
           WHERE key > %s AND kind = ANY(%s) AND marked_at < %s ORDER BY key LIMIT %s""",
        [list(kinds), due],
        keys_a_batch,
    ):
        with connection.transaction():
            keys = _locked(connection, page, due)
            _delete_rows(connection, keys)
        with connection.transaction():
            keys = _locked(connection, keys, due)
            delete(keys)
            connection.execute("DELETE FROM tombstones WHERE key = ANY(%s)", [keys])
        deleted += len(keys)
    return deleted


def _locked(connection: Connection, keys: Sequence[str], due: datetime) -> list[str]:
    """Those of the keys whose tombstone is still there and due, locked."""
    rows = connection.execute(
        "SELECT key FROM tombstones WHERE key = ANY(%s) AND marked_at < %s ORDER BY key FOR UPDATE", [list(keys), due]
    ).fetchall()
    return [row[0] for row in rows]


def _delete_rows(connection: Connection, keys: Sequence[str]) -> None:
    delete_renditions(connection, keys)
    connection.execute("DELETE FROM published_releases WHERE manifest_key = ANY(%s)", [list(keys)])
    contents = [bytes.fromhex(key.rpartition("/")[2]) for key in keys if key.startswith("raw/")]
    for table in ("raw_images", "fingerprints", "fingerprint_failures", "content_looks", "rendition_failures"):
        connection.execute(sql.SQL("DELETE FROM {} WHERE sha256 = ANY(%s)").format(sql.Identifier(table)), [contents])


def slices(connection: Connection, table: str) -> Iterator[tuple[bytes, bytes]]:
    """Ranges [low, high) of contents that hold about _ROWS_A_SLICE rows of the table each."""
    rows = one_row(connection, "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = %s::regclass", [table])
    slices = min(1 + int(rows[0]) // _ROWS_A_SLICE, 65_536)
    starts = [(65_536 * number // slices).to_bytes(2, "big") for number in range(slices)]
    starts[0] = b""
    return zip(starts, [*starts[1:], b"\xff" * 33], strict=True)


def _pages(
    connection: Connection, query: LiteralString, parameters: Sequence[object] = (), limit: int = _KEYS_A_PAGE
) -> Iterator[list[str]]:
    """The keys of a query by key, page by page; its first parameter is the last key seen, its last one the limit."""
    last = ""
    while rows := connection.execute(query, [last, *parameters, limit]).fetchall():
        yield [row[0] for row in rows]
        last = rows[-1][0]
