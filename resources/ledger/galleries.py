"""The ledger's queries on a release's shards: image groups, priorities, renditions, and the published rows.

A shard is a range of hotel buckets `[low, high)`. Results belong to (hotel, input digest), so that an unchanged
hotel is found done whatever the release. Does not belong here: grouping, ranking, rendering.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from resources.ledger.connection import Connection, one_row

# md5 over a frozen digest and a method's version: the input digest of a hotel for that stage.
_GROUP_DIGEST = "md5(hotel.contents_digest || %(grouping)s)::uuid"
_RANK_DIGEST = "md5(hotel.members_digest || %(ranking)s)::uuid"


@dataclass(frozen=True)
class Shard:
    """One shard of one release with the versions of the methods that its results depend on.

    `ranking` names the ranking's own version, the trust in partners, and the grouping it builds on.
    """

    release_id: str
    key: str
    low: int
    high: int
    grouping: str
    ranking: str

    @property
    def parameters(self) -> dict[str, Any]:
        """The named parameters that every query on a shard takes."""
        return {
            "release": self.release_id,
            "low": self.low,
            "high": self.high,
            "grouping": self.grouping,
            "ranking": self.ranking,
        }


_HOTELS = """FROM release_hotels AS hotel
    WHERE hotel.release_id = %(release)s AND hotel.bucket >= %(low)s AND hotel.bucket < %(high)s"""


def count_hotels(connection: Connection, shard: Shard) -> int:
    """Hotels of the shard, with images or without."""
    return int(_query(connection, f"SELECT count(*) {_HOTELS}", shard.parameters)[0][0])


def ungrouped_hotels(connection: Connection, shard: Shard) -> list[str]:
    """Hotels of the shard whose image groups are not known for their present images and policy."""
    rows = _query(
        connection,
        f"""SELECT hotel_id {_HOTELS} AND NOT EXISTS (
                SELECT FROM grouped_hotels AS done
                WHERE done.hotel_id = hotel.hotel_id AND done.group_digest = {_GROUP_DIGEST})
            ORDER BY hotel_id""",
        shard.parameters,
    )
    return [row[0] for row in rows]


def hotel_fingerprints(
    connection: Connection, shard: Shard, hotels: Sequence[str], method: str
) -> list[tuple[str, str, bytes | None]]:
    """(hotel_id, sha256 in hex, packed crop hashes) of the distinct contents of `hotels`, in bytewise order.

    None where the fingerprint is still to come; contents that cannot have one are left out.
    """
    return _query(
        connection,
        """SELECT hotel_id, encode(sha256, 'hex'), crop_hashes FROM (
               SELECT DISTINCT hotel_id, sha256 FROM release_images
               WHERE release_id = %(release)s AND bucket >= %(low)s AND bucket < %(high)s
                   AND hotel_id = ANY(%(hotels)s)) AS content
           LEFT JOIN (SELECT * FROM fingerprints WHERE method = %(method)s) AS known USING (sha256)
           WHERE NOT EXISTS (SELECT FROM fingerprint_failures AS failed
               WHERE failed.sha256 = content.sha256 AND failed.method = %(method)s)
           ORDER BY hotel_id, sha256""",
        {**shard.parameters, "hotels": list(hotels), "method": method},
    )


def record_groups(
    connection: Connection, shard: Shard, hotels: Sequence[str], members: Sequence[tuple[str, str, str]]
) -> None:
    """Write the image groups of `hotels` in one transaction; members are (hotel_id, image_group_id, sha256 in hex)."""
    with connection.transaction():
        connection.execute(
            f"""INSERT INTO image_groups (hotel_id, group_digest, image_group_id, sha256)
                SELECT hotel_id, {_GROUP_DIGEST}, image_group_id, decode(sha256, 'hex')
                FROM unnest(%(hotel)s::text[], %(group)s::text[], %(sha256)s::text[])
                    AS member (hotel_id, image_group_id, sha256)
                JOIN release_hotels AS hotel USING (hotel_id)
                WHERE hotel.release_id = %(release)s AND hotel.bucket >= %(low)s AND hotel.bucket < %(high)s
                ON CONFLICT DO NOTHING""",
            {
                **shard.parameters,
                "hotel": [member[0] for member in members],
                "group": [member[1] for member in members],
                "sha256": [member[2] for member in members],
            },
        )
        connection.execute(
            f"""INSERT INTO grouped_hotels (hotel_id, group_digest)
                SELECT hotel_id, {_GROUP_DIGEST} {_HOTELS} AND hotel_id = ANY(%(hotels)s)
                ON CONFLICT DO NOTHING""",
            {**shard.parameters, "hotels": list(hotels)},
        )


def ungrouped_images(connection: Connection, shard: Shard) -> int:
    """Frozen catalogue entries of the shard that are in no image group."""
    return int(
        _query(
            connection,
            f"""SELECT count(*) FROM release_images AS image
                JOIN (SELECT hotel_id, {_GROUP_DIGEST} AS group_digest {_HOTELS}) AS hotel USING (hotel_id)
                WHERE image.release_id = %(release)s AND image.bucket >= %(low)s AND image.bucket < %(high)s
                    AND NOT EXISTS (SELECT FROM image_groups AS grouped
                        WHERE grouped.hotel_id = hotel.hotel_id AND grouped.group_digest = hotel.group_digest
                            AND grouped.sha256 = image.sha256)""",
            shard.parameters,
        )[0][0]
    )


def unranked_hotels(connection: Connection, shard: Shard) -> list[str]:
    """Grouped hotels of the shard whose priorities are not known for their present members, groups and weights."""
    rows = _query(
        connection,
        f"""SELECT hotel_id {_HOTELS} AND NOT EXISTS (
                SELECT FROM ranked_hotels AS done
                WHERE done.hotel_id = hotel.hotel_id AND done.rank_digest = {_RANK_DIGEST})
                AND EXISTS (SELECT FROM grouped_hotels AS grouped
                    WHERE grouped.hotel_id = hotel.hotel_id AND grouped.group_digest = {_GROUP_DIGEST})
            ORDER BY hotel_id""",
        shard.parameters,
    )
    return [row[0] for row in rows]


def candidates(connection: Connection, shard: Shard, hotels: Sequence[str], method: str) -> pd.DataFrame:
    """One row a entry of `hotels` with its image group and features; `position` is NaN where none was given."""
    return _frame(
        connection,
        f"""SELECT hotel_id, image_group_id, encode(image.sha256, 'hex') AS sha256, partner_id, accommodation_id,
                url, position::float8 AS position, width, height, sharpness, brightness, contrast, colourfulness
            FROM (SELECT hotel_id, {_GROUP_DIGEST} AS group_digest {_HOTELS}
                  AND hotel_id = ANY(%(hotels)s)) AS hotel
            JOIN (SELECT * FROM release_images
                  WHERE release_id = %(release)s AND bucket >= %(low)s AND bucket < %(high)s) AS image
                USING (hotel_id)
            JOIN image_groups AS grouped USING (hotel_id, group_digest, sha256)
            JOIN fingerprints AS f ON f.sha256 = image.sha256 AND f.method = %(method)s
            ORDER BY hotel_id, partner_id, accommodation_id, url""",
        {**shard.parameters, "hotels": list(hotels), "method": method},
    )


PRIORITY_COLUMNS = {
    "hotel_id": "text",
    "image_group_id": "text",
    "position": "int",
    "sha256": "text",
    "partner_id": "text",
    "accommodation_id": "text",
    "url": "text",
    "width": "int",
    "height": "int",
    "score": "float8",
    "part_resolution": "float8",
    "part_sharpness": "float8",
    "part_exposure": "float8",
    "part_partner_position": "float8",
    "part_partners": "float8",
    "part_trust": "float8",
}


def record_priorities(connection: Connection, shard: Shard, hotels: Sequence[str], ranked: pd.DataFrame) -> None:
    """Write the priorities of `hotels` in one transaction; `ranked` has the columns PRIORITY_COLUMNS."""
    names = ", ".join(PRIORITY_COLUMNS)
    arrays = ", ".join(f"%({name})s::{kind}[]" for name, kind in PRIORITY_COLUMNS.items())
    values = ", ".join("decode(sha256, 'hex')" if name == "sha256" else name for name in PRIORITY_COLUMNS)
    with connection.transaction():
        _run(
            connection,
            f"""INSERT INTO priorities (rank_digest, {names})
                SELECT {_RANK_DIGEST}, {values}
                FROM unnest({arrays}) AS ranked ({names})
                JOIN release_hotels AS hotel USING (hotel_id)
                WHERE hotel.release_id = %(release)s AND hotel.bucket >= %(low)s AND hotel.bucket < %(high)s
                ON CONFLICT DO NOTHING""",
            {**shard.parameters, **{name: ranked[name].tolist() for name in PRIORITY_COLUMNS}},
        )
        _run(
            connection,
            f"""INSERT INTO ranked_hotels (hotel_id, rank_digest)
                SELECT hotel_id, {_RANK_DIGEST} {_HOTELS} AND hotel_id = ANY(%(hotels)s)
                ON CONFLICT DO NOTHING""",
            {**shard.parameters, "hotels": list(hotels)},
        )


_PUBLISHED = f"""FROM release_hotels AS hotel
    JOIN priorities AS priority
        ON priority.hotel_id = hotel.hotel_id AND priority.rank_digest = {_RANK_DIGEST}
    WHERE hotel.release_id = %(release)s AND hotel.bucket >= %(low)s AND hotel.bucket < %(high)s"""


def unrendered_contents(
    connection: Connection, shard: Shard, recipes: Sequence[tuple[str, str]], recipes_digest: str
) -> list[tuple[str, list[str]]]:
    """(sha256 in hex, recipes still to make) for the shard's published contents; `recipes` are (name, digest)."""
    return _query(
        connection,
        f"""SELECT encode(sha256, 'hex'), array_agg(recipe ORDER BY recipe)
            FROM (SELECT DISTINCT priority.sha256 {_PUBLISHED}) AS published
            CROSS JOIN unnest(%(recipes)s::text[], %(digests)s::text[]) AS wanted (recipe, recipe_digest)
            WHERE NOT EXISTS (SELECT FROM renditions AS done WHERE done.sha256 = published.sha256
                    AND done.recipe = wanted.recipe AND done.recipe_digest = wanted.recipe_digest)
                AND NOT EXISTS (SELECT FROM rendition_failures AS failed
                    WHERE failed.sha256 = published.sha256 AND failed.recipes_digest = %(recipes_digest)s)
            GROUP BY sha256 ORDER BY sha256""",
        {
            **shard.parameters,
            "recipes": [name for name, _ in recipes],
            "digests": [digest for _, digest in recipes],
            "recipes_digest": recipes_digest,
        },
    )


