"""The ledger's queries on data releases: what a release sees is frozen, and its digests tell changes apart."""

from __future__ import annotations

import hashlib
import random

from fetch_queues import whole_queue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.ledger import Connection, Ledger, catalogues, grouping, images, release_loading, releases
from resources.ledger.catalogues import CatalogueVersion
from resources.ledger.decisions import decisions_digest, forget_decision, record_decision
from resources.ledger.explaining import explanation
from resources.ledger.fetch_results import FetchResult, record_fetches
from resources.ledger.gates import FAILED_SHARE, Gate, accept_gate, record_gate
from resources.ledger.grouping import GroupedHotel, LinkRow
from resources.ledger.images import FingerprintRow
from resources.ledger.release_sources import held_partners, last_passed
from resources.ledger.release_tables import release_table
from resources.ledger.releases import DataRelease
from resources.ledger.shards import GROUP_DIGEST, HOTELS, RANK_DIGEST, Shard

METHOD = "dhash-1"
Row = tuple[str, str, str]  # hotel, partner, accommodation
Entry = tuple[str, str, int | None]  # accommodation, url, position


def content(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


def offer(connection: Connection, partner_id: str, entries: list[Entry]) -> None:
    """Make these the partner's entries; the picture behind each URL is to be fetched."""
    catalogue = CatalogueVersion(partner_id, "w1", "k", "e")
    catalogues.open_staging(connection, catalogue)
    rows = [(n, a, url, position, None, None, None, None, None) for n, (a, url, position) in enumerate(entries)]
    catalogues.stage_entries(connection, partner_id, rows)
    catalogues.reject_duplicates(connection, catalogue, "k")
    catalogues.apply(connection, catalogue, catalogues.diff(connection, partner_id))
    catalogues.close_staging(connection, partner_id)


def fetch(connection: Connection, partner_id: str, outcome: str = "available", url: str | None = None) -> None:
    """Give what the partner has queued (only `url`) an outcome."""
    results = [
        FetchResult(q.fetch_key, outcome, None, 1, 200, content(q.url), "JPEG", 640, 480, 1)
        for q in whole_queue(connection, partner_id)
        if url in (None, q.url)
    ]
    record_fetches(connection, partner_id, results, METHOD)


def fingerprint(connection: Connection, partner_id: str, method: str = METHOD, failing: str | None = None) -> None:
    """Give the partner's queued contents their fingerprints; the one of the URL `failing` cannot have one."""
    contents = images.queued_fingerprints(connection, partner_id, method, 1000)
    rows = [FingerprintRow(c, 640, 480, 1, 1, 1, 1, b"h" * 288, b"l") for c in contents if c != content(str(failing))]
    failures = [(content(failing), "cannot be read")] if failing else []
    images.record_fingerprints(connection, partner_id, method, rows, failures)


def has_pictures(connection: Connection, partner_id: str, entries: list[Entry]) -> None:
    """Offered, fetched and fingerprinted."""
    offer(connection, partner_id, entries)
    fetch(connection, partner_id)
    fingerprint(connection, partner_id)


def load(connection: Connection, release_id: str, rows: list[Row], etag: str = "e") -> DataRelease:
    releases.notice_release(connection, release_id, f"data-releases/{release_id}.csv", etag, {})
    release_loading.open_staging(connection, release_id)
    release_loading.stage_accommodations(connection, release_id, [(n, *row) for n, row in enumerate(rows, 2)])
    release_loading.reject_repeated_accommodations(connection, release_id, "r.csv")
    release_loading.freeze_images(connection, release_id, METHOD)
    release_loading.freeze_hotels(connection, release_id, etag)
    release_loading.close_staging(connection, release_id)
    known = releases.data_release(connection, release_id)
    assert known is not None
    return known


def seen(connection: Connection, release_id: str) -> list[tuple[str, str, str, str]]:
    """(hotel, partner, accommodation, url) of what the release sees."""
    return connection.execute(
        """SELECT hotel_id, partner_id, accommodation_id, url FROM release_images WHERE release_id = %s
           ORDER BY 1, 2, 3, 4""",
        [release_id],
    ).fetchall()


def digests(connection: Connection, release_id: str) -> dict[str, tuple[str, str]]:
    """hotel -> (contents digest, members digest)."""
    rows = connection.execute(
        "SELECT hotel_id, contents_digest::text, members_digest::text FROM release_hotels WHERE release_id = %s",
        [release_id],
    ).fetchall()
    return {hotel: (contents, members) for hotel, contents, members in rows}


def tables(connection: Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT relname FROM pg_class WHERE relkind = 'r'").fetchall()}


def test_a_release_sees_the_images_of_its_hotels_that_are_available_and_nothing_else(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        offer(connection, "ünï", [("$abc", "good", 1), ("$abc", "bad", 2), ("$abc", "late", 3), ("other", "good", 1)])
        fetch(connection, "ünï", "available", "good")
        fetch(connection, "ünï", "rejected", "bad")
        fingerprint(connection, "ünï")
        known = load(connection, "r1", [("H1", "ünï", "$abc"), ("H2", "ünï", "unknown"), ("H3", "nobody", "x")])
        assert seen(connection, "r1") == [("H1", "ünï", "$abc", "good")]
    assert (known.hotels, known.accommodations, known.images) == (3, 3, 1)
    assert (known.unknown_partners, known.unknown_accommodations) == (1, 2)


def test_the_server_knows_what_is_in_a_release_as_soon_as_it_is_loaded(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", f"url-{number}", number) for number in range(20)])
        load(connection, "r1", [("H1", "p", "1")])
        tables = [release_table(parent, "r1") for parent in ("release_images", "release_hotels")]
        described = connection.execute(
            "SELECT tablename FROM pg_stats WHERE attname = 'bucket' AND tablename = ANY(%s)", [tables]
        ).fetchall()
    assert {row[0] for row in described} == set(tables)


def judge(connection: Connection, partner_id: str, passed: bool) -> None:
    record_gate(connection, Gate("raw_images", partner_id, FAILED_SHARE, "digest", passed, "why"))


def test_a_partner_whose_gate_is_closed_is_seen_as_in_the_last_release_it_passed(ledger: Ledger) -> None:
    rows = [("H1", "p", "1"), ("H1", "q", "1")]
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "old", 1), ("2", "old2", 1)])
        has_pictures(connection, "q", [("1", "q-old", 1)])
        load(connection, "r1", rows)
        has_pictures(connection, "p", [("1", "new", 1)])
        has_pictures(connection, "q", [("1", "q-new", 1)])
        judge(connection, "p", passed=False)
        load(connection, "r2", rows)
        assert seen(connection, "r2") == [("H1", "p", "1", "old"), ("H1", "q", "1", "q-new")]
        assert held_partners(connection, "r2") == {"p": "r1"}
        load(connection, "r3", [("H2", "p", "2"), *rows])
        assert "old2" not in {url for *_, url in seen(connection, "r3")}, "r1 had no hotel with 2"
        judge(connection, "p", passed=True)
        load(connection, "r4", rows)
        assert seen(connection, "r4") == [("H1", "p", "1", "new"), ("H1", "q", "1", "q-new")]
        assert last_passed(connection, "p") == "r4"


def test_the_pictures_of_the_last_release_that_passed_are_carried_on_when_it_is_dropped(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "old", 1)])
        load(connection, "r1", [("H1", "p", "1")])
        has_pictures(connection, "p", [("1", "new", 1)])
        judge(connection, "p", passed=False)
        for release_id in ("r2", "r3"):
            load(connection, release_id, [("H1", "p", "1")])
        releases.drop_releases_before(connection, "r2")
        load(connection, "r4", [("H1", "p", "1")])
        assert held_partners(connection, "r4") == {"p": "r2"}
        assert seen(connection, "r4") == [("H1", "p", "1", "old")]


