"""What PostgreSQL reads for a query: as much as the query is about, however large the tables are.

On a ledger of 200 hotels, filled as the benchmark `ledger_at_scale` fills it; the server counts the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from databases import fresh_database

from benchmarks._scaled_ledger import accommodations, fill_catalogues, fill_galleries
from image_assets.methods import Methods
from image_assets.renditions import load_recipes
from image_assets.shards import shard_of, whole_release
from resources.environment import PROJECT
from resources.ledger import (
    Connection,
    Ledger,
    grouping,
    images,
    overview,
    publishing,
    ranking,
    release_loading,
    releases,
    rendering,
    tombstones,
)
from resources.ledger.pending import MOST_COUNTED, PartnerState, partner_states

HOTELS = 200
RELEASE = "2026-W45"
METHODS = Methods(load_recipes(PROJECT / "renditions.yaml"))
RECIPES = METHODS.recipe_digests
WHOLE = whole_release(RELEASE, METHODS)
SHARD = shard_of(RELEASE, "05of16", METHODS)


@pytest.fixture(scope="module")
def filled(postgres_url: str) -> Iterator[Ledger]:
    """The ledger with a loaded release and its galleries; tests leave it as it is."""
    with fresh_database(postgres_url) as url:
        ledger = Ledger(url)
        with ledger.connect() as connection:
            fill_catalogues(connection, HOTELS, METHODS)
            releases.notice_release(connection, RELEASE, "k", "e", {})
            release_loading.open_staging(connection, RELEASE)
            release_loading.stage_accommodations(connection, RELEASE, accommodations(HOTELS))
            release_loading.reject_repeated_accommodations(connection, RELEASE, "k")
            release_loading.freeze_images(connection, RELEASE, METHODS.fingerprint)
            release_loading.freeze_hotels(connection, RELEASE, "e")
            fill_galleries(connection, RELEASE, METHODS)
        yield ledger


@dataclass(frozen=True)
class Read:
    """Rows that were read, by table; those of releases' partitions count for their parent."""

    rows: dict[str, int]

    def __getitem__(self, table: str) -> int:
        return self.rows.get(table, 0)


def rows_read(ledger: Ledger, ask: Callable[[Connection], object]) -> Read:
    """What the server reads while `ask` works, in rows, by sequential scans and by indexes."""
    before = _counted(ledger)
    with ledger.connect() as connection:
        ask(connection)
        connection.execute("SELECT pg_stat_force_next_flush()")
    return Read({table: read - before.get(table, 0) for table, read in _counted(ledger).items()})


def _counted(ledger: Ledger) -> dict[str, int]:
    with ledger.connect() as connection:
        rows = connection.execute(
            """SELECT coalesce(inhparent::regclass::text, relname), sum(seq_tup_read + coalesce(by_index, 0))::bigint
               FROM pg_stat_user_tables
               LEFT JOIN (SELECT relid, sum(idx_tup_read) AS by_index FROM pg_stat_user_indexes GROUP BY relid)
                   AS indexes USING (relid)
               LEFT JOIN pg_inherits ON inhrelid = relid GROUP BY 1"""
        )
        return dict(rows.fetchall())


def count(ledger: Ledger, table: str) -> int:
    with ledger.connect() as connection:
        counted = int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # type: ignore[arg-type, index]
        connection.execute("SELECT pg_stat_force_next_flush()")  # or what is read here counts for the next test
    return counted


def test_the_pages_of_a_release_read_each_row_that_they_list_about_once(filled: Ledger) -> None:
    listed = []

    def all_pages(connection: Connection) -> None:
        for page in publishing.published_pages(connection, WHOLE, RECIPES, hotels_a_page=20):
            listed.append((len(page.priorities), len(page.members), len(page.renditions)))

    read = rows_read(filled, all_pages)
    assert len(listed) == HOTELS / 20
    priorities, members, renditions = (sum(column) for column in zip(*listed, strict=True))
    # Priorities are asked for twice: themselves, and for the contents whose renditions are listed.
    assert read["priorities"] <= 2.2 * priorities
    assert read["release_images"] <= 1.2 * members
    assert read["image_groups"] <= 2.2 * members
    assert read["renditions"] <= 1.2 * renditions


def test_the_check_of_published_renditions_reads_each_once(filled: Ledger) -> None:
    read = rows_read(filled, lambda c: list(rendering.published_renditions(c, WHOLE, RECIPES, contents_a_page=500)))
    assert read["renditions"] <= 1.2 * count(filled, "renditions")


@pytest.mark.parametrize(
    "ask",
    [
        lambda connection: rendering.find_unrendered(connection, SHARD, RECIPES, METHODS.rendering),
        lambda connection: rendering.recipe_sizes(connection, SHARD, RECIPES, {}),
        lambda connection: rendering.renditions_too_large(connection, SHARD, [(*RECIPES[0], 1)], 5),
    ],
    ids=["find_unrendered", "recipe_sizes", "renditions_too_large"],
)
def test_a_shard_reads_its_own_renditions_only(filled: Ledger, ask: Callable[[Connection], object]) -> None:
    read = rows_read(filled, ask)
    assert read["renditions"] <= 1.5 * count(filled, "renditions") / 16


