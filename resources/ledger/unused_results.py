"""Results that are rows only and that nothing uses: image groups, priorities, fingerprints and failures of old methods.

Each is marked by `unused_since` and deleted by `image-assets gc` when it stayed unused for the grace; stages that rely
on one take the mark away first (tombstones). Does not belong here: objects of the store (garbage).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import sql

from resources.ledger.connection import Connection, one_row
from resources.ledger.garbage import Found, slices
from resources.ledger.shards import GROUP_DIGEST, RANK_DIGEST, rows_of, run_query

_HOTELS_A_PAGE = 20_000


def found_hotels(connection: Connection, grouping: str, ranking: str, due: datetime) -> list[Found]:
    """Image groups and priorities, counted in hotels, that no loaded release uses by the present methods."""
    return [
        Found(
            results.kind,
            "",
            *rows_of(
                connection,
                f"""SELECT count(*) FILTER (WHERE unused_since IS NULL),
                        count(*) FILTER (WHERE unused_since >= %(due)s), count(*) FILTER (WHERE unused_since < %(due)s)
                    FROM {results.hotels} AS known WHERE NOT {results.in_use}""",
                {"grouping": grouping, "ranking": ranking, "due": due},
            )[0],
        )
        for results in _RESULTS
    ]


@dataclass(frozen=True)
class _Results:
    """Results of hotels: the table of hotels that have them, by digest, and the tables of the results themselves."""

    kind: str
    hotels: str
    digest: str
    present: str
    tables: tuple[str, ...]

    @property
    def in_use(self) -> str:
        return f"""EXISTS (SELECT FROM release_hotels AS hotel
            WHERE hotel.hotel_id = known.hotel_id AND known.{self.digest} = {self.present})"""


_RESULTS = (
    _Results(
        "image groups",
        "grouped_hotels",
        "group_digest",
        GROUP_DIGEST,
        ("image_groups", "image_group_links", "weak_image_groups", "parted_image_groups"),
    ),
    _Results("priorities", "ranked_hotels", "rank_digest", RANK_DIGEST, ("priorities",)),
)


def collect_hotels(connection: Connection, grouping: str, ranking: str, due: datetime) -> int:
    """Mark unused image groups and priorities and delete those that are due, hotels page by page. Hotels deleted."""
    methods = {"grouping": grouping, "ranking": ranking, "due": due}
    return sum(_collect_hotels(connection, results, methods) for results in _RESULTS)


def _collect_hotels(connection: Connection, results: _Results, methods: Mapping[str, Any]) -> int:
    deleted = 0
    last = ""
    while True:
        end = rows_of(
            connection,
            f"""SELECT max(hotel_id) FROM (
                    SELECT hotel_id FROM {results.hotels} WHERE hotel_id > %(last)s
                    ORDER BY hotel_id LIMIT %(limit)s) AS page""",
            {"last": last, "limit": _HOTELS_A_PAGE},
        )[0][0]
        if end is None:
            return deleted
        page = {**methods, "last": last, "end": end}
        here = "known.hotel_id > %(last)s AND known.hotel_id <= %(end)s"
        for change, condition in (
            ("NULL", f"unused_since IS NOT NULL AND {results.in_use}"),
            ("now()", f"unused_since IS NULL AND NOT {results.in_use}"),
        ):
            statement = f"UPDATE {results.hotels} AS known SET unused_since = {change} WHERE {here} AND {condition}"
            run_query(connection, statement, page)
        with connection.transaction():
            gone = rows_of(
                connection,
                f"""DELETE FROM {results.hotels} AS known WHERE {here} AND unused_since < %(due)s
                    RETURNING hotel_id, {results.digest}""",
                page,
            )
            for table in results.tables:
                run_query(
                    connection,
                    f"""DELETE FROM {table} AS result
                        USING unnest(%(hotels)s::text[], %(digests)s::uuid[]) AS gone (hotel_id, digest)
                        WHERE result.hotel_id = gone.hotel_id AND result.{results.digest} = gone.digest""",
                    {"hotels": [hotel_id for hotel_id, _ in gone], "digests": [digest for _, digest in gone]},
                )
        deleted += len(gone)
        last = end


def forget_other_builds(connection: Connection, present: Sequence[tuple[str, str, str]]) -> None:
    """Shards built by other methods than the present ones (release, stage, input digest) no longer count as built.

    What they were made of may be collected; when those methods come back, the stages look again.
    """
    connection.execute(
        """DELETE FROM shard_builds AS built WHERE NOT EXISTS (
               SELECT FROM unnest(%s::text[], %s::text[], %s::text[]) AS present (release_id, stage, input_digest)
               WHERE present.release_id = built.release_id AND present.stage = built.stage
                   AND present.input_digest = built.input_digest)""",
        [[release for release, _, _ in present], [stage for _, stage, _ in present], [d for _, _, d in present]],
    )


def found_methods(connection: Connection, method: str, due: datetime) -> list[Found]:
    """Fingerprints by methods that neither the settings (`method`) nor any partner's pictures use any more."""
    rows = connection.execute(
        f"""SELECT method, unused_since, (SELECT count(*) FROM fingerprints AS made WHERE made.method = known.method)
            FROM fingerprint_methods AS known WHERE NOT {_METHOD_IN_USE} ORDER BY method""",
        {"method": method},
    ).fetchall()
    return [
        Found(
            "fingerprints",
            name,
            count if since is None else 0,
            count if since is not None and since >= due else 0,
            count if since is not None and since < due else 0,
        )
        for name, since, count in rows
    ]