def test_a_partner_that_never_passed_is_not_seen_until_somebody_accepts_it(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "url", 1)])
        judge(connection, "p", passed=False)
        load(connection, "r1", [("H1", "p", "1")])
        assert seen(connection, "r1") == []
        assert held_partners(connection, "r1") == {"p": None}
        assert accept_gate(connection, "raw_images", "p", FAILED_SHARE, "digest")
        load(connection, "r2", [("H1", "p", "1")])
        assert seen(connection, "r2") == [("H1", "p", "1", "url")]


def test_an_image_without_its_fingerprint_is_not_seen_whether_it_is_to_come_or_cannot_be(ledger: Ledger) -> None:
    """A release that waited long enough is frozen while a partner is still at work."""
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "done", None)])
        offer(connection, "p", [("1", "done", None), ("1", "broken", None)])
        fetch(connection, "p")
        fingerprint(connection, "p", failing="broken")
        offer(connection, "p", [("1", "done", None), ("1", "broken", None), ("1", "to come", None)])
        fetch(connection, "p")
        assert load(connection, "r1", [("H1", "p", "1")]).images == 1
        assert seen(connection, "r1") == [("H1", "p", "1", "done")]


def test_what_a_release_sees_stays_whatever_happens_to_the_catalogues(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "a", None)])
        load(connection, "r1", [("H1", "p", "1")])
        before = seen(connection, "r1"), digests(connection, "r1")
        offer(connection, "p", [("1", "b", None)])
        assert (seen(connection, "r1"), digests(connection, "r1")) == before


