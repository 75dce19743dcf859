"""The ledger's queries of `image_groups`: hotels to group, their fingerprints, and the groups found.

Does not belong here: the rule that groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from resources.ledger.connection import Connection
from resources.ledger.shards import GROUP_DIGEST, HOTELS, Shard, rows_of


def ungrouped_hotels(connection: Connection, shard: Shard) -> list[str]:
    """Hotels of the shard whose image groups are not known for their present images and policy."""
    rows = rows_of(
        connection,
        f"""SELECT hotel_id {HOTELS} AND NOT EXISTS (
                SELECT FROM grouped_hotels AS done
                WHERE done.hotel_id = hotel.hotel_id AND done.group_digest = {GROUP_DIGEST})
            ORDER BY hotel_id""",
        shard.parameters,
    )
    return [row[0] for row in rows]


@dataclass(frozen=True)
class HotelFingerprint:
    """A content of a hotel (sha256 in hex) and its packed fingerprint; empty where that is still to come."""

    hotel_id: str
    sha256: str
    crop_hashes: bytes
    luma: bytes


def hotel_fingerprints(
    connection: Connection, shard: Shard, hotels: Sequence[str], method: str
) -> list[HotelFingerprint]:
    """The distinct contents of `hotels`, in bytewise order; contents that cannot have a fingerprint are left out."""
    rows = rows_of(
        connection,
        """SELECT hotel_id, encode(sha256, 'hex'), coalesce(crop_hashes, ''), coalesce(luma, '') FROM (
               SELECT DISTINCT hotel_id, sha256 FROM release_images
               WHERE release_id = %(release)s AND bucket >= %(low)s AND bucket < %(high)s
                   AND hotel_id = ANY(%(hotels)s)) AS content
           LEFT JOIN (SELECT * FROM fingerprints WHERE method = %(method)s) AS known USING (sha256)
           WHERE NOT EXISTS (SELECT FROM fingerprint_failures AS failed
               WHERE failed.sha256 = content.sha256 AND failed.method = %(method)s)
           ORDER BY hotel_id, sha256""",
        {**shard.parameters, "hotels": list(hotels), "method": method},
    )
    return [HotelFingerprint(*row) for row in rows]


def record_groups(
    connection: Connection, shard: Shard, hotels: Sequence[str], members: Sequence[tuple[str, str, str]]
) -> None:
    """Write the image groups of `hotels` in one transaction; members are (hotel_id, image_group_id, sha256 in hex)."""
    with connection.transaction():
        connection.execute(
            f"""INSERT INTO image_groups (hotel_id, group_digest, image_group_id, sha256)
                SELECT hotel_id, {GROUP_DIGEST}, image_group_id, decode(sha256, 'hex')
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
                SELECT hotel_id, {GROUP_DIGEST} {HOTELS} AND hotel_id = ANY(%(hotels)s)
                ON CONFLICT DO NOTHING""",
            {**shard.parameters, "hotels": list(hotels)},
        )


def ungrouped_images(connection: Connection, shard: Shard) -> int:
    """Frozen catalogue entries of the shard that are in no image group."""
    return int(
        rows_of(
            connection,
            f"""SELECT count(*) FROM release_images AS image
                JOIN (SELECT hotel_id, {GROUP_DIGEST} AS group_digest {HOTELS}) AS hotel USING (hotel_id)
                WHERE image.release_id = %(release)s AND image.bucket >= %(low)s AND image.bucket < %(high)s
                    AND NOT EXISTS (SELECT FROM image_groups AS grouped
                        WHERE grouped.hotel_id = hotel.hotel_id AND grouped.group_digest = hotel.group_digest
                            AND grouped.sha256 = image.sha256)""",
            shard.parameters,
        )[0][0]
    )


@dataclass(frozen=True)
class ShardCounts:
    """What a shard holds: hotels, contents of its images, image groups, published groups."""

    hotels: int
    hotels_with_images: int
    contents: int
    groups: int


def shard_counts(connection: Connection, shard: Shard) -> ShardCounts:
    """Count the shard's hotels, contents and image groups (of hotels that are grouped)."""
    rows = rows_of(
        connection,
        f"""SELECT (SELECT count(*) {HOTELS}), (SELECT count(*) {HOTELS} AND images > 0),
                count(*), count(DISTINCT (grouped.hotel_id, grouped.image_group_id))
            FROM release_hotels AS hotel JOIN image_groups AS grouped
                ON grouped.hotel_id = hotel.hotel_id AND grouped.group_digest = {GROUP_DIGEST}
            WHERE hotel.release_id = %(release)s AND hotel.bucket >= %(low)s AND hotel.bucket < %(high)s""",
        shard.parameters,
    )
    return ShardCounts(*rows[0])
