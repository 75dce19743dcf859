"""Progress rows as the lines that people read."""

from __future__ import annotations

from image_assets.commands.progress_lines import STAGE_ORDER, progress_lines
from image_assets.definitions import ASSETS
from resources.ledger.progress import Progress


def row(
    stage: str, done: int, total: int, seconds: float, partition_key: str = "alpha", finished: bool = False
) -> Progress:
    return Progress(stage, partition_key, done, total, seconds, finished)


def only(*rows: Progress) -> str:
    (line,) = progress_lines(rows)
    return " ".join(line.split())


def test_a_line_shows_done_total_rate_and_time_left() -> None:
    assert only(row("raw_images", 1_000, 3_600, 100)) == "raw_images 1,000/3,600 10.0/s 0:04:20 left"


def test_partitions_of_one_stage_are_one_line_and_their_rates_add_up() -> None:
    rows = [row("raw_images", 100, 500, 10), row("raw_images", 300, 500, 10, "beta")]
    assert only(*rows) == "raw_images 400/1,000 40.0/s 0:00:15 left"


def test_a_partition_that_ended_counts_but_no_longer_adds_to_the_rate() -> None:
    rows = [row("raw_images", 500, 500, 1, finished=True), row("raw_images", 100, 300, 10, "beta")]
    assert only(*rows) == "raw_images 600/800 10.0/s 0:00:20 left"


def test_a_finished_stage_says_so_and_keeps_its_rate() -> None:
    assert only(row("fingerprints", 50, 50, 10, finished=True)) == "fingerprints 50/50 5.0/s done"


def test_a_stage_that_reached_its_total_but_still_runs_promises_nothing() -> None:
    assert only(row("fingerprints", 50, 50, 10)) == "fingerprints 50/50 5.0/s"


def test_a_stage_without_a_known_total_shows_what_it_did() -> None:
    """A catalogue's rows are not known before the last was read."""
    assert only(row("catalogue_diffs", 700, 0, 10)) == "catalogue_diffs 700/700 70.0/s"


def test_what_has_just_begun_has_no_rate_and_no_time_left() -> None:
    assert only(row("raw_images", 0, 500, 0)) == "raw_images 0/500 0.0/s"
    assert only(row("raw_images", 5, 500, -0.5)) == "raw_images 5/500 0.0/s", "two clocks may differ a little"


def test_more_than_a_day_is_told_in_days() -> None:
    assert only(row("raw_images", 1, 100_001, 1)) == "raw_images 1/100,001 1.0/s 1 day, 3:46:40 left"


def test_stages_come_in_the_order_of_the_data_and_every_asset_with_partitions_has_its_place() -> None:
    rows = [row(stage, 1, 1, 1) for stage in sorted(STAGE_ORDER)]
    assert [line.split()[0] for line in progress_lines(rows)] == list(STAGE_ORDER)
    stages = {asset.key.to_user_string() for asset in ASSETS if asset.partitions_def is not None}
    assert stages == set(STAGE_ORDER)


def test_nothing_moved_is_no_line() -> None:
    assert progress_lines([]) == []
