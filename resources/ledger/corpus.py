"""The ledger's queries on the corpus: labelled pairs and the fingerprints of their pictures.

Does not belong here: making pairs, judging policies by them, certificates (`certificates`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from resources.ledger.connection import Connection, copy_rows
from resources.ledger.shards import GROUP_DIGEST, HOTELS, Shard, rows_of


class PictureRow(NamedTuple):
    """A picture of the corpus; `picture` is a UUID as text, `source` a sha256 in hex."""

    picture: str
    source: str
    edit: str
    hotel_id: str | None
    name: str
    method: str
    width: int
    height: int
    crop_hashes: bytes
    luma: bytes
    preview: bytes = b""


class PairRow(NamedTuple):
    """A labelled pair, `a` < `b`."""

    a: str
    b: str
    kind: str
    origin: str
    same: bool
    detail: str


class HotelPicture(NamedTuple):
    """A content (sha256 in hex) that a hotel shows, one of its URLs, and its fingerprint as the ledger packs it."""

    hotel_id: str
    sha256: str
    url: str
    width: int
    height: int
    crop_hashes: bytes
    luma: bytes


@dataclass(frozen=True)
class OriginCount:
    """What one origin gave to the corpus."""

    kind: str
    origin: str
    same: int
    different: int


def replace_origin(
    connection: Connection, kind: str, origin: str, pictures: Sequence[PictureRow], pairs: Sequence[PairRow]
) -> None:
    """Write what an origin gives in one transaction, in place of what it gave before."""
    with connection.transaction():
        connection.execute("DELETE FROM corpus_pairs WHERE kind = %s AND origin = %s", [kind, origin])
        connection.execute("CREATE TEMP TABLE new_pictures (LIKE corpus_pictures) ON COMMIT DROP")
        rows = ((row.picture, bytes.fromhex(row.source), *row[2:]) for row in pictures)
        copy_rows(connection, "new_pictures", PictureRow._fields, rows)
        connection.execute(
            """INSERT INTO corpus_pictures SELECT * FROM new_pictures
               ON CONFLICT (picture) DO UPDATE SET
                   hotel_id = coalesce(excluded.hotel_id, corpus_pictures.hotel_id), name = excluded.name,
                   method = excluded.method, width = excluded.width, height = excluded.height,
                   crop_hashes = excluded.crop_hashes, luma = excluded.luma, preview = excluded.preview"""
        )
        copy_rows(connection, "corpus_pairs", PairRow._fields, pairs)
        _drop_unused_pictures(connection)


def forget_origin(connection: Connection, origin: str) -> int:
    """Take out all pairs of an origin, and the pictures that no other pair has; how many pairs."""
    with connection.transaction():
        taken = connection.execute("DELETE FROM corpus_pairs WHERE origin = %s", [origin]).rowcount
        _drop_unused_pictures(connection)
    return taken


def _drop_unused_pictures(connection: Connection) -> None:
    connection.execute(
        """DELETE FROM corpus_pictures AS picture
           WHERE NOT EXISTS (SELECT FROM corpus_pairs WHERE a = picture.picture)
               AND NOT EXISTS (SELECT FROM corpus_pairs WHERE b = picture.picture)"""
    )


def origins(connection: Connection) -> list[OriginCount]:
    """What each origin gave."""
    rows = connection.execute(
        """SELECT kind, origin, count(*) FILTER (WHERE same), count(*) FILTER (WHERE NOT same)
           FROM corpus_pairs GROUP BY kind, origin ORDER BY kind, origin"""
    )
    return [OriginCount(*row) for row in rows]


def corpus_pairs(connection: Connection) -> list[PairRow]:
    """All labelled pairs of the corpus's own tables, in key order."""
    rows = connection.execute(
        """SELECT a::text, b::text, kind, origin, same, detail FROM corpus_pairs ORDER BY a, b, kind, origin"""
    )
    return [PairRow(*row) for row in rows]


def corpus_pictures(connection: Connection, method: str) -> list[PictureRow]:
    """The pictures whose fingerprint is of `method`, in key order; without their previews."""
    rows = connection.execute(
        """SELECT picture::text, encode(source, 'hex'), edit, hotel_id, name, method, width, height, crop_hashes, luma
           FROM corpus_pictures WHERE method = %s ORDER BY picture""",
        [method],
        binary=True,
    )
    return [PictureRow(*row) for row in rows]


def known_pictures(connection: Connection, pictures: Sequence[str], method: str) -> set[str]:
    """Those of some pictures that the corpus has with a fingerprint of `method`."""
    rows = connection.execute(
        "SELECT picture::text FROM corpus_pictures WHERE method = %s AND picture = ANY(%s::uuid[])",
        [method, list(pictures)],
    )
    return {row[0] for row in rows}


def count_pictures_of_other_methods(connection: Connection, method: str) -> int:
    """Pictures of the corpus that another fingerprint method measured."""
    row = connection.execute("SELECT count(*) FROM corpus_pictures WHERE method <> %s", [method]).fetchone()
    assert row is not None
    return int(row[0])


def previews(connection: Connection, pictures: Sequence[str]) -> dict[str, bytes]:
    """The small JPEGs of some pictures of the corpus."""
    rows = connection.execute(
        "SELECT picture::text, preview FROM corpus_pictures WHERE picture = ANY(%s::uuid[])", [list(pictures)]
    )
    return {picture: bytes(preview) for picture, preview in rows}