def test_an_accommodation_in_two_hotels_stays_in_the_first_and_the_other_row_is_rejected(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "a", None)])
        rows = [("H2", "p", "1"), ("H1", "p", "1"), ("H2", "p", "1"), ("H1", "q", "1")]
        known = load(connection, "r1", rows)
        assert [row[0] for row in seen(connection, "r1")] == ["H2"]
        rejected = connection.execute("SELECT line, field, reason, value FROM release_rejects ORDER BY line").fetchall()
    assert rejected == [
        (3, "accommodation_id", "already in hotel H2 on line 2", "1"),
        (4, "accommodation_id", "duplicate of line 2", "1"),
    ]
    assert (known.rejected, known.hotels, known.accommodations) == (2, 2, 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5)
@given(st.randoms(use_true_random=False))
def test_digests_do_not_depend_on_the_order_of_rows_or_entries(ledger: Ledger, order: random.Random) -> None:
    entries: list[Entry] = [(str(n % 3), f"url {n}", n if n % 2 else None) for n in range(12)]
    rows = [("H1", "p", "0"), ("H1", "p", "1"), ("Ünï", "p", "2"), ("H1", "q", "0")]
    with ledger.connect() as connection:
        connection.execute("TRUNCATE catalogue_entries, fetch_results, fetch_queue, data_releases")
        for partner_id in ("p", "q"):
            has_pictures(connection, partner_id, entries)
        first = load(connection, "r1", rows)
        before = digests(connection, "r1")
        connection.execute("TRUNCATE catalogue_entries, fetch_results, fetch_queue")
        for partner_id in ("q", "p"):
            has_pictures(connection, partner_id, order.sample(entries, len(entries)))
        again = load(connection, "r2", order.sample(rows, len(rows)))
        assert digests(connection, "r2") == before
    assert again.frozen == first.frozen


def test_a_moved_position_changes_what_ranking_reads_and_not_what_grouping_reads(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "a", 1), ("2", "b", 1)])
        load(connection, "r1", [("H1", "p", "1"), ("H2", "p", "2")])
        has_pictures(connection, "p", [("1", "a", 2), ("2", "b", 1)])
        load(connection, "r2", [("H1", "p", "1"), ("H2", "p", "2")])
        before, after = digests(connection, "r1"), digests(connection, "r2")
    assert after["H2"] == before["H2"], "another hotel's change is nothing to this one"
    assert after["H1"][0] == before["H1"][0]
    assert after["H1"][1] != before["H1"][1]