@dataclass(frozen=True)
class RenditionRow:
    """One rendition in the store: its content (hex) and recipe, its key, size in pixels and bytes, and format."""

    sha256: str
    recipe: str
    recipe_digest: str
    key: str
    width: int
    height: int
    bytes: int
    format: str


def record_renditions(
    connection: Connection,
    made: Sequence[RenditionRow],
    failures: Sequence[tuple[str, str]],
    recipes_digest: str,
) -> None:
    """Write a micro-batch in one transaction, the objects being durable before; failures are (sha256, reason)."""
    with connection.transaction():
        connection.execute(
            """INSERT INTO renditions (sha256, recipe, recipe_digest, key, width, height, bytes, format)
               SELECT decode(sha256, 'hex'), recipe, recipe_digest, key, width, height, bytes, format
               FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::int[], %s::text[])
                   AS made (sha256, recipe, recipe_digest, key, width, height, bytes, format)
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
            ],
        )
        connection.execute(
            """INSERT INTO rendition_failures (sha256, recipes_digest, reason)
               SELECT decode(sha256, 'hex'), %s, reason
               FROM unnest(%s::text[], %s::text[]) AS failed (sha256, reason) ON CONFLICT DO NOTHING""",
            [recipes_digest, [sha256 for sha256, _ in failures], [reason for _, reason in failures]],
        )


def rendition_failures(connection: Connection, shard: Shard, recipes_digest: str) -> list[tuple[str, str]]:
    """(sha256 in hex, reason) of the shard's published contents that cannot be rendered."""
    return _query(
        connection,
        f"""SELECT encode(failed.sha256, 'hex'), failed.reason FROM rendition_failures AS failed
            WHERE failed.recipes_digest = %(recipes_digest)s
                AND failed.sha256 IN (SELECT priority.sha256 {_PUBLISHED}) ORDER BY 1""",
        {**shard.parameters, "recipes_digest": recipes_digest},
    )


def count_published_contents(connection: Connection, shard: Shard) -> int:
    """Distinct contents that the shard publishes."""
    return int(_query(connection, f"SELECT count(DISTINCT priority.sha256) {_PUBLISHED}", shard.parameters)[0][0])


@dataclass(frozen=True)
class ShardCounts:
    """What a shard holds: hotels, contents of its images, image groups, published groups."""

    hotels: int
    hotels_with_images: int
    contents: int
    groups: int


def shard_counts(connection: Connection, shard: Shard) -> ShardCounts:
    """Count the shard's hotels, contents and image groups (of hotels that are grouped)."""
    rows = _query(
        connection,
        f"""SELECT (SELECT count(*) {_HOTELS}), (SELECT count(*) {_HOTELS} AND images > 0),
                count(*), count(DISTINCT (grouped.hotel_id, grouped.image_group_id))
            FROM release_hotels AS hotel JOIN image_groups AS grouped
                ON grouped.hotel_id = hotel.hotel_id AND grouped.group_digest = {_GROUP_DIGEST}
            WHERE hotel.release_id = %(release)s AND hotel.bucket >= %(low)s AND hotel.bucket < %(high)s""",
        shard.parameters,
    )
    return ShardCounts(*rows[0])


def record_shard(
    connection: Connection, shard: Shard, stage: str, input_digest: str, hotels: int, computed: int
) -> None:
    """Keep that a stage of a shard is up to date with an input digest, and how much it had to compute."""
    connection.execute(
        """INSERT INTO shard_builds (release_id, shard, stage, input_digest, hotels, computed)
           VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT (release_id, shard, stage) DO UPDATE SET input_digest = excluded.input_digest,
               hotels = excluded.hotels, computed = excluded.computed, finished_at = now()
           WHERE shard_builds.input_digest <> excluded.input_digest OR excluded.computed > 0""",
        [shard.release_id, shard.key, stage, input_digest, hotels, computed],
    )


def built_shards(connection: Connection, release_id: str) -> dict[tuple[str, str], str]:
    """(shard, stage) -> the input digest it is up to date with."""
    rows = connection.execute(
        "SELECT shard, stage, input_digest FROM shard_builds WHERE release_id = %s", [release_id]
    ).fetchall()
    return {(shard, stage): digest for shard, stage, digest in rows}


@dataclass(frozen=True)
class PublishedPage:
    """A page of a release's published galleries, in bytewise hotel order, as three tables (see the manifest)."""

    hotels: list[str]
    priorities: pd.DataFrame
    members: pd.DataFrame
    renditions: pd.DataFrame


def published_pages(
    connection: Connection, release: Shard, recipes: Sequence[tuple[str, str]], hotels_a_page: int = 2000
) -> Iterator[PublishedPage]:
    """All galleries of a release, page by page. `release` is the shard that spans all buckets."""
    last = ""
    while True:
        hotels = [
            row[0]
            for row in _query(
                connection,
                """SELECT hotel_id FROM release_hotels
                   WHERE release_id = %(release)s AND images > 0 AND hotel_id > %(last)s
                   ORDER BY hotel_id LIMIT %(limit)s""",
                {**release.parameters, "last": last, "limit": hotels_a_page},
            )
        ]
        if not hotels:
            return
        parameters = {
            **release.parameters,
            "hotels": hotels,
            "recipes": [name for name, _ in recipes],
            "digests": [digest for _, digest in recipes],
        }
        yield PublishedPage(
            hotels,
            _frame(
                connection,
                f"""SELECT priority.hotel_id, priority.position, priority.image_group_id,
                        encode(priority.sha256, 'hex') AS sha256, priority.partner_id, priority.accommodation_id,
                        priority.url, priority.width, priority.height, priority.score, priority.part_resolution,
                        priority.part_sharpness, priority.part_exposure, priority.part_partner_position,
                        priority.part_partners, priority.part_trust
                    {_PUBLISHED} AND hotel.hotel_id = ANY(%(hotels)s)
                    ORDER BY hotel_id, position""",
                parameters,
            ),
            _frame(
                connection,
                f"""SELECT hotel_id, grouped.image_group_id, encode(image.sha256, 'hex') AS sha256,
                        image.partner_id, image.accommodation_id, image.url
                    FROM (SELECT hotel_id, {_GROUP_DIGEST} AS group_digest {_HOTELS}
                          AND hotel_id = ANY(%(hotels)s)) AS hotel
                    JOIN (SELECT * FROM release_images
                          WHERE release_id = %(release)s AND hotel_id = ANY(%(hotels)s)) AS image USING (hotel_id)
                    JOIN image_groups AS grouped USING (hotel_id, group_digest, sha256)
                    ORDER BY hotel_id, image_group_id, partner_id, accommodation_id, url""",
                parameters,
            ),
            _frame(
                connection,
                f"""SELECT encode(rendition.sha256, 'hex') AS sha256, rendition.recipe, rendition.key,
                        rendition.width, rendition.height, rendition.bytes, rendition.format
                    FROM (SELECT DISTINCT priority.sha256 {_PUBLISHED}
                          AND hotel.hotel_id = ANY(%(hotels)s)) AS published
                    JOIN renditions AS rendition USING (sha256)
                    JOIN unnest(%(recipes)s::text[], %(digests)s::text[]) AS wanted (recipe, recipe_digest)
                        USING (recipe, recipe_digest)
                    ORDER BY sha256, recipe""",
                parameters,
            ),
        )
        last = hotels[-1]


def published_renditions(
    connection: Connection, release: Shard, recipes: Sequence[tuple[str, str]], contents_a_page: int = 20_000
) -> Iterator[list[tuple[str, int]]]:
    """(key, bytes) of all renditions of published contents, page by page in content order: neighbours share folders."""
    connection.execute("DROP TABLE IF EXISTS pg_temp.published_contents")
    _run(
        connection,
        f"CREATE TEMP TABLE published_contents AS SELECT DISTINCT priority.sha256 {_PUBLISHED}",
        release.parameters,
    )
    connection.execute("CREATE INDEX ON published_contents (sha256)")
    connection.execute("ANALYZE published_contents")
    last = b""
    while True:
        rows = _query(
            connection,
            """SELECT sha256, array_agg(key ORDER BY key), array_agg(bytes ORDER BY key)
               FROM (SELECT sha256 FROM published_contents WHERE sha256 > %(last)s
                     ORDER BY sha256 LIMIT %(limit)s) AS published
               LEFT JOIN (SELECT rendition.* FROM renditions AS rendition
                   JOIN unnest(%(recipes)s::text[], %(digests)s::text[]) AS wanted (recipe, recipe_digest)
                       USING (recipe, recipe_digest)) AS made USING (sha256)
               GROUP BY sha256 ORDER BY sha256""",
            {
                "last": last,
                "limit": contents_a_page,
                "recipes": [name for name, _ in recipes],
                "digests": [digest for _, digest in recipes],
            },
        )
        if not rows:
            break
        yield [pair for _, keys, sizes in rows for pair in zip(keys, sizes, strict=True) if pair[0] is not None]
        last = rows[-1][0]
    connection.execute("DROP TABLE published_contents")


def forget_renditions(connection: Connection, release_id: str, keys: Sequence[str]) -> None:
    """Objects that are not in the store any more: their rows go, and the release's shards must look again."""
    if not keys:
        return
    with connection.transaction():
        connection.execute(
            """DELETE FROM renditions AS made USING (
                   SELECT key, decode(substring(key FROM '/([0-9a-f]{64})-'), 'hex') AS sha256
                   FROM unnest(%s::text[]) AS key) AS gone
               WHERE made.sha256 = gone.sha256 AND made.key = gone.key""",
            [list(keys)],
        )
        connection.execute("DELETE FROM shard_builds WHERE release_id = %s AND stage = 'renditions'", [release_id])


def release_hotel_counts(connection: Connection, release_id: str) -> tuple[int, int]:
    """(hotels, hotels with an available image) of a release."""
    row = one_row(
        connection,
        "SELECT count(*), count(*) FILTER (WHERE images > 0) FROM release_hotels WHERE release_id = %s",
        [release_id],
    )
    return int(row[0]), int(row[1])


def _run(connection: Connection, query: str, parameters: dict[str, Any]) -> Any:
    # The queries are composed of this module's constants only; values always travel as parameters.
    return connection.execute(query, parameters)


def _query(connection: Connection, query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = _run(connection, query, parameters).fetchall()
    return rows


def _frame(connection: Connection, query: str, parameters: dict[str, Any]) -> pd.DataFrame:
    cursor = _run(connection, query, parameters)
    return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])
