"""`image-assets status` as text, from given facts; and its counts of shards on a real ledger."""

from __future__ import annotations

from image_assets.certification import Certification
from image_assets.commands.status import status_lines
from image_assets.pending_work import INGEST, PendingWork, Work
from resources.ledger import Ledger, releases, shards
from resources.ledger.overview import PartnerOverview, ReleaseOverview, releases_overview
from resources.ledger.progress import Progress
from resources.ledger.shards import Shard

CERTIFIED = Certification("aligned-1:0.9", None, "nothing certifies policy aligned-1:0.9", "d")
PARTNER = PartnerOverview("ünï", "2026-W45", 35_000_000, 30_000_000, 4_000, 12, 900, 34)


def lines(
    partners: list[PartnerOverview] | None = None,
    releases: list[ReleaseOverview] | None = None,
    running: list[Progress] | None = None,
    pending: PendingWork | None = None,
) -> list[str]:
    return list(status_lines(partners or [], releases or [], running or [], pending or PendingWork(), 4, CERTIFIED))


def test_what_certifies_the_policy_is_told() -> None:
    assert "same picture: not certified: nothing certifies policy aligned-1:0.9" in lines()


def state(**facts: object) -> str:
    """The line of one release, without its name."""
    given: dict[str, object] = {
        "release_id": "r1",
        "outcome": "loaded",
        "message": None,
        "hotels": 12,
        "images": 3456,
        "shards_built": 4,
        "published_at": None,
        "manifest_key": None,
        **facts,
    }
    (line,) = (line for line in lines(releases=[ReleaseOverview(**given)]) if line.startswith("release r1: "))  # type: ignore[arg-type]
    return line.removeprefix("release r1: ")


def test_a_partner_is_one_row_with_its_outcomes_and_both_queues_together() -> None:
    header, row = lines(partners=[PARTNER])[:2]
    named = dict(zip(header.split(), row.split(), strict=True))
    assert named == {
        "partner": "ünï",
        "catalogue": "2026-W45",
        "entries": "35,000,000",
        "available": "30,000,000",
        "rejected": "4,000",
        "failed": "12",
        "queued": "934",
    }
    assert len(header) == len(row)


def test_a_partner_without_a_catalogue_has_a_dash() -> None:
    assert lines(partners=[PartnerOverview("a", None, 0, 0, 0, 0, 0, 0)])[1].split()[1] == "-"


def test_the_state_of_a_release_follows_its_way() -> None:
    assert state(outcome=None) == "waits to be loaded"
    assert state(outcome="unreadable", message="no column hotel_id") == "unreadable: no column hotel_id"
    assert state(shards_built=3) == "12 hotels, 3,456 images; 3 of 4 shards built, not published"
    published = state(published_at="2026-11-05 12:00:00 UTC", manifest_key="image-releases/r1/x/manifest.parquet")
    assert published == (
        "12 hotels, 3,456 images; published 2026-11-05 12:00:00 UTC as image-releases/r1/x/manifest.parquet"
    )


def test_what_is_pending_waiting_and_stopped_is_told_line_by_line() -> None:
    pending = PendingWork([Work(INGEST, "alpha", "d", 1)], ["release r1: waits"], ["gate closed"], ["odd name"])
    assert lines(pending=pending)[-4:] == [
        "pending  ingest_catalogue alpha",
        "waiting  release r1: waits",
        "STOPPED  gate closed",
        "STOPPED  odd name",
    ]


def test_idle_is_said_only_when_nothing_is_left_in_any_way() -> None:
    idle = "idle: nothing is left to do"
    assert lines()[-1] == idle
    for pending in (
        PendingWork(work=[Work(INGEST, "a", "d", 1)]),
        PendingWork(waiting=["x"]),
        PendingWork(stopped=["x"]),
        PendingWork(problems=["x"]),
        PendingWork(unnoticed=True),
    ):
        assert idle not in lines(pending=pending)


def test_running_stages_show_their_progress() -> None:
    running = [Progress("raw_images", "alpha", 10, 20, 1.0, False)]
    assert any(line.startswith("raw_images") and "0:00:01 left" in line for line in lines(running=running))


def test_shards_of_another_number_of_shards_are_not_counted_as_built(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        releases.notice_release(connection, "r1", "data-releases/r1.csv", "e", {})
        for key in ("00of02", "01of02", "00of04"):
            shards.record_shard(connection, Shard("r1", key, 0, 1, "g", "r"), "renditions", "d", 1, 1)
        (overview,) = releases_overview(connection, ["00of04", "01of04", "02of04", "03of04"])
    assert overview.shards_built == 1
