"""The ledger's queries of `renditions`: contents to render, what was made of them, what is gone.

Does not belong here: recipes and pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from resources.ledger.connection import Connection
from resources.ledger.shards import PUBLISHED, RENDITIONS, Shard, made_by, rows_of, run_query


def count_published_contents(connection: Connection, shard: Shard) -> int:
    """Distinct contents that the shard publishes."""
    return int(rows_of(connection, f"SELECT count(DISTINCT priority.sha256) {PUBLISHED}", shard.parameters)[0][0])


class Unrendered(NamedTuple):
    """A content (sha256 in hex), its original's size in bytes, and the numbers of the recipes to make."""

    sha256: str
    bytes: int
    recipes: list[int]


def find_unrendered(
    connection: Connection,
    shard: Shard,
    recipes: Sequence[tuple[str, str]],
    recipes_digest: str,
    failed_again: bool = False,
) -> int:
    """Find the shard's published contents that lack a rendition; how many. `recipes` are (name, digest).

    Those that cannot be read are left out, unless `failed_again`; those of which a rendition was flawed are tried
    again. What is found waits in the session for `unrendered_pages`.
    """
    connection.execute("DROP TABLE IF EXISTS pg_temp.unrendered_contents")
    found = run_query(
        connection,
        f"""CREATE TEMP TABLE unrendered_contents AS
            SELECT sha256, coalesce(image.bytes, 0) AS bytes, missing.recipes
            FROM (SELECT DISTINCT priority.sha256 {PUBLISHED}) AS published
            CROSS JOIN LATERAL (
                SELECT count(*) AS number FROM renditions
                WHERE sha256 = published.sha256 AND recipe || '/' || recipe_digest = ANY(%(wanted)s)) AS made
            CROSS JOIN LATERAL (
                SELECT array_agg(number::int - 1 ORDER BY number) AS recipes
                FROM unnest(%(recipes)s::text[], %(digests)s::text[])
                    WITH ORDINALITY AS wanted (recipe, recipe_digest, number)
                WHERE NOT EXISTS (SELECT FROM renditions AS done WHERE done.sha256 = published.sha256
                    AND done.recipe = wanted.recipe AND done.recipe_digest = wanted.recipe_digest)) AS missing
            LEFT JOIN raw_images AS image USING (sha256)
            WHERE made.number < cardinality(%(wanted)s::text[])
                AND NOT EXISTS (SELECT FROM rendition_failures AS failed
                    WHERE failed.sha256 = published.sha256 AND failed.recipes_digest = %(recipes_digest)s
                        AND NOT failed.flawed AND NOT %(failed_again)s)""",
        {
            **shard.parameters,
            "wanted": made_by(recipes),
            "recipes": [name for name, _ in recipes],
            "digests": [digest for _, digest in recipes],
            "recipes_digest": recipes_digest,
            "failed_again": failed_again,
        },
    )
    connection.execute("CREATE INDEX ON unrendered_contents (sha256)")
    connection.execute("ANALYZE unrendered_contents")
    return int(found.rowcount)


def unrendered_pages(connection: Connection, contents_a_page: int) -> Iterator[list[Unrendered]]:
    """What `find_unrendered` found in this session, page by page in content order: a shard may hold millions."""
    last = b""
    while rows := connection.execute(
        """SELECT sha256, bytes, recipes FROM unrendered_contents WHERE sha256 > %s ORDER BY sha256 LIMIT %s""",
        [last, contents_a_page],
    ).fetchall():
        yield [Unrendered(sha256.hex(), size, recipes) for sha256, size, recipes in rows]
        last = rows[-1][0]


@dataclass(frozen=True)
class RenditionRow:
    """One rendition in the store: its content (hex) and recipe, its key, size in pixels and bytes, and format.

    quality: what it was encoded with. too_large: it takes more bytes than its recipe allows, in the lowest quality.
    """

    sha256: str
    recipe: str
    recipe_digest: str
    key: str
    width: int
    height: int
    bytes: int
    format: str
    quality: int
    too_large: bool