def test_the_same_picture_from_another_partner_is_nothing_new_to_group(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "a", None)])
        load(connection, "r1", [("H1", "p", "1")])
        has_pictures(connection, "q", [("1", "a", None)])
        load(connection, "r2", [("H1", "p", "1"), ("H1", "q", "1")])
        before, after = digests(connection, "r1")["H1"], digests(connection, "r2")["H1"]
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_ids_that_run_together_are_told_apart(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        for partner_id, accommodation_id in (("a", "bc"), ("ab", "c")):
            has_pictures(connection, partner_id, [(accommodation_id, "u", None)])
        load(connection, "r1", [("H1", "a", "bc")])
        load(connection, "r2", [("H1", "ab", "c")])
        assert digests(connection, "r1")["H1"][1] != digests(connection, "r2")["H1"][1]


def test_a_changed_file_is_frozen_anew_and_takes_the_old_partition_with_it(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "a", None), ("2", "b", None)])
        first = load(connection, "r1", [("H1", "p", "1"), ("H9", "p", "2")])
        kept = tables(connection)
        again = load(connection, "r1", [("H1", "p", "1")], etag="changed")
        assert tables(connection) == kept, "neither the old partition nor a staging table is left"
        assert [row[0] for row in seen(connection, "r1")] == ["H1"]
    assert again.frozen != first.frozen
    assert (again.decided, again.decided_etag, again.hotels) == (True, "changed", 1)


def test_loading_the_same_again_gives_the_same_digest(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "a", None)])
        first = load(connection, "r1", [("H1", "p", "1")])
        assert load(connection, "r1", [("H1", "p", "1")]).frozen == first.frozen


def test_each_release_has_partitions_of_its_own(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "a", None)])
        for release_id in ("r1", "Ünï 'quoted'"):
            load(connection, release_id, [("H1", "p", "1")])
        assert seen(connection, "Ünï 'quoted'") == seen(connection, "r1")
        load(connection, "r1", [], etag="empty now")
        assert (seen(connection, "r1"), len(seen(connection, "Ünï 'quoted'"))) == ([], 1)


def test_an_interrupted_load_leaves_nothing_that_hinders_the_next(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        releases.notice_release(connection, "r1", "k", "e", {})
        release_loading.open_staging(connection, "r1")
        release_loading.stage_accommodations(connection, "r1", [(2, "H1", "p", "1")])
        release_loading.reject_repeated_accommodations(connection, "r1", "k")
    with ledger.connect() as connection:
        assert load(connection, "r1", [("H2", "p", "1")]).hotels == 1
        assert set(digests(connection, "r1")) == {"H2"}


def test_a_release_is_seen_first_once_and_anew_only_with_another_file(ledger: Ledger) -> None:
    def first_seen() -> object:
        row = connection.execute("SELECT first_seen_at FROM data_releases").fetchone()
        assert row is not None
        return row[0]

    with ledger.connect() as connection:
        releases.notice_release(connection, "r1", "k", "e", {"p": "w1:e"})
        moment = first_seen()
        releases.notice_release(connection, "r1", "k", "e", {"p": "w2:e", "late": "w1:e"})
        known = releases.data_release(connection, "r1")
        assert known is not None
        assert (known.awaited, first_seen()) == ({"p": "w1:e"}, moment)
        releases.notice_release(connection, "r1", "k", "changed", {"p": "w2:e"})
        known = releases.data_release(connection, "r1")
        assert known is not None
        assert (known.awaited, known.decided) == ({"p": "w2:e"}, False)
        assert first_seen() != moment


def test_a_decision_changes_what_grouping_and_ranking_depend_on_in_exactly_the_hotels_that_show_both(
    ledger: Ledger,
) -> None:
    shard = Shard("r1", "all", 0, 65_536, "grouping", "ranking")
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "x", 1), ("1", "y", 2), ("2", "x", 1), ("3", "y", 1)])
        before = load(connection, "r1", [("H1", "p", "1"), ("H2", "p", "2"), ("H3", "p", "3")])
        unchanged = input_digests(connection, shard)
        a, b = sorted((content("x"), content("y")))
        record_decision(connection, a, b, False, None)
        release_loading.apply_decisions(connection, "r1")
        decided = input_digests(connection, shard)
        after = releases.data_release(connection, "r1")
        assert after is not None
        assert {hotel for hotel in decided if decided[hotel] != unchanged[hotel]} == {"H1"}
        assert decided["H1"][0] != unchanged["H1"][0] != decided["H1"][1] != unchanged["H1"][1]
        assert (after.frozen != before.frozen, after.decisions != before.decisions) == (True, True)

        forget_decision(connection, a, b)
        release_loading.apply_decisions(connection, "r1")
        again = releases.data_release(connection, "r1")
        assert again is not None
        assert input_digests(connection, shard) == unchanged
        assert (again.frozen, again.decisions) == (before.frozen, before.decisions)