def pictures_of_hotels(connection: Connection, method: str, pictures: int, seed: int) -> list[HotelPicture]:
    """What whole hotels of the newest loaded data release show, hotels drawn by `seed` until there are `pictures`.

    Placeholders are left out: copies of one under several sha256 are no different pictures.
    """
    rows = connection.execute(
        """WITH newest AS (
               SELECT release_id FROM data_releases WHERE outcome = 'loaded' ORDER BY release_id DESC LIMIT 1),
           drawn AS (
               SELECT hotel_id,
                   sum(images) OVER (ORDER BY md5(%(seed)s || ' ' || hotel_id), hotel_id) - images AS before
               FROM release_hotels JOIN newest USING (release_id) WHERE images > 0),
           shown AS (
               SELECT DISTINCT ON (hotel_id, sha256) hotel_id, sha256, url
               FROM release_images JOIN newest USING (release_id)
               JOIN (SELECT hotel_id FROM drawn WHERE before < %(pictures)s) AS chosen USING (hotel_id)
               WHERE NOT placeholder
               ORDER BY hotel_id, sha256, url)
           SELECT hotel_id, encode(sha256, 'hex'), url, width, height, crop_hashes, luma
           FROM shown JOIN fingerprints USING (sha256) WHERE method = %(method)s ORDER BY hotel_id, sha256""",
        {"seed": str(seed), "pictures": pictures, "method": method},
    )
    return [HotelPicture(*row) for row in rows]


def pictures_of_one_partner(connection: Connection, method: str, pictures: int, seed: int) -> list[HotelPicture]:
    """What one partner offers of hotels of the newest loaded data release: of each hotel the pictures of the
    accommodation that has most of them, hotels drawn by `seed` until there are `pictures`. No placeholders.
    """
    rows = connection.execute(
        """WITH newest AS (
               SELECT release_id FROM data_releases WHERE outcome = 'loaded' ORDER BY release_id DESC LIMIT 1),
           drawn AS (
               SELECT hotel_id, row_number() OVER (ORDER BY md5(%(seed)s || ' ' || hotel_id), hotel_id) AS turn
               FROM release_hotels JOIN newest USING (release_id) WHERE images > 0 ORDER BY turn LIMIT %(pictures)s),
           entries AS (
               SELECT turn, release_images.* FROM release_images JOIN newest USING (release_id)
               JOIN drawn USING (hotel_id) WHERE NOT placeholder),
           offers AS (
               SELECT turn, hotel_id, partner_id, accommodation_id, count(DISTINCT sha256) AS pictures
               FROM entries GROUP BY turn, hotel_id, partner_id, accommodation_id),
           largest AS (
               SELECT DISTINCT ON (turn) * FROM offers
               ORDER BY turn, pictures DESC, partner_id, accommodation_id),
           chosen AS (SELECT *, sum(pictures) OVER (ORDER BY turn) - pictures AS before FROM largest),
           shown AS (
               SELECT DISTINCT ON (hotel_id, sha256) hotel_id, sha256, url
               FROM entries JOIN chosen USING (hotel_id, partner_id, accommodation_id)
               WHERE before < %(pictures)s
               ORDER BY hotel_id, sha256, url)
           SELECT hotel_id, encode(sha256, 'hex'), url, width, height, crop_hashes, luma
           FROM shown JOIN fingerprints USING (sha256) WHERE method = %(method)s ORDER BY hotel_id, sha256""",
        {"seed": str(seed), "pictures": pictures, "method": method},
    )
    return [HotelPicture(*row) for row in rows]


def pair_mix(connection: Connection, release: Shard, hotels: int) -> tuple[int, int, int]:
    """(hotels, pairs of the same picture, pairs of different ones) inside some hotels of a release, as grouped now.

    release: the shard that spans all hotels. At most `hotels` of them, drawn by a hash; those that are grouped by the
    present methods count so, others as they were grouped before.
    """
    row = rows_of(
        connection,
        f"""WITH drawn AS (SELECT hotel_id, {GROUP_DIGEST} AS present {HOTELS} ORDER BY md5(hotel_id) LIMIT %(hotels)s),
            known AS (
                SELECT DISTINCT ON (hotel_id) hotel_id, group_digest FROM drawn JOIN grouped_hotels USING (hotel_id)
                ORDER BY hotel_id, group_digest = present DESC, group_digest),
            sizes AS (
                SELECT hotel_id, count(*) AS images FROM known JOIN image_groups USING (hotel_id, group_digest)
                GROUP BY hotel_id, image_group_id),
            hotels AS (
                SELECT sum(images) AS images, sum(images * (images - 1) / 2) AS same FROM sizes GROUP BY hotel_id)
            SELECT count(*), coalesce(sum(same), 0), coalesce(sum(images * (images - 1) / 2 - same), 0) FROM hotels""",
        {**release.parameters, "hotels": hotels},
    )[0]
    return int(row[0]), int(row[1]), int(row[2])


def contents(connection: Connection, sha256s: Sequence[str], method: str) -> list[HotelPicture]:
    """The fingerprints of single contents (hex); those without one are left out. The URL is empty."""
    rows = connection.execute(
        """SELECT '', encode(sha256, 'hex'), '', width, height, crop_hashes, luma FROM fingerprints
           WHERE method = %s AND sha256 = ANY(%s) ORDER BY sha256""",
        [method, [bytes.fromhex(sha256) for sha256 in sha256s]],
    )
    return [HotelPicture(*row) for row in rows]