def test_all_that_another_recipe_leaves_to_do_comes_page_by_page_once_and_in_order(filled: Ledger) -> None:
    with filled.connect() as connection:
        published = rendering.count_published_contents(connection, WHOLE)
        found = rendering.find_unrendered(connection, WHOLE, [*RECIPES, ("another", "digest")], "")
        pages = list(rendering.unrendered_pages(connection, 500))
    contents = [content.sha256 for page in pages for content in page]
    assert found == len(contents) == published
    assert contents == sorted(set(contents))
    assert {len(page) for page in pages[:-1]} == {500}
    assert {tuple(content.recipes) for page in pages for content in page} == {(len(RECIPES),)}


def test_whether_every_image_is_grouped_is_seen_by_reading_each_once(filled: Ledger) -> None:
    found: list[int] = []
    read = rows_read(filled, lambda c: found.append(grouping.ungrouped_images(c, SHARD)))
    assert found == [0]
    assert read["image_groups"] <= 1.5 * count(filled, "image_groups") / 16
    assert read["release_images"] <= 1.5 * count(filled, "release_images") / 16


def test_ranking_reads_no_image_of_a_hotel_for_each_of_its_others(filled: Ledger) -> None:
    with filled.connect() as connection:
        hotels = [row[0] for row in connection.execute("SELECT hotel_id FROM release_hotels WHERE bucket < 4096")]
    shard = shard_of(RELEASE, "00of16", METHODS)
    found = []
    read = rows_read(filled, lambda c: found.extend([ranking.candidates(c, shard, hotels, METHODS.fingerprint)]))
    assert len(hotels) > 5
    assert len(found[0]) == 44 * len(hotels)
    assert read["release_images"] <= 2 * len(found[0])
    assert read["image_groups"] <= 2 * len(found[0])


@pytest.fixture
def queued(filled: Ledger) -> Iterator[Ledger]:
    """As on the first day: everything is queued."""
    with filled.connect() as connection:
        connection.execute(
            """INSERT INTO fetch_queue (partner_id, fetch_key, url)
               SELECT 'partner-03', md5(number::text)::uuid, 'https://host/' || number
               FROM generate_series(1, 30000) AS number"""
        )
        connection.execute(
            """INSERT INTO fingerprint_queue
               SELECT 'partner-03', sha256(number::text::bytea) FROM generate_series(1, 30000) AS number"""
        )
        connection.execute("VACUUM ANALYZE fetch_queue, fingerprint_queue")
        yield filled
        connection.execute("TRUNCATE fetch_queue, fingerprint_queue")


def test_a_tick_reads_no_queue_to_its_end(queued: Ledger) -> None:
    found: list[PartnerState] = []
    read = rows_read(queued, lambda c: found.append(partner_states(c)["partner-03"]))
    assert (found[0].queued_fetches, found[0].queued_fingerprints) == (MOST_COUNTED, MOST_COUNTED)
    assert read["fetch_queue"] <= 2 * MOST_COUNTED
    assert read["fingerprint_queue"] <= 2 * MOST_COUNTED


def test_a_page_of_contents_to_fingerprint_is_all_that_is_read_of_the_queue(queued: Ledger) -> None:
    pages: list[list[str]] = []

    def three_pages(connection: Connection) -> None:
        after = ""
        for _ in range(3):
            pages.append(images.queued_fingerprints(connection, "partner-03", METHODS.fingerprint, 100, after))
            after = pages[-1][-1]

    read = rows_read(queued, three_pages)
    assert [sha256 for page in pages for sha256 in page] == sorted({sha256 for page in pages for sha256 in page})
    assert read["fingerprint_queue"] <= 2 * 300
    assert read["fingerprints"] <= 300


def test_images_that_failed_or_were_refused_are_found_among_all_others(filled: Ledger) -> None:
    with filled.connect() as connection:
        connection.execute(
            """INSERT INTO fetch_results (partner_id, fetch_key, outcome, reason, attempts)
               SELECT 'partner-03', md5('none' || number)::uuid, 'failed', 'timeout', 3
               FROM generate_series(1, 7) AS number
               UNION ALL SELECT 'partner-04', md5('small')::uuid, 'rejected', 'too_small', 1"""
        )
        connection.execute("VACUUM ANALYZE fetch_results")
    failed: list[object] = []
    read = rows_read(filled, lambda c: failed.extend([overview.failed_images(c), overview.refused_images(c)]))
    with filled.connect() as connection:
        connection.execute("DELETE FROM fetch_results WHERE outcome <> 'available'")
    assert failed == [{"partner-03": {"timeout": 7}}, {"too_small": 1}]
    assert read["fetch_results"] <= 2 * 8


def test_where_nothing_is_unused_no_hotel_is_looked_up_to_keep_it(filled: Ledger) -> None:
    read = rows_read(filled, lambda c: tombstones.keep_hotels(c, WHOLE))
    assert read["grouped_hotels"] + read["ranked_hotels"] <= 10  # the planner itself looks at the ends of indexes


def test_a_lost_original_is_found_without_reading_all_that_was_fetched(filled: Ledger) -> None:
    lost = ["00" * 32, "11" * 32]
    read = rows_read(filled, lambda c: images.forget_contents(c, lost))
    assert read["fetch_results"] + read["raw_images"] + read["catalogue_entries"] <= 2