def test_a_release_that_is_loaded_again_applies_the_decisions_of_now(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "x", 1), ("1", "y", 2)])
        load(connection, "r1", [("H1", "p", "1")])
        a, b = sorted((content("x"), content("y")))
        record_decision(connection, a, b, True, None)
        known = load(connection, "r1", [("H1", "p", "1")])
        assert known.decisions == decisions_digest(connection)
        (hotel,) = grouping.hotel_contents(connection, Shard("r1", "all", 0, 65_536, "g", "r"), ["H1"], METHOD)
        assert hotel.decisions == [(a, b, True)]


def test_groups_belong_to_what_they_were_made_of_though_the_release_is_loaded_again_meanwhile(ledger: Ledger) -> None:
    shard = Shard("r1", "all", 0, 65_536, "grouping", "ranking")
    with ledger.connect() as connection:
        has_pictures(connection, "p", [("1", "x", 1)])
        load(connection, "r1", [("H1", "p", "1")])
        (read,) = grouping.hotel_contents(connection, shard, ["H1"], METHOD)
        has_pictures(connection, "p", [("1", "x", 1), ("1", "y", 2)])
        load(connection, "r1", [("H1", "p", "1")], etag="e2")
        found = GroupedHotel("H1", read.group_digest, {"g1": read.sha256s}, [], ["g1"], [], 1, 0)
        grouping.record_groups(connection, [found])
        assert grouping.ungrouped_hotels(connection, shard) == [("H1", 2)]

        (read,) = grouping.hotel_contents(connection, shard, ["H1"], METHOD)
        a, b = read.sha256s
        link = LinkRow("g2", a, b, "aligned", 0.75, (0.0, 0.25, 1.0, 1.0), False)
        grouping.record_groups(
            connection, [GroupedHotel("H1", read.group_digest, {"g2": [a, b]}, [link], ["g2"], ["g2"], 2, 1)]
        )
        assert grouping.ungrouped_hotels(connection, shard) == []
        counts = grouping.group_counts(connection, shard)
        assert (counts.hotels, counts.contents, counts.image_groups, counts.links) == (1, 2, 1, 1)
        assert (counts.weak_groups, counts.parted_groups, counts.split_links) == (1, 1, 2)
        assert counts.decisions_disobeyed == 1
        told = explanation(connection, shard, "H1")
        assert told is not None
        assert (told.links, told.weak, told.parted, told.split) == ([link], {"g2"}, {"g2"}, 2)


def input_digests(connection: Connection, shard: Shard) -> dict[str, tuple[str, str]]:
    """hotel -> what its image groups and its priorities are kept under."""
    rows = connection.execute(
        f"SELECT hotel_id, {GROUP_DIGEST}::text, {RANK_DIGEST}::text {HOTELS}",  # type: ignore[arg-type]
        shard.parameters,
    ).fetchall()
    return {hotel: (groups, ranks) for hotel, groups, ranks in rows}
