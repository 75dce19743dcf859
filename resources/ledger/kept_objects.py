"""What `image-assets gc` must keep: all that kept publications, loaded releases and catalogues refer to.

It is written into temporary tables of the session, against which `garbage` compares. Does not belong here: which
releases are kept, and reading manifests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import LiteralString

from resources.ledger.connection import Connection, copy_rows
from resources.ledger.releases import Publication
from resources.ledger.shards import PUBLISHED, Shard, run_query

# The generation of the present recipes; those of kept publications count from 1.
_PRESENT = 0


def kept_publications(connection: Connection, kept: int, current: str | None) -> list[Publication]:
    """The `kept` newest published releases in name order, and the one whose manifest key is `current`."""
    rows = connection.execute(
        """SELECT release_id, input_digest, manifest_digest, manifest_key, summary_key, gallery_key
           FROM published_releases
           WHERE manifest_key = %s OR release_id IN (
               SELECT release_id FROM published_releases ORDER BY release_id DESC LIMIT %s)
           ORDER BY release_id""",
        [current, kept],
    ).fetchall()
    return [Publication(*row) for row in rows]


def open_findings(connection: Connection) -> None:
    """Temporary tables of what is kept and of what is unused, once a session."""
    connection.execute("CREATE TEMP TABLE kept_recipes (generation int, recipe text, recipe_digest text)")
    connection.execute("CREATE TEMP TABLE kept_renditions (sha256 bytea, generation int)")
    connection.execute("CREATE TEMP TABLE kept_originals (sha256 bytea)")
    connection.execute(
        'CREATE TEMP TABLE garbage (key text COLLATE "C" PRIMARY KEY, kind text, detail text, bytes bigint)'
    )


def keep_publication(
    connection: Connection,
    generation: int,
    recipes: Mapping[str, str],
    contents: Iterable[tuple[Sequence[str], Sequence[str]]],
) -> None:
    """Keep what a manifest refers to: `contents` are pages of (published, members) sha256s in hex; each published one
    has a rendition by each of `recipes` (name -> digest). `generation` names the manifest, from 1.
    """
    _keep_recipes(connection, generation, recipes.items())
    for published, members in contents:
        with connection.transaction():
            copy_rows(
                connection,
                "kept_renditions",
                ("sha256", "generation"),
                ((bytes.fromhex(sha256), generation) for sha256 in published),
            )
            copy_rows(connection, "kept_originals", ("sha256",), ((bytes.fromhex(sha256),) for sha256 in members))


def keep_loaded(connection: Connection, loaded: Sequence[Shard], recipes: Sequence[tuple[str, str]]) -> None:
    """Keep what loaded releases (`whole_release` of each) publish by the present methods in the present `recipes`."""
    _keep_recipes(connection, _PRESENT, recipes)
    for release in loaded:
        run_query(
            connection,
            f"INSERT INTO kept_renditions SELECT DISTINCT priority.sha256, {_PRESENT} {PUBLISHED}",
            release.parameters,
        )
    for query in _ORIGINALS_IN_USE:
        connection.execute(query)
    for statement in (
        "CREATE INDEX ON kept_renditions (sha256)",
        "CREATE INDEX ON kept_originals (sha256)",
        "ANALYZE kept_recipes, kept_renditions, kept_originals",
    ):
        connection.execute(statement)


# Every table that refers to a content which cannot be made again without its original.
_ORIGINALS_IN_USE: tuple[LiteralString, ...] = (
    "INSERT INTO kept_originals SELECT DISTINCT sha256 FROM fetch_results WHERE sha256 IS NOT NULL",
    "INSERT INTO kept_originals SELECT sha256 FROM fetch_queue WHERE sha256 IS NOT NULL",
    "INSERT INTO kept_originals SELECT sha256 FROM fingerprint_queue",
    "INSERT INTO kept_originals SELECT DISTINCT sha256 FROM release_images",
    "INSERT INTO kept_originals SELECT DISTINCT source FROM corpus_pictures",
    "INSERT INTO kept_originals SELECT unnest(ARRAY[a, b]) FROM pair_decisions",
)


def _keep_recipes(connection: Connection, generation: int, recipes: Iterable[tuple[str, str]]) -> None:
    rows = ((generation, name, digest) for name, digest in recipes)
    copy_rows(connection, "kept_recipes", ("generation", "recipe", "recipe_digest"), rows)
