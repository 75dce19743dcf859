"""A ledger filled by set-based SQL with as many hotels as wanted: what ingesting them for a year would have left.

Belongs here: the rows, and what of them changes. Does not belong here: what is measured on them.

A hotel has an accommodation at four of twenty partners, of eleven pictures each; one of these is the same file at all
four, so 44 catalogue entries show 41 contents. Two neighbours make an image group. One hotel in fifty shows one more
file that is everybody's placeholder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

from psycopg import sql

from image_assets.hotel_groups.placeholders import LOOKS_VERSION
from image_assets.methods import Methods
from image_assets.renditions import recipe_digest
from image_assets.shards import whole_release
from resources.ledger import Connection
from resources.ledger.shards import GROUP_DIGEST, HOTELS, RANK_DIGEST, run_query

PARTNERS = [f"partner-{number:02}" for number in range(20)]
IMAGES_A_HOTEL = 44
CONTENTS_A_HOTEL = 41
CHANGED_ONE_IN = 100

# All entries: hotel h, the k-th of its partners, picture j of that. `fill` runs it once for every table.
_ENTRIES: LiteralString = """(
    SELECT h, k, j, format('partner-%%s', to_char((h * 7 + h / 100 + k * 5) %% 20, 'FM00')) AS partner_id,
        format('acc-%%s', h) AS accommodation_id,
        format('https://images.partner-%%s.example.com/hotels/%%s/%%s-%%s.jpg',
            (h * 7 + h / 100 + k * 5) %% 20, h / 1000, to_char(h, 'FM0000000'), j) AS url,
        CASE WHEN j = 10 AND k = 3 AND h %% 50 = 0 THEN -1
             WHEN j = 0 THEN h * 44::bigint ELSE h * 44::bigint + k * 11 + j END AS content
    FROM generate_series(0, 3) AS k, generate_series(1, %(hotels)s) AS h, generate_series(0, 10) AS j) AS entry"""

_CONTENTS: LiteralString = f"(SELECT DISTINCT content FROM {_ENTRIES}) AS content"


def fill_catalogues(connection: Connection, hotels: int, methods: Methods) -> None:
    """Applied catalogues of all partners, all pictures fetched and fingerprinted."""
    parameters = {
        "hotels": hotels,
        "method": methods.fingerprint,
        "looks": f"{methods.fingerprint}|{LOOKS_VERSION}",
        "noise": os.urandom(200_000),  # lumas that no compression makes smaller, as those of photographs
        "screening": methods.screening,
        "partners": PARTNERS,
    }
    for table, statement in {
        "partner_catalogues": """
            INSERT INTO partner_catalogues (partner_id, version, etag, screening, fingerprint_method)
            SELECT unnest(%(partners)s::text[]), '0', '', %(screening)s, %(method)s""",
        "catalogue_entries": f"""
            INSERT INTO catalogue_entries (partner_id, accommodation_id, url_key, fetch_key, url, position)
            SELECT partner_id, accommodation_id, md5(url)::uuid, md5(url || E'\\n')::uuid, url, j
            FROM {_ENTRIES} ORDER BY partner_id, h""",
        "fetch_results": f"""
            INSERT INTO fetch_results (partner_id, fetch_key, outcome, attempts, status, sha256)
            SELECT partner_id, md5(url || E'\\n')::uuid, 'available', 1, 200, sha256(content::text::bytea)
            FROM {_ENTRIES} ORDER BY partner_id, h""",
        "fetch_headers": f"""
            INSERT INTO fetch_headers (partner_id, fetch_key, etag, checked_at)
            SELECT partner_id, md5(url || E'\\n')::uuid, left(md5(content::text), 16), now()
            FROM {_ENTRIES} ORDER BY partner_id, h""",
        "raw_images": f"""
            INSERT INTO raw_images SELECT sha256(content::text::bytea), 'JPEG', 1024, 768, 250000 FROM {_CONTENTS}""",
        "fingerprints": f"""
            INSERT INTO fingerprints
            SELECT sha256(content::text::bytea), %(method)s, 1024, 768, 500, 120, 60, 40,
                substr(%(noise)s, 1 + abs(content * 7919 %% 190000)::int, 288),
                substr(%(noise)s, 1 + abs(content * 104729 %% 190000)::int, 1600)
            FROM {_CONTENTS}""",
        "content_looks": f"""
            INSERT INTO content_looks SELECT sha256(content::text::bytea), %(looks)s,
                hashint8extended(content, 1), hashint8extended(content, 2), false FROM {_CONTENTS}""",
    }.items():
        with _indexed_afterwards(connection, table):
            connection.execute(statement, parameters)
    connection.execute("VACUUM ANALYZE")


def fill_galleries(connection: Connection, release_id: str, methods: Methods) -> None:
    """Image groups, priorities and renditions of all hotels of a loaded release."""
    parameters = whole_release(release_id, methods).parameters
    contents = f"""(SELECT hotel_id, {GROUP_DIGEST} AS group_digest, {RANK_DIGEST} AS rank_digest, sha256, partner_id,
            accommodation_id, url, (row_number() OVER (PARTITION BY hotel_id ORDER BY sha256) - 1) / 2 AS number
        FROM (SELECT DISTINCT ON (hotel_id, sha256) * FROM release_images
              WHERE release_id = %(release)s AND NOT placeholder ORDER BY hotel_id, sha256, url) AS image
        JOIN (SELECT hotel.* {HOTELS}) AS hotel USING (hotel_id)) AS content"""
    group = "left(encode(sha256(decode(md5(hotel_id || number), 'hex')), 'hex'), 20)"
    for table, statement in {
        "image_groups": f"SELECT hotel_id, group_digest, {group}, sha256 FROM {contents}",
        "image_group_links": f"""
            SELECT hotel_id, group_digest, {group}, min(sha256), max(sha256), 'aligned', 0.97, false, 0, 0, 1, 1
            FROM {contents} GROUP BY hotel_id, group_digest, number HAVING count(*) = 2""",
        "grouped_hotels": f"""
            SELECT hotel_id, group_digest, count(DISTINCT number), count(*) / 2, 0, 0, 0 FROM {contents}
            GROUP BY hotel_id, group_digest""",
        "priorities": f"""
            SELECT hotel_id, rank_digest, number + 1, {group}, min(sha256), min(partner_id), min(accommodation_id),
                min(url), 1024, 768, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1
            FROM {contents} GROUP BY hotel_id, rank_digest, number""",
        "ranked_hotels": f"SELECT DISTINCT hotel_id, rank_digest FROM {contents}",
    }.items():
        with _indexed_afterwards(connection, table):
            run_query(connection, f"INSERT INTO {table} {statement}", parameters)
    # In the order they are made in: shard by shard, content by content.
    with _indexed_afterwards(connection, "renditions"):
        run_query(
            connection,
            f"""INSERT INTO renditions
                SELECT sha256, recipe, recipe_digest,
                    format('renditions/%%s/%%s/%%s-%%s.jpg', recipe, left(hex, 2), hex, recipe_digest),
                    640, 480, 40000, 'jpeg', 85, false
                FROM (SELECT min(bucket) / 1024 AS shard, sha256, encode(sha256, 'hex') AS hex
                      FROM priorities JOIN (SELECT hotel.* {HOTELS}) AS hotel USING (hotel_id)
                      GROUP BY sha256) AS content
                CROSS JOIN unnest(%(recipes)s::text[], %(digests)s::text[]) AS made (recipe, recipe_digest)
                ORDER BY shard, sha256""",
            {
                **parameters,
                "recipes": [recipe.name for recipe in methods.recipes],
                "digests": [recipe_digest(recipe) for recipe in methods.recipes],
            },
        )
    connection.execute("VACUUM ANALYZE")


def accommodations(hotels: int) -> Iterator[tuple[int, str, str, str]]:
    """The rows of the data release: (line, hotel, partner, accommodation)."""
    for hotel in range(1, hotels + 1):
        for k in range(4):
            yield hotel * 4 + k, f"H{hotel:08}", PARTNERS[(hotel * 7 + hotel // 100 + k * 5) % 20], f"acc-{hotel}"


def catalogue_rows(
    connection: Connection, partner_id: str, changed: bool
) -> Iterator[tuple[int, str, str, int, None, None, str | None, None, None]]:
    """What the partner's catalogue has now, as rows to stage; `changed`: another version of one URL of 1 % of hotels.

    The URL is that of the first of the hotel's partners, so every hotel that changes does so once.
    """
    with connection.transaction(), connection.cursor("catalogue_rows") as cursor:
        cursor.itersize = 20_000
        cursor.execute(
            """SELECT row_number() OVER (), accommodation_id, url, position,
                   CASE WHEN %s AND position = 1 AND substr(accommodation_id, 5)::int %% %s = 0
                       AND (substr(accommodation_id, 5)::int * 7 + substr(accommodation_id, 5)::int / 100) %% 20
                           = right(partner_id, 2)::int THEN '2' END
               FROM catalogue_entries WHERE partner_id = %s""",
            [changed, CHANGED_ONE_IN, partner_id],
        )
        for line, accommodation_id, url, position, version in cursor:
            yield line, accommodation_id, url, position, None, None, version, None, None


@contextmanager
def _indexed_afterwards(connection: Connection, table: str) -> Iterator[None]:
    """Without the table's indexes and keys while it is filled: random keys make them the slowest part of it."""
    keys = connection.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'",
        [table],
    ).fetchall()
    indexes = connection.execute(
        """SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
           WHERE indrelid = %s::regclass AND NOT indisprimary""",
        [table],
    ).fetchall()
    name = sql.Identifier(table)
    for key, _ in keys:
        connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(name, sql.Identifier(key)))
    for index, _ in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(index)))
    yield
    for key, definition in keys:
        connection.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(name, sql.Identifier(key), sql.SQL(definition))
        )
    for _, definition in indexes:
        connection.execute(sql.SQL(definition))
