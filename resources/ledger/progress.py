"""Progress: how far each stage is with each partition.

Does not belong here: how it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from resources.ledger.connection import Connection


@dataclass(frozen=True)
class Progress:
    """How far a stage is with one partition. `seconds` since it began; rates are over this run of the stage."""

    stage: str
    partition_key: str
    done: int
    total: int
    seconds: float
    finished: bool


def record_progress(
    connection: Connection, stage: str, partition_key: str, done: int, total: int, started: float, finished: bool
) -> None:
    """Keep how far a stage is; `started` is Unix time."""
    connection.execute(
        """INSERT INTO stage_progress (stage, partition_key, done, total, started_at, finished)
           VALUES (%s, %s, %s, %s, to_timestamp(%s), %s)
           ON CONFLICT (stage, partition_key) DO UPDATE SET done = excluded.done, total = excluded.total,
               started_at = excluded.started_at, updated_at = now(), finished = excluded.finished""",
        [stage, partition_key, done, total, started, finished],
    )


def recent_progress(connection: Connection, since: float) -> list[Progress]:
    """The stages that moved since the Unix time `since`."""
    rows = connection.execute(
        """SELECT stage, partition_key, done, total,
                  extract(epoch FROM updated_at - started_at)::float8, finished
           FROM stage_progress WHERE updated_at >= to_timestamp(%s) ORDER BY started_at, partition_key""",
        [since],
    ).fetchall()
    return [Progress(*row) for row in rows]
