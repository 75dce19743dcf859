"""A shard of a release: a range of hotel buckets `[low, high)`, and which of its stages are up to date.

Results belong to (hotel, input digest), so that an unchanged hotel is found done whatever the release. Belongs here:
what the queries of all stages share. Does not belong here: any stage's own tables (grouping, ranking, rendering).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from resources.ledger.connection import Connection

# md5 over a frozen digest, the digest of people's decisions on the hotel's images, and a method's version: the input
# digest of a hotel for that stage.
_DECISIONS = "coalesce(hotel.decisions_digest::text, '')"
GROUP_DIGEST = f"md5(hotel.contents_digest || {_DECISIONS} || %(grouping)s)::uuid"
RANK_DIGEST = f"md5(hotel.members_digest || {_DECISIONS} || %(ranking)s)::uuid"


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


HOTELS = """FROM release_hotels AS hotel
    WHERE hotel.release_id = %(release)s AND hotel.bucket >= %(low)s AND hotel.bucket < %(high)s"""


def has_digest(column: str, digest: str) -> str:
    """Whether `column` is that digest of the hotel, for joins with the many rows that results have of a hotel.

    Written as two inequalities, which an index serves as well. For an equality, PostgreSQL divides its estimate of a
    hotel's rows by the number of digests: it plans for two rows where 100,000 come, and joins them by nested loops.
    """
    return f"{column} >= {digest} AND {column} <= {digest}"


PUBLISHED = f"""FROM release_hotels AS hotel
    JOIN priorities AS priority
        ON priority.hotel_id = hotel.hotel_id AND {has_digest("priority.rank_digest", RANK_DIGEST)}
    WHERE hotel.release_id = %(release)s AND hotel.bucket >= %(low)s AND hotel.bucket < %(high)s"""

# The catalogue entries of `hotels` (`image`) and the image groups of their contents (`grouped`), to be joined by hotel
# and content. Each is found by itself first: no hotel's images are looked up for every one of its groups.
GROUPED_IMAGES = f"""WITH image AS MATERIALIZED (
        SELECT * FROM release_images WHERE release_id = %(release)s AND hotel_id = ANY(%(hotels)s)),
    grouped AS MATERIALIZED (
        SELECT known.hotel_id, known.sha256, known.image_group_id
        FROM (SELECT hotel_id, {GROUP_DIGEST} AS group_digest {HOTELS} AND hotel_id = ANY(%(hotels)s)) AS hotel
        JOIN image_groups AS known
            ON known.hotel_id = hotel.hotel_id AND {has_digest("known.group_digest", "hotel.group_digest")})"""

# The renditions of the content `published.sha256` by the recipes `made_by`: neighbours in the index. The fence keeps
# PostgreSQL from reading the whole table instead, however many contents it expects.
RENDITIONS = """(SELECT * FROM renditions
    WHERE sha256 = published.sha256 AND recipe || '/' || recipe_digest = ANY(%(wanted)s) OFFSET 0)"""


def made_by(recipes: Sequence[tuple[str, str]]) -> list[str]:
    """The recipes (name, digest) as RENDITIONS wants them."""
    return [f"{name}/{digest}" for name, digest in recipes]


def count_hotels(connection: Connection, shard: Shard) -> int:
    """Hotels of the shard, with images or without."""
    return int(rows_of(connection, f"SELECT count(*) {HOTELS}", shard.parameters)[0][0])


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


def run_query(connection: Connection, query: str, parameters: dict[str, Any]) -> Any:
    # The queries are composed of this module's constants only; values always travel as parameters.
    return connection.execute(query, parameters)


def rows_of(connection: Connection, query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = run_query(connection, query, parameters).fetchall()
    return rows


def frame_of(connection: Connection, query: str, parameters: dict[str, Any]) -> pd.DataFrame:
    cursor = run_query(connection, query, parameters)
    return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])
