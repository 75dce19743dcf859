"""The ledger's catalogue queries on a real PostgreSQL."""

from __future__ import annotations

from fetch_queues import whole_queue

from resources.ledger import Connection, Ledger, catalogues
from resources.ledger.catalogues import CatalogueVersion, DiffCounts
from resources.ledger.fetch_results import FetchResult, record_fetches

Entry = tuple[str, str, str | None]  # accommodation, url, version


def catalogue(version: str) -> CatalogueVersion:
    return CatalogueVersion("ünï", version, f"catalogues/ünï/{version}.csv", f"etag-{version}")


def stage(connection: Connection, version: str, entries: list[Entry]) -> DiffCounts:
    this = catalogue(version)
    catalogues.open_staging(connection, this)
    rows = [(line, a, url, None, None, None, v, None, None) for line, (a, url, v) in enumerate(entries, 2)]
    catalogues.stage_entries(connection, this.partner_id, rows)
    catalogues.reject_duplicates(connection, this, this.object_key)
    return catalogues.diff(connection, this.partner_id)


def apply(connection: Connection, version: str, entries: list[Entry]) -> DiffCounts:
    counts = stage(connection, version, entries)
    catalogues.apply(connection, catalogue(version), counts)
    catalogues.close_staging(connection, "ünï")
    return counts


def queued(connection: Connection) -> list[str]:
    return sorted(fetch.url for fetch in whole_queue(connection, "ünï"))


def row_versions(connection: Connection) -> dict[str, tuple[str, str, str]]:
    """url -> where its row lies, by which transaction it was written, and by which it was locked."""
    rows = connection.execute("SELECT url, ctid::text, xmin::text, xmax::text FROM catalogue_entries").fetchall()
    return {url: (place, written, locked) for url, place, written, locked in rows}


def finish(connection: Connection, outcome: str) -> None:
    """Give every queued image of the partner the same outcome."""
    results = [
        FetchResult(fetch.fetch_key, outcome, None, 1, None, None, None, None, None, 0)
        for fetch in whole_queue(connection, "ünï")
    ]
    record_fetches(connection, "ünï", results, "dhash-1")


def test_the_diff_tells_new_updated_deleted_and_unchanged_urls_apart(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        first = apply(connection, "w1", [("$abc", "u1", None), ("$abc", "u2", "1"), ("0123", "u1", None)])
        second = stage(connection, "w2", [("$abc", "u1", None), ("$abc", "u2", "2"), ("123", "u1", None)])
    assert first == DiffCounts(new=3, updated=0, deleted=0, unchanged=0)
    assert second == DiffCounts(new=1, updated=1, deleted=1, unchanged=1)
    assert second.deleted_share == 1 / 3


def test_a_url_in_two_accommodations_is_fetched_once(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        apply(connection, "w1", [("a", "u1", None), ("b", "u1", None)])
        assert queued(connection) == ["u1"]


def test_of_repeated_rows_the_first_line_stays_and_the_others_are_kept_as_rejected(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        counts = apply(connection, "w1", [("a", "u1", None), ("b", "u1", None), ("a", "u1", "7")])
        assert counts.new == 2
        assert catalogues.count_rejected(connection, "ünï", "w1") == 1
        assert catalogues.reject_reasons(connection, "ünï", "w1") == {"url: duplicate": 1}


def test_only_new_and_updated_urls_are_queued_again(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        apply(connection, "w1", [("a", "u1", None), ("a", "u2", "1")])
        finish(connection, "available")
        apply(connection, "w2", [("a", "u1", None), ("a", "u2", "2"), ("a", "u3", None)])
        assert queued(connection) == ["u2", "u3"]


def test_entries_that_are_as_they_were_are_not_written(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        apply(connection, "w1", [("a", "u1", None), ("a", "u2", "1"), ("b", "u3", None)])
        before = row_versions(connection)
        apply(connection, "w2", [("a", "u1", None), ("a", "u2", "2"), ("b", "u3", None)])
        after = row_versions(connection)
    assert {url for url in after if after[url] != before[url]} == {"u2"}


def test_a_failed_url_gets_one_more_round_with_the_next_version_and_a_rejected_one_does_not(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        apply(connection, "w1", [("a", "u1", None)])
        finish(connection, "failed")
        apply(connection, "w2", [("a", "u1", None)])
        assert queued(connection) == ["u1"]
        finish(connection, "rejected")
        apply(connection, "w3", [("a", "u1", None)])
        assert queued(connection) == []


def test_a_url_that_left_and_came_back_is_fetched_again(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        apply(connection, "w1", [("a", "u1", None)])
        finish(connection, "available")
        apply(connection, "w2", [("a", "u2", None)])
        apply(connection, "w3", [("a", "u1", None)])
        assert queued(connection) == ["u1"]


def test_staging_again_after_a_killed_run_begins_anew(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        stage(connection, "w1", [("a", "u1", None), ("a", "u1", None)])
        assert apply(connection, "w1", [("a", "u1", None), ("a", "u1", None)]).new == 1
        assert catalogues.count_rejected(connection, "ünï", "w1") == 1