_METHOD_IN_USE: LiteralString = """(known.method = %(method)s OR EXISTS (
    SELECT FROM partner_catalogues AS partner WHERE partner.fingerprint_method = known.method))"""


def collect_methods(connection: Connection, method: str, due: datetime) -> int:
    """Mark unused methods; delete the fingerprints by those that are due, slice by slice. How many."""
    parameters = {"method": method}
    for marking in (
        f"""UPDATE fingerprint_methods AS known SET unused_since = NULL
            WHERE unused_since IS NOT NULL AND {_METHOD_IN_USE}""",
        f"""UPDATE fingerprint_methods AS known SET unused_since = now()
            WHERE unused_since IS NULL AND NOT {_METHOD_IN_USE}""",
    ):
        connection.execute(marking, parameters)
    rows = connection.execute("SELECT method FROM fingerprint_methods WHERE unused_since < %s ORDER BY 1", [due])
    return sum(_delete_method(connection, name, due) for (name,) in rows.fetchall())


def _delete_method(connection: Connection, method: str, due: datetime) -> int:
    deleted = 0
    unused: LiteralString = "SELECT FROM fingerprint_methods WHERE method = %s AND unused_since < %s FOR UPDATE"
    for low, high in slices(connection, "fingerprints"):
        with connection.transaction():
            if connection.execute(unused, [method, due]).fetchone() is None:
                return deleted  # somebody came back to it
            # Looks carry a version of their own behind that of the fingerprint.
            connection.execute(
                "DELETE FROM content_looks WHERE starts_with(method, %s || '|') AND sha256 >= %s AND sha256 < %s",
                [method, low, high],
            )
            for table in ("fingerprints", "fingerprint_failures"):
                deleted += connection.execute(
                    sql.SQL("DELETE FROM {} WHERE method = %s AND sha256 >= %s AND sha256 < %s").format(
                        sql.Identifier(table)
                    ),
                    [method, low, high],
                ).rowcount
    connection.execute("DELETE FROM fingerprint_methods WHERE method = %s AND unused_since < %s", [method, due])
    return deleted


def found_failures(connection: Connection, recipes_digest: str) -> list[Found]:
    """Renderings that failed by other recipes than the present ones. Nobody relies on them: they go at once."""
    counting: LiteralString = "SELECT count(*) FROM rendition_failures WHERE recipes_digest <> %s"
    return [Found("rendition failures", "", 0, 0, one_row(connection, counting, [recipes_digest])[0])]


def delete_failures(connection: Connection, recipes_digest: str) -> int:
    """Delete the renderings that failed by other recipes. How many."""
    return connection.execute("DELETE FROM rendition_failures WHERE recipes_digest <> %s", [recipes_digest]).rowcount