def record_renditions(
    connection: Connection,
    made: Sequence[RenditionRow],
    failures: Sequence[tuple[str, str, bool]],
    recipes_digest: str,
) -> None:
    """Write a micro-batch in one transaction, the objects being durable before.

    Failures are (sha256, reason, flawed): flawed where the image was rendered and a rendition did not pass its check.
    """
    with connection.transaction():
        connection.execute(
            """INSERT INTO renditions
                   (sha256, recipe, recipe_digest, key, width, height, bytes, format, quality, too_large)
               SELECT decode(sha256, 'hex'), recipe, recipe_digest, key, width, height, bytes, format,
                   quality, too_large
               FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::int[], %s::text[],
                           %s::smallint[], %s::boolean[])
                   AS made (sha256, recipe, recipe_digest, key, width, height, bytes, format, quality, too_large)
               ON CONFLICT DO NOTHING""",
            [
                [row.sha256 for row in made],
                [row.recipe for row in made],
                [row.recipe_digest for row in made],
                [row.key for row in made],
                [row.width for row in made],
                [row.height for row in made],
                [row.bytes for row in made],
                [row.format for row in made],
                [row.quality for row in made],
                [row.too_large for row in made],
            ],
        )
        connection.execute(
            "DELETE FROM rendition_failures WHERE sha256 = ANY(%s) AND recipes_digest = %s",
            [[bytes.fromhex(row.sha256) for row in made], recipes_digest],
        )
        connection.execute(
            """INSERT INTO rendition_failures (sha256, recipes_digest, reason, flawed)
               SELECT decode(sha256, 'hex'), %s, reason, flawed
               FROM unnest(%s::text[], %s::text[], %s::boolean[]) AS failed (sha256, reason, flawed)
               ON CONFLICT (sha256, recipes_digest) DO UPDATE SET reason = excluded.reason, flawed = excluded.flawed""",
            [recipes_digest, *map(list, zip(*failures, strict=True))] if failures else [recipes_digest, [], [], []],
        )


def rendition_failures(connection: Connection, shard: Shard, recipes_digest: str) -> list[tuple[str, str, bool]]:
    """(sha256 in hex, reason, flawed) of the shard's published contents that have no renditions."""
    return rows_of(
        connection,
        f"""SELECT encode(failed.sha256, 'hex'), failed.reason, failed.flawed FROM rendition_failures AS failed
            WHERE failed.recipes_digest = %(recipes_digest)s
                AND failed.sha256 IN (SELECT priority.sha256 {PUBLISHED}) ORDER BY 1""",
        {**shard.parameters, "recipes_digest": recipes_digest},
    )


class RecipeSizes(NamedTuple):
    """What a shard's renditions by one recipe take: how many, their bytes, and those of their originals.

    `compared` are the bytes of those that have a counterpart, `counterparts` the bytes of these. `too_large` counts
    those that take more bytes than the recipe allows.
    """

    recipe: str
    number: int
    bytes: int
    originals: int
    compared: int
    counterparts: int
    too_large: int


def recipe_sizes(
    connection: Connection, shard: Shard, recipes: Sequence[tuple[str, str]], counterparts: Mapping[str, str]
) -> list[RecipeSizes]:
    """The sizes of the shard's published renditions by recipe (name, digest), in their order.

    `counterparts` names for some recipes another one of `recipes` to compare their files with.
    """
    sizes = rows_of(
        connection,
        f"""SELECT made.recipe, count(*), sum(made.bytes), coalesce(sum(image.bytes), 0),
                count(*) FILTER (WHERE made.too_large)
            FROM (SELECT DISTINCT priority.sha256 {PUBLISHED}) AS published
            LEFT JOIN raw_images AS image USING (sha256)
            CROSS JOIN LATERAL {RENDITIONS} AS made
            GROUP BY made.recipe""",
        {**shard.parameters, "wanted": made_by(recipes)},
    )
    compared = _compared_bytes(connection, shard, dict(recipes), counterparts) if counterparts else {}
    found = {
        recipe: RecipeSizes(recipe, number, int(size), int(originals), *compared.get(recipe, (0, 0)), too_large)
        for recipe, number, size, originals, too_large in sizes
    }
    return [found[name] for name, _ in recipes if name in found]


def _compared_bytes(
    connection: Connection, shard: Shard, digests: Mapping[str, str], counterparts: Mapping[str, str]
) -> dict[str, tuple[int, int]]:
    """recipe -> the bytes of its renditions that have a counterpart, and the bytes of these."""
    rows = rows_of(
        connection,
        f"""SELECT made.recipe, sum(made.bytes), sum(other.bytes)
            FROM (SELECT DISTINCT priority.sha256 {PUBLISHED}) AS published
            CROSS JOIN LATERAL {RENDITIONS} AS made
            JOIN unnest(%(recipes)s::text[], %(others)s::text[], %(digests)s::text[])
                AS pair (recipe, other, other_digest) USING (recipe)
            JOIN renditions AS other ON other.sha256 = published.sha256 AND other.recipe = pair.other
                AND other.recipe_digest = pair.other_digest
            GROUP BY made.recipe""",
        {
            **shard.parameters,
            "wanted": made_by([(recipe, digests[recipe]) for recipe in counterparts]),
            "recipes": list(counterparts),
            "others": list(counterparts.values()),
            "digests": [digests[other] for other in counterparts.values()],
        },
    )
    return {recipe: (int(size), int(other)) for recipe, size, other in rows}


