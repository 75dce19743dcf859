"""The ledger's queries on what people decided about two pictures, and what of it a release applies.

Decisions refer to contents. A release applies one in every hotel that shows both; `release_decisions` keeps which, and
their digest is part of the hotel's input digests. Does not belong here: what a decision does to the groups, messages.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from resources.ledger.connection import Connection, one_row


@dataclass(frozen=True)
class PairDecision:
    """Somebody says that two contents (sha256 in hex, a < b) show the same picture, or different ones."""

    a: str
    b: str
    same: bool
    note: str | None
    decided_at: str


def contents_beginning(connection: Connection, digits: str, limit: int = 5) -> list[str]:
    """At most `limit` contents in the store whose sha256 begins with these (lower-case, hexadecimal) digits."""
    rows = connection.execute(
        """SELECT encode(sha256, 'hex') FROM raw_images
           WHERE sha256 BETWEEN decode(rpad(%(digits)s, 64, '0'), 'hex') AND decode(rpad(%(digits)s, 64, 'f'), 'hex')
           ORDER BY sha256 LIMIT %(limit)s""",
        {"digits": digits, "limit": limit},
    ).fetchall()
    return [row[0] for row in rows]


def pair_decisions(connection: Connection) -> list[PairDecision]:
    """All decisions, the newest last."""
    rows = connection.execute(
        """SELECT encode(a, 'hex'), encode(b, 'hex'), same, note, to_char(decided_at, 'YYYY-MM-DD HH24:MI:SS "UTC"')
           FROM pair_decisions ORDER BY decided_at, a, b"""
    ).fetchall()
    return [PairDecision(*row) for row in rows]


def lock_decisions(connection: Connection) -> None:
    """Until the transaction ends nobody else decides, so that what was read stays true; readers do not wait."""
    connection.execute("LOCK TABLE pair_decisions IN SHARE ROW EXCLUSIVE MODE")


def record_decision(connection: Connection, a: str, b: str, same: bool, note: str | None) -> None:
    """Keep a decision on two contents (hex, a < b); it replaces an earlier one on the pair."""
    connection.execute(
        """INSERT INTO pair_decisions (a, b, same, note) VALUES (decode(%s, 'hex'), decode(%s, 'hex'), %s, %s)
           ON CONFLICT (a, b) DO UPDATE SET same = excluded.same, note = excluded.note, decided_at = now()""",
        [a, b, same, note],
    )


def forget_decision(connection: Connection, a: str, b: str) -> None:
    """Take back the decision on two contents (hex, a < b)."""
    connection.execute("DELETE FROM pair_decisions WHERE a = decode(%s, 'hex') AND b = decode(%s, 'hex')", [a, b])


def decisions_digest(connection: Connection) -> str:
    """Changes when any decision does."""
    return str(one_row(connection, f"SELECT {_DIGEST_OF_DECISIONS} FROM pair_decisions")[0])


def find_decided_pairs(connection: Connection, images: str) -> str:
    """Fill the temporary table `decided_pairs (hotel_id, a, b, same)` for the hotels of the table `images`.

    Returns the digest of all decisions, those that no hotel shows included. One scan of `images`.
    """
    connection.execute("DROP TABLE IF EXISTS pg_temp.present_decisions, pg_temp.decided_pairs")
    connection.execute("CREATE TEMP TABLE present_decisions AS SELECT a, b, same FROM pair_decisions")
    connection.execute("ANALYZE present_decisions")
    connection.execute(
        sql.SQL(
            """CREATE TEMP TABLE decided_pairs AS
               WITH shown AS MATERIALIZED (
                   SELECT DISTINCT hotel_id, sha256 FROM {images}
                   WHERE NOT placeholder
                       AND sha256 IN (SELECT a FROM present_decisions UNION SELECT b FROM present_decisions))
               SELECT first.hotel_id, a, b, same
               FROM present_decisions
               JOIN shown AS first ON first.sha256 = a
               JOIN shown AS second ON second.sha256 = b AND second.hotel_id = first.hotel_id"""
        ).format(images=sql.Identifier(images))
    )
    return str(one_row(connection, f"SELECT {_DIGEST_OF_DECISIONS} FROM present_decisions")[0])


def record_decided_pairs(connection: Connection, release_id: str, digest: str) -> None:
    """Keep `decided_pairs` as what the release applies; `digest` is that of all decisions."""
    connection.execute("DELETE FROM release_decisions WHERE release_id = %s", [release_id])
    connection.execute("INSERT INTO release_decisions SELECT %s, hotel_id, a, b, same FROM decided_pairs", [release_id])
    connection.execute(
        f"""UPDATE release_hotels AS hotel SET decisions_digest = now.digest
            FROM (SELECT hotel_id, digest FROM release_hotels
                  LEFT JOIN (SELECT hotel_id, {_DIGEST_OF_DECISIONS} AS digest FROM decided_pairs GROUP BY hotel_id)
                      AS decided USING (hotel_id)
                  WHERE release_id = %(release)s AND (digest IS NOT NULL OR decisions_digest IS NOT NULL)) AS now
            WHERE hotel.release_id = %(release)s AND hotel.hotel_id = now.hotel_id
                AND hotel.decisions_digest IS DISTINCT FROM now.digest""",
        {"release": release_id},
    )
    connection.execute(
        f"""UPDATE data_releases SET decisions = %(digest)s, frozen = (
                SELECT {_DIGEST_OF_HOTELS} FROM release_hotels WHERE release_id = %(release)s)
            WHERE release_id = %(release)s""",
        {"digest": digest, "release": release_id},
    )
    connection.execute("DROP TABLE decided_pairs, present_decisions")


_DIGEST_OF_DECISIONS = """md5(coalesce(string_agg(
    encode(a, 'hex') || encode(b, 'hex') || same, ',' ORDER BY a, b), ''))::uuid"""

# What is frozen in a release, over its hotels.
_DIGEST_OF_HOTELS = """md5(coalesce(string_agg(
    hotel_id || members_digest || coalesce(decisions_digest::text, ''), ',' ORDER BY hotel_id), ''))::uuid"""
