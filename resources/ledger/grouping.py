"""The ledger's queries of `image_groups`: hotels to group, what is read of them, the groups found and their links.

Does not belong here: the rule that groups.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, LiteralString

from psycopg import sql

from resources.ledger.connection import Connection
from resources.ledger.shards import GROUP_DIGEST, HOTELS, Shard, has_digest, rows_of

BY_DECISION = "decision"
"""The rule of a link that people made."""


def ungrouped_hotels(connection: Connection, shard: Shard) -> list[tuple[str, int]]:
    """Hotels of the shard whose image groups are not known for their present images and policy, with how many catalogue
    entries they have."""
    return rows_of(
        connection,
        f"""SELECT hotel_id, images {HOTELS} AND NOT EXISTS (
                SELECT FROM grouped_hotels AS done
                WHERE done.hotel_id = hotel.hotel_id AND done.group_digest = {GROUP_DIGEST})
            ORDER BY hotel_id""",
        shard.parameters,
    )


@dataclass(frozen=True)
class HotelContents:
    """All that grouping reads of one hotel, under the digest of just that.

    sha256s (hex), crop_hashes and lumas (packed) are of its distinct contents in bytewise order, without placeholders
    and those that cannot have a fingerprint. decisions: what people said of two of the hotel's contents, (a, b, whether
    same). complete: every content has its fingerprint; otherwise none is given.
    """

    hotel_id: str
    group_digest: str
    sha256s: Sequence[str]
    crop_hashes: Sequence[bytes]
    lumas: Sequence[bytes]
    decisions: Sequence[tuple[str, str, bool]]
    complete: bool


def hotel_contents(connection: Connection, shard: Shard, hotels: Sequence[str], method: str) -> list[HotelContents]:
    """What is to be grouped of `hotels`, as of one moment: a release may be loaded again meanwhile."""
    parameters = {**shard.parameters, "hotels": list(hotels), "method": method}
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        digests = rows_of(
            connection,
            f"SELECT hotel_id, {GROUP_DIGEST}::text {HOTELS} AND hotel_id = ANY(%(hotels)s) ORDER BY hotel_id",
            parameters,
        )
        fingerprints = rows_of(
            connection,
            """SELECT hotel_id, encode(sha256, 'hex'), crop_hashes, luma FROM (
                   SELECT DISTINCT hotel_id, sha256 FROM release_images
                   WHERE release_id = %(release)s AND bucket >= %(low)s AND bucket < %(high)s
                       AND hotel_id = ANY(%(hotels)s) AND NOT placeholder) AS content
               LEFT JOIN (SELECT * FROM fingerprints WHERE method = %(method)s) AS known USING (sha256)
               WHERE NOT EXISTS (SELECT FROM fingerprint_failures AS failed
                   WHERE failed.sha256 = content.sha256 AND failed.method = %(method)s)
               ORDER BY hotel_id, sha256""",
            parameters,
        )
        decided = rows_of(
            connection,
            """SELECT hotel_id, encode(a, 'hex'), encode(b, 'hex'), same FROM release_decisions
               WHERE release_id = %(release)s AND hotel_id = ANY(%(hotels)s) ORDER BY hotel_id, a, b""",
            parameters,
        )
    images_of = {hotel: list(rows) for hotel, rows in groupby(fingerprints, key=itemgetter(0))}
    decisions_of = {hotel: [row[1:] for row in rows] for hotel, rows in groupby(decided, key=itemgetter(0))}
    return [
        _contents(hotel_id, digest, images_of.get(hotel_id, []), decisions_of.get(hotel_id, []))
        for hotel_id, digest in digests
    ]


def _contents(
    hotel_id: str,
    digest: str,
    images: Sequence[tuple[Any, ...]],
    decisions: Sequence[tuple[Any, ...]],
) -> HotelContents:
    complete = all(crop_hashes is not None for _, _, crop_hashes, _ in images)
    sha256s, hashes, lumas = zip(*[row[1:] for row in images], strict=True) if images and complete else ((), (), ())
    return HotelContents(hotel_id, digest, sha256s, hashes, lumas, [(a, b, s) for a, b, s in decisions], complete)


@dataclass(frozen=True)
class LinkRow:
    """Why two contents of a hotel (sha256 in hex, a < b) are in one group.

    rule: the name of the policy's rule, or BY_DECISION. window: the part of b that a shows, as fractions (left, top,
    right, bottom) of b's size; None when only people see it. mirrored: whether a shows it mirrored.
    """

    image_group_id: str
    a: str
    b: str
    rule: str
    score: float
    window: tuple[float, float, float, float] | None
    mirrored: bool


@dataclass(frozen=True)
class GroupedHotel:
    """The image groups of one hotel under the digest of all they were made from.

    groups: image_group_id -> its members (sha256 in hex). weak: groups that hang together by a weak link, and are kept.
    parted: groups near images that people put apart.
    split: weak links that were not accepted. disobeyed: decisions of people that the groups could not obey.
    """

    hotel_id: str
    group_digest: str
    groups: Mapping[str, Sequence[str]]
    links: Sequence[LinkRow]
    weak: Collection[str]
    parted: Collection[str]
    split: int
    disobeyed: int


def record_groups(connection: Connection, hotels: Sequence[GroupedHotel]) -> None:
    """Write the image groups of hotels, and why they are groups, in one transaction."""
    members = [
        (hotel.hotel_id, hotel.group_digest, group, sha256)
        for hotel in hotels
        for group, sha256s in hotel.groups.items()
        for sha256 in sha256s
    ]
    links = [(hotel.hotel_id, hotel.group_digest, link) for hotel in hotels for link in hotel.links]
    with connection.transaction():
        connection.execute(
            """INSERT INTO image_groups (hotel_id, group_digest, image_group_id, sha256)
               SELECT hotel_id, group_digest, image_group_id, decode(sha256, 'hex')
               FROM unnest(%s::text[], %s::uuid[], %s::text[], %s::text[])
                   AS member (hotel_id, group_digest, image_group_id, sha256)
               ON CONFLICT DO NOTHING""",
            [[member[column] for member in members] for column in range(4)],
        )
        connection.execute(
            """INSERT INTO image_group_links (hotel_id, group_digest, image_group_id, a, b, rule, score, mirrored,
                   window_left, window_top, window_right, window_bottom)
               SELECT hotel_id, group_digest, image_group_id, decode(a, 'hex'), decode(b, 'hex'), rule, score, mirrored,
                   side_1, side_2, side_3, side_4
               FROM unnest(%s::text[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::real[],
                       %s::bool[], %s::real[], %s::real[], %s::real[], %s::real[])
                   AS link (hotel_id, group_digest, image_group_id, a, b, rule, score, mirrored,
                       side_1, side_2, side_3, side_4)
               ON CONFLICT DO NOTHING""",
            [
                [hotel_id for hotel_id, _, _ in links],
                [digest for _, digest, _ in links],
                [link.image_group_id for _, _, link in links],
                [link.a for _, _, link in links],
                [link.b for _, _, link in links],
                [link.rule for _, _, link in links],
                [link.score for _, _, link in links],
                [link.mirrored for _, _, link in links],
                *[[link.window[side] if link.window else None for _, _, link in links] for side in range(4)],
            ],
        )
        _flag(connection, "weak_image_groups", [(hotel, group) for hotel in hotels for group in hotel.weak])
        _flag(connection, "parted_image_groups", [(hotel, group) for hotel in hotels for group in hotel.parted])
        connection.execute(
            """INSERT INTO grouped_hotels (hotel_id, group_digest, image_groups, links, weak_groups, parted_groups,
                   split_links, disobeyed)
               SELECT * FROM unnest(%s::text[], %s::uuid[], %s::int[], %s::int[], %s::int[], %s::int[], %s::int[],
                   %s::int[])
               ON CONFLICT DO NOTHING""",
            [
                [hotel.hotel_id for hotel in hotels],
                [hotel.group_digest for hotel in hotels],
                [len(hotel.groups) for hotel in hotels],
                [len(hotel.links) for hotel in hotels],
                [len(hotel.weak) for hotel in hotels],
                [len(hotel.parted) for hotel in hotels],
                [hotel.split for hotel in hotels],
                [hotel.disobeyed for hotel in hotels],
            ],
        )


def _flag(connection: Connection, table: LiteralString, groups: Sequence[tuple[GroupedHotel, str]]) -> None:
    connection.execute(
        sql.SQL(
            """INSERT INTO {table} (hotel_id, group_digest, image_group_id)
               SELECT * FROM unnest(%s::text[], %s::uuid[], %s::text[]) ON CONFLICT DO NOTHING"""
        ).format(table=sql.Identifier(table)),
        [
            [hotel.hotel_id for hotel, _ in groups],
            [hotel.group_digest for hotel, _ in groups],
            [group for _, group in groups],
        ],
    )


def ungrouped_images(connection: Connection, shard: Shard) -> int:
    """Frozen catalogue entries of the shard that are in no image group and no placeholders."""
    return int(
        rows_of(
            connection,
            f"""WITH grouped AS MATERIALIZED (
                    SELECT known.hotel_id, known.sha256
                    FROM (SELECT hotel_id, {GROUP_DIGEST} AS group_digest {HOTELS}) AS hotel
                    JOIN image_groups AS known ON known.hotel_id = hotel.hotel_id
                        AND {has_digest("known.group_digest", "hotel.group_digest")})
                SELECT count(*) FROM release_images AS image
                WHERE release_id = %(release)s AND bucket >= %(low)s AND bucket < %(high)s AND NOT placeholder
                    AND NOT EXISTS (SELECT FROM grouped
                        WHERE grouped.hotel_id = image.hotel_id AND grouped.sha256 = image.sha256)""",
            shard.parameters,
        )[0][0]
    )


@dataclass(frozen=True)
class GroupCounts:
    """What grouping found in a shard, or in a whole release."""

    hotels: int
    contents: int
    image_groups: int
    links: int  # that made these groups
    weak_groups: int  # hang together by a weak link, and are kept
    parted_groups: int  # near images that people put apart
    split_links: int  # weak links that were not accepted
    decisions: int  # of people, on two images of one hotel
    decisions_disobeyed: int


def group_counts(connection: Connection, shard: Shard) -> GroupCounts:
    """Count over the shard's hotels, as far as they are grouped."""
    rows = rows_of(
        connection,
        f"""SELECT count(*),
                (SELECT count(*) FROM release_hotels AS hotel JOIN image_groups AS grouped
                    ON grouped.hotel_id = hotel.hotel_id AND grouped.group_digest = {GROUP_DIGEST}
                    WHERE hotel.release_id = %(release)s AND hotel.bucket >= %(low)s AND hotel.bucket < %(high)s),
                coalesce(sum(image_groups), 0)::bigint, coalesce(sum(links), 0)::bigint,
                coalesce(sum(weak_groups), 0)::bigint, coalesce(sum(parted_groups), 0)::bigint,
                coalesce(sum(split_links), 0)::bigint,
                (SELECT count(*) FROM release_decisions AS decision JOIN release_hotels AS hotel
                        USING (release_id, hotel_id)
                    WHERE hotel.release_id = %(release)s AND hotel.bucket >= %(low)s AND hotel.bucket < %(high)s),
                coalesce(sum(disobeyed), 0)::bigint
            FROM release_hotels AS hotel LEFT JOIN grouped_hotels AS grouped
                ON grouped.hotel_id = hotel.hotel_id AND grouped.group_digest = {GROUP_DIGEST}
            WHERE hotel.release_id = %(release)s AND hotel.bucket >= %(low)s AND hotel.bucket < %(high)s""",
        shard.parameters,
    )
    return GroupCounts(*rows[0])