class TooLarge(NamedTuple):
    """A rendition above the bytes of its recipe: its content (sha256 in hex), its bytes, and the quality it came to."""

    recipe: str
    sha256: str
    bytes: int
    max_bytes: int
    quality: int


def renditions_too_large(
    connection: Connection, shard: Shard, limits: Sequence[tuple[str, str, int]], most: int
) -> list[TooLarge]:
    """The shard's published renditions that exceed their recipe's (name, digest, max_bytes) by most, largest first."""
    rows = rows_of(
        connection,
        f"""SELECT made.recipe, encode(made.sha256, 'hex'), made.bytes, wanted.max_bytes, made.quality
            FROM (SELECT DISTINCT priority.sha256 {PUBLISHED}) AS published
            CROSS JOIN LATERAL {RENDITIONS} AS made
            JOIN unnest(%(recipes)s::text[], %(digests)s::text[], %(limits)s::int[])
                AS wanted (recipe, recipe_digest, max_bytes) USING (recipe, recipe_digest)
            WHERE made.too_large
            ORDER BY made.bytes::float8 / wanted.max_bytes DESC, made.sha256, made.recipe LIMIT %(most)s""",
        {
            **shard.parameters,
            "wanted": made_by([(name, digest) for name, digest, _ in limits]),
            "recipes": [name for name, _, _ in limits],
            "digests": [digest for _, digest, _ in limits],
            "limits": [limit for _, _, limit in limits],
            "most": most,
        },
    )
    return [TooLarge(*row) for row in rows]


def published_renditions(
    connection: Connection, release: Shard, recipes: Sequence[tuple[str, str]], contents_a_page: int = 20_000
) -> Iterator[list[tuple[str, int]]]:
    """(key, bytes) of all renditions of published contents, page by page in content order: neighbours share folders."""
    connection.execute("DROP TABLE IF EXISTS pg_temp.published_contents")
    run_query(
        connection,
        f"CREATE TEMP TABLE published_contents AS SELECT DISTINCT priority.sha256 {PUBLISHED}",
        release.parameters,
    )
    connection.execute("CREATE INDEX ON published_contents (sha256)")
    connection.execute("ANALYZE published_contents")
    last = b""
    while True:
        rows = rows_of(
            connection,
            f"""SELECT sha256, keys, sizes
                FROM (SELECT sha256 FROM published_contents WHERE sha256 > %(last)s
                      ORDER BY sha256 LIMIT %(limit)s) AS published
                CROSS JOIN LATERAL (
                    SELECT coalesce(array_agg(key ORDER BY key), '{{}}') AS keys,
                        coalesce(array_agg(bytes ORDER BY key), '{{}}') AS sizes
                    FROM {RENDITIONS} AS made) AS made
                ORDER BY sha256""",
            {"last": last, "limit": contents_a_page, "wanted": made_by(recipes)},
        )
        if not rows:
            break
        yield [pair for _, keys, sizes in rows for pair in zip(keys, sizes, strict=True)]
        last = rows[-1][0]
    connection.execute("DROP TABLE published_contents")


def forget_renditions(connection: Connection, release_id: str, keys: Sequence[str]) -> None:
    """Delete the rows of objects that are gone from the store; the release's shards must then look again."""
    if not keys:
        return
    with connection.transaction():
        delete_renditions(connection, keys)
        connection.execute("DELETE FROM shard_builds WHERE release_id = %s AND stage = 'renditions'", [release_id])


def delete_renditions(connection: Connection, keys: Sequence[str]) -> None:
    """Delete the rows of these objects; each key tells its content, by which the rows are found."""
    connection.execute(
        """DELETE FROM renditions AS made USING (
               SELECT key, decode(substring(key FROM '/([0-9a-f]{64})-'), 'hex') AS sha256
               FROM unnest(%s::text[]) AS key) AS gone
           WHERE made.sha256 = gone.sha256 AND made.key = gone.key""",
        [list(keys)],
    )
