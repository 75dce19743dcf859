"""The ledger's query of `image_release`: a release's galleries, page by page, as the manifest's tables.

Does not belong here: the manifest's format, gates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from resources.ledger.connection import Connection
from resources.ledger.shards import GROUP_DIGEST, HOTELS, PUBLISHED, Shard, frame_of, rows_of


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
        parameters = {
            **release.parameters,
            "hotels": hotels,
            "recipes": [name for name, _ in recipes],
            "digests": [digest for _, digest in recipes],
        }
        yield PublishedPage(
            hotels,
            frame_of(
                connection,
                f"""SELECT priority.hotel_id, priority.position, priority.image_group_id,
                        encode(priority.sha256, 'hex') AS sha256, priority.partner_id, priority.accommodation_id,
                        priority.url, priority.width, priority.height, priority.score, priority.part_resolution,
                        priority.part_sharpness, priority.part_exposure, priority.part_partner_position,
                        priority.part_partners, priority.part_trust
                    {PUBLISHED} AND hotel.hotel_id = ANY(%(hotels)s)
                    ORDER BY hotel_id, position""",
                parameters,
            ),
            frame_of(
                connection,
                f"""SELECT hotel_id, grouped.image_group_id, encode(image.sha256, 'hex') AS sha256,
                        image.partner_id, image.accommodation_id, image.url
                    FROM (SELECT hotel_id, {GROUP_DIGEST} AS group_digest {HOTELS}
                          AND hotel_id = ANY(%(hotels)s)) AS hotel
                    JOIN (SELECT * FROM release_images
                          WHERE release_id = %(release)s AND hotel_id = ANY(%(hotels)s)) AS image USING (hotel_id)
                    JOIN image_groups AS grouped USING (hotel_id, group_digest, sha256)
                    ORDER BY hotel_id, image_group_id, partner_id, accommodation_id, url""",
                parameters,
            ),
            frame_of(
                connection,
                f"""SELECT encode(rendition.sha256, 'hex') AS sha256, rendition.recipe, rendition.key,
                        rendition.width, rendition.height, rendition.bytes, rendition.format
                    FROM (SELECT DISTINCT priority.sha256 {PUBLISHED}
                          AND hotel.hotel_id = ANY(%(hotels)s)) AS published
                    JOIN renditions AS rendition USING (sha256)
                    JOIN unnest(%(recipes)s::text[], %(digests)s::text[]) AS wanted (recipe, recipe_digest)
                        USING (recipe, recipe_digest)
                    ORDER BY sha256, recipe""",
                parameters,
            ),
        )
        last = hotels[-1]
