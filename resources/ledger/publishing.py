"""The ledger's query of `image_release`: a release's galleries, page by page, as the manifest's tables.

Does not belong here: the manifest's format, gates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from resources.ledger.connection import Connection
from resources.ledger.shards import GROUPED_IMAGES, PUBLISHED, RENDITIONS, Shard, frame_of, made_by, rows_of


@dataclass(frozen=True)
class PublishedPage:
    """A page of a release's published galleries: hotels in bytewise order, and three tables, see the manifest.

    The tables' rows are in no order.
    """

    hotels: list[str]
    priorities: pd.DataFrame
    members: pd.DataFrame
    renditions: pd.DataFrame


def published_pages(
    connection: Connection, release: Shard, recipes: Sequence[tuple[str, str]], hotels_a_page: int = 500
) -> Iterator[PublishedPage]:
    """All galleries of a release, page by page. `release` is the shard that spans all buckets."""
    last = ""
    while True:
        hotels = [
            row[0]
            for row in rows_of(
                connection,
                """SELECT hotel_id FROM release_hotels
                   WHERE release_id = %(release)s AND images > 0 AND hotel_id > %(last)s
                   ORDER BY hotel_id LIMIT %(limit)s""",
                {**release.parameters, "last": last, "limit": hotels_a_page},
            )
        ]
        if not hotels:
            return
        parameters = {**release.parameters, "hotels": hotels, "wanted": made_by(recipes)}
        yield PublishedPage(
            hotels,
            frame_of(
                connection,
                f"""SELECT priority.hotel_id, priority.position, priority.image_group_id,
                        encode(priority.sha256, 'hex') AS sha256, priority.partner_id, priority.accommodation_id,
                        priority.url, priority.width, priority.height, priority.score, priority.part_resolution,
                        priority.part_sharpness, priority.part_exposure, priority.part_partner_position,
                        priority.part_partners, priority.part_trust
                    {PUBLISHED} AND hotel.hotel_id = ANY(%(hotels)s)""",
                parameters,
            ),
            frame_of(
                connection,
                f"""{GROUPED_IMAGES}
                    SELECT hotel_id, image_group_id, encode(sha256, 'hex') AS sha256, partner_id, accommodation_id, url
                    FROM image JOIN grouped USING (hotel_id, sha256)""",
                parameters,
            ),
            frame_of(
                connection,
                f"""SELECT encode(made.sha256, 'hex') AS sha256, made.recipe, made.key, made.width, made.height,
                        made.bytes, made.format
                    FROM (SELECT DISTINCT priority.sha256 {PUBLISHED}
                          AND hotel.hotel_id = ANY(%(hotels)s)) AS published
                    CROSS JOIN LATERAL {RENDITIONS} AS made""",
                parameters,
            ),
        )
        last = hotels[-1]
