"""The ledger's queries behind `image-assets explain`: why the images of one hotel are grouped as they are.

Does not belong here: anything that decides, pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

from resources.ledger.connection import Connection
from resources.ledger.grouping import LinkRow
from resources.ledger.shards import GROUP_DIGEST, HOTELS, Shard, rows_of


@dataclass(frozen=True)
class ShownImage:
    """A content of the hotel (sha256 in hex), the first catalogue entry that shows it, and how many do.

    image_group_id: None for a placeholder, which is in no group.
    """

    sha256: str
    image_group_id: str | None
    partner_id: str
    accommodation_id: str
    url: str
    entries: int
    placeholder: bool


@dataclass(frozen=True)
class Explanation:
    """Why one hotel of a release has its image groups; `grouped` is false while these are still to be made."""

    release_id: str
    hotel_id: str
    grouped: bool
    images: list[ShownImage]
    links: list[LinkRow]
    weak: set[str]
    parted: set[str]
    split: int
    decisions: list[tuple[str, str, bool]]
    disobeyed: int


def explanation(connection: Connection, release: Shard, hotel_id: str) -> Explanation | None:
    """What is known of a hotel of a release, given as the shard that spans it; None when the release lacks it."""
    parameters = {**release.parameters, "hotel": hotel_id}
    found = rows_of(
        connection,
        f"""SELECT hotel.digest::text, split_links, disobeyed
            FROM (SELECT hotel_id, {GROUP_DIGEST} AS digest {HOTELS} AND hotel_id = %(hotel)s) AS hotel
            LEFT JOIN grouped_hotels AS grouped
                ON grouped.hotel_id = hotel.hotel_id AND grouped.group_digest = hotel.digest""",
        parameters,
    )
    if not found:
        return None
    digest, split, disobeyed = found[0]
    parameters["digest"] = digest
    images = rows_of(
        connection,
        """SELECT encode(sha256, 'hex'), image_group_id, (array_agg(partner_id ORDER BY entry))[1],
               (array_agg(accommodation_id ORDER BY entry))[1], (array_agg(url ORDER BY entry))[1], count(*),
               placeholder
           FROM (SELECT *, ROW (partner_id, accommodation_id, url) AS entry FROM release_images
                 WHERE release_id = %(release)s AND hotel_id = %(hotel)s) AS image
           LEFT JOIN (SELECT image_group_id, sha256 FROM image_groups
                      WHERE hotel_id = %(hotel)s AND group_digest = %(digest)s) AS grouped USING (sha256)
           GROUP BY sha256, image_group_id, placeholder ORDER BY image_group_id, sha256""",
        parameters,
    )
    links = rows_of(
        connection,
        """SELECT image_group_id, encode(a, 'hex'), encode(b, 'hex'), rule, score, mirrored,
               window_left, window_top, window_right, window_bottom
           FROM image_group_links WHERE hotel_id = %(hotel)s AND group_digest = %(digest)s
           ORDER BY image_group_id, score DESC, a, b""",
        parameters,
    )
    weak = rows_of(
        connection,
        "SELECT image_group_id FROM weak_image_groups WHERE hotel_id = %(hotel)s AND group_digest = %(digest)s",
        parameters,
    )
    parted = rows_of(
        connection,
        "SELECT image_group_id FROM parted_image_groups WHERE hotel_id = %(hotel)s AND group_digest = %(digest)s",
        parameters,
    )
    decisions = rows_of(
        connection,
        """SELECT encode(a, 'hex'), encode(b, 'hex'), same FROM release_decisions
           WHERE release_id = %(release)s AND hotel_id = %(hotel)s ORDER BY a, b""",
        parameters,
    )
    return Explanation(
        release.release_id,
        hotel_id,
        split is not None,
        [ShownImage(*image) for image in images],
        [_link(*link) for link in links],
        {row[0] for row in weak},
        {row[0] for row in parted},
        split or 0,
        [(a, b, same) for a, b, same in decisions],
        disobeyed or 0,
    )


def _link(group: str, a: str, b: str, rule: str, score: float, mirrored: bool, *window: float | None) -> LinkRow:
    left, top, right, bottom = (0.0 if side is None else side for side in window)
    return LinkRow(group, a, b, rule, score, None if None in window else (left, top, right, bottom), mirrored)


def packed_fingerprints(
    connection: Connection, sha256s: list[str], method: str
) -> list[tuple[str, bytes, bytes, int, int]]:
    """(sha256 in hex, packed crop hashes, packed luma, width, height) of the contents that have them."""
    return rows_of(
        connection,
        """SELECT encode(sha256, 'hex'), crop_hashes, luma, width, height
           FROM fingerprints JOIN (SELECT decode(unnest(%(wanted)s::text[]), 'hex') AS sha256) AS wanted USING (sha256)
           WHERE method = %(method)s""",
        {"wanted": sha256s, "method": method},
    )
