"""Progress as people read it: a line per stage with done, total, rate and time left.

Pure: rows in, text out. Does not belong here: where the rows come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from resources.ledger.progress import Progress

STAGE_ORDER = (
    "catalogue_diffs",
    "raw_images",
    "fingerprints",
    "hotel_groups",
    "image_groups",
    "priorities",
    "renditions",
    "image_release",
)


def progress_lines(rows: Sequence[Progress]) -> list[str]:
    """One line a stage, in pipeline order, over all its partitions; the rate is the sum of what runs side by side."""
    lines = []
    for stage in STAGE_ORDER:
        own = [row for row in rows if row.stage == stage]
        if own:
            lines.append(_line(stage, own))
    return lines


def _line(stage: str, rows: Sequence[Progress]) -> str:
    done, total = sum(row.done for row in rows), sum(max(row.done, row.total) for row in rows)
    running = [row for row in rows if not row.finished] or rows
    rate = sum(row.done / row.seconds for row in running if row.seconds > 0)
    text = f"{stage:<16} {done:>10,}/{total:<10,} {rate:>9,.1f}/s"
    if done < total and rate:
        return f"{text}  {_clock((total - done) / rate)} left"
    return f"{text}  done" if all(row.finished for row in rows) else text


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
