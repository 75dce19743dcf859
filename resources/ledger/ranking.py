"""The ledger's queries of `priorities`: hotels to rank, their candidates, and the priorities found.

Does not belong here: the score.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from resources.ledger.connection import Connection
from resources.ledger.shards import (
    GROUP_DIGEST,
    GROUPED_IMAGES,
    HOTELS,
    RANK_DIGEST,
    Shard,
    frame_of,
    rows_of,
    run_query,
)


def unranked_hotels(connection: Connection, shard: Shard) -> list[str]:
    """Grouped hotels of the shard whose priorities are not known for their present members, groups and weights."""
    rows = rows_of(
        connection,
        f"""SELECT hotel_id {HOTELS} AND NOT EXISTS (
                SELECT FROM ranked_hotels AS done
                WHERE done.hotel_id = hotel.hotel_id AND done.rank_digest = {RANK_DIGEST})
                AND EXISTS (SELECT FROM grouped_hotels AS grouped
                    WHERE grouped.hotel_id = hotel.hotel_id AND grouped.group_digest = {GROUP_DIGEST})
            ORDER BY hotel_id""",
        shard.parameters,
    )
    return [row[0] for row in rows]


def candidates(connection: Connection, shard: Shard, hotels: Sequence[str], method: str) -> pd.DataFrame:
    """One row for each entry of `hotels`, with its image group and features; `position` is NaN where none was given."""
    return frame_of(
        connection,
        f"""{GROUPED_IMAGES}
            SELECT hotel_id, image_group_id, encode(sha256, 'hex') AS sha256, partner_id, accommodation_id,
                url, position::float8 AS position, width, height, sharpness, brightness, contrast, colourfulness
            FROM image JOIN grouped USING (hotel_id, sha256) JOIN fingerprints USING (sha256)
            WHERE method = %(method)s
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
        run_query(
            connection,
            f"""INSERT INTO priorities (rank_digest, {names})
                SELECT {RANK_DIGEST}, {values}
                FROM unnest({arrays}) AS ranked ({names})
                JOIN release_hotels AS hotel USING (hotel_id)
                WHERE hotel.release_id = %(release)s AND hotel.bucket >= %(low)s AND hotel.bucket < %(high)s
                ON CONFLICT DO NOTHING""",
            {**shard.parameters, **{name: ranked[name].tolist() for name in PRIORITY_COLUMNS}},
        )
        run_query(
            connection,
            f"""INSERT INTO ranked_hotels (hotel_id, rank_digest)
                SELECT hotel_id, {RANK_DIGEST} {HOTELS} AND hotel_id = ANY(%(hotels)s)
                ON CONFLICT DO NOTHING""",
            {**shard.parameters, "hotels": list(hotels)},
        )
