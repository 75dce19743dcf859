"""Tombstones: what `image-assets gc` found unused, and the rule by which it deletes beneath a running pipeline.

An object is deleted only when its tombstone is older than the grace and than every run at work. So whoever is about to
rely on an object, or to write one, first takes its tombstone away (here), and only then looks which rows there are:

- a row that it then sees has its object, which stays at least for the grace;
- what has no row is written, then gets its row. Whoever deletes removes rows first, and the object only under the lock
  of a tombstone that is still there, so nobody deletes what was written after the tombstone was taken away.

The same holds for results that are rows only, by their `unused_since`. Does not belong here: finding what is unused
and deleting it (garbage).
"""

from __future__ import annotations

from collections.abc import Sequence

from resources.ledger.connection import Connection
from resources.ledger.shards import GROUP_DIGEST, PUBLISHED, RANK_DIGEST, Shard, run_query


def claim(connection: Connection, keys: Sequence[str]) -> None:
    """Take away the tombstones of objects that are about to be written. Waits while one is being deleted."""
    connection.execute(
        """DELETE FROM tombstones WHERE key IN (
               SELECT key FROM tombstones WHERE key = ANY(%s) ORDER BY key FOR UPDATE)""",
        [list(keys)],
    )


def keep_hotels(connection: Connection, shard: Shard) -> None:
    """Image groups and priorities of the shard's hotels by its methods are in use, as far as there are any."""
    for table, same in (
        ("grouped_hotels", f"known.group_digest = {GROUP_DIGEST}"),
        ("ranked_hotels", f"known.rank_digest = {RANK_DIGEST}"),
    ):
        run_query(
            connection,
            f"""UPDATE {table} AS known SET unused_since = NULL FROM release_hotels AS hotel
                WHERE hotel.release_id = %(release)s AND hotel.bucket >= %(low)s AND hotel.bucket < %(high)s
                    AND known.hotel_id = hotel.hotel_id AND {same} AND known.unused_since IS NOT NULL""",
            shard.parameters,
        )


def keep_renditions(connection: Connection, shard: Shard, recipes: Sequence[tuple[str, str]]) -> None:
    """The renditions of the shard's published contents by `recipes` (name, digest) are in use, as far as made."""
    run_query(
        connection,
        f"""DELETE FROM tombstones WHERE key IN (
                SELECT key FROM tombstones
                JOIN renditions AS made USING (key)
                JOIN unnest(%(recipes)s::text[], %(digests)s::text[]) AS wanted (recipe, recipe_digest)
                    USING (recipe, recipe_digest)
                WHERE made.sha256 = decode(substring(key FROM '^renditions/.*/([0-9a-f]{{64}})-'), 'hex')
                    AND made.sha256 IN (SELECT priority.sha256 {PUBLISHED})
                ORDER BY key FOR UPDATE OF tombstones)""",
        {
            **shard.parameters,
            "recipes": [name for name, _ in recipes],
            "digests": [digest for _, digest in recipes],
        },
    )


def keep_method(connection: Connection, method: str) -> None:
    """Fingerprints by this method are in use."""
    connection.execute(
        """INSERT INTO fingerprint_methods AS known (method) VALUES (%s)
           ON CONFLICT (method) DO UPDATE SET unused_since = NULL WHERE known.unused_since IS NOT NULL""",
        [method],
    )
