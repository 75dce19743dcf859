"""What came of a week, read back from where a user would look: the ledger, the store, the server's request counts.

The only module of the demo that reads them. Does not belong here: what should have come out (expectations).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from resources.ledger.connection import Connection, Ledger, one_row
from resources.ledger.embedded import embedded_postgres


@dataclass(frozen=True)
class Diff:
    """What a catalogue changed, in entries; `rejected` are rows that could not be used."""

    new: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    rejected: int = 0


@dataclass(frozen=True)
class Fetch:
    """How the fetching of one URL ended: `available`, `rejected` or `failed`, with the reason of the latter two."""

    outcome: str
    reason: str | None
    attempts: int


@dataclass(frozen=True)
class Member:
    """A catalogue entry that an image group stands for."""

    partner_id: str
    accommodation_id: str
    url: str


@dataclass(frozen=True)
class PublishedGroup:
    """One row of the manifest."""

    hotel_id: str
    position: int
    sha256: str
    members: frozenset[Member]
    renditions: tuple[str, ...]


@dataclass(frozen=True)
class WeekOutcome:
    """All that the demo tells and checks about one week.

    diffs: of the partners that handed in a catalogue this week. fetches: how things stand, by partner and URL.
    fingerprinted: contents with a fingerprint, of all weeks. requests: this week's, by path. computed: this week's
    work by stage, from the shards: hotels grouped, hotels ranked, renditions made. missing: rendition keys of the
    manifest that are not in the store.
    """

    release_id: str
    diffs: Mapping[str, Diff]
    fetches: Mapping[tuple[str, str], Fetch]
    requests: Mapping[str, int]
    fingerprinted: int
    hotels: int
    accommodations: int
    images: int
    rejected_rows: int
    unknown_accommodations: int
    computed: Mapping[str, int]
    groups: tuple[PublishedGroup, ...]
    missing: tuple[str, ...]
    current_release: str
    manifest: Path
    gallery: Path

    @property
    def duplicates(self) -> int:
        """Catalogue entries that another, better copy stands for."""
        return sum(len(group.members) - 1 for group in self.groups)

    @property
    def published(self) -> frozenset[str]:
        """The published contents."""
        return frozenset(group.sha256 for group in self.groups)


@contextmanager
def open_ledger(home: Path) -> Iterator[Connection]:
    """A connection to the ledger in the embedded PostgreSQL below `home`, which runs as long as it is used."""
    with embedded_postgres(home) as url, Ledger(url).connect() as connection:
        yield connection


def read_outcome(connection: Connection, store: Path, release_id: str, requests: Mapping[str, int]) -> WeekOutcome:
    """Read the outcome of a release that was published into the folder `store`.

    Raises FileNotFoundError when nothing was published at all.
    """
    current = json.loads((store / "image-releases" / "current.json").read_text())
    groups = _manifest(store / current["manifest"])
    release = _release_counts(connection, release_id)
    return WeekOutcome(
        release_id=release_id,
        diffs=_diffs(connection, release_id),
        fetches=_fetches(connection),
        requests=requests,
        fingerprinted=one_row(connection, "SELECT count(*) FROM fingerprints")[0],
        hotels=release[0],
        accommodations=release[1],
        images=release[2],
        rejected_rows=release[3],
        unknown_accommodations=release[4],
        computed=_computed(connection, release_id),
        groups=groups,
        missing=tuple(key for group in groups for key in group.renditions if not (store / key).is_file()),
        current_release=current["release_id"],
        manifest=store / current["manifest"],
        gallery=store / current["gallery"],
    )


def _diffs(connection: Connection, version: str) -> dict[str, Diff]:
    rows = connection.execute(
        """SELECT partner_id, new, updated, deleted, unchanged, rejected FROM catalogue_versions
           WHERE version = %s AND outcome = 'applied' ORDER BY partner_id""",
        [version],
    )
    return {partner_id: Diff(*counts) for partner_id, *counts in rows}


def _fetches(connection: Connection) -> dict[tuple[str, str], Fetch]:
    rows = connection.execute(
        """SELECT partner_id, entry.url, result.outcome, result.reason, result.attempts
           FROM catalogue_entries AS entry JOIN fetch_results AS result USING (partner_id, fetch_key)"""
    )
    return {(partner_id, url): Fetch(outcome, reason, attempts) for partner_id, url, outcome, reason, attempts in rows}


def _release_counts(connection: Connection, release_id: str) -> tuple[int, ...]:
    row = connection.execute(
        """SELECT hotels, accommodations, images, rejected, unknown_accommodations FROM data_releases
           WHERE release_id = %s""",
        [release_id],
    ).fetchone()
    return row or (0, 0, 0, 0, 0)


def _computed(connection: Connection, release_id: str) -> dict[str, int]:
    rows = connection.execute(
        "SELECT stage, sum(computed)::bigint FROM shard_builds WHERE release_id = %s GROUP BY stage", [release_id]
    )
    return dict(rows.fetchall())


def _manifest(path: Path) -> tuple[PublishedGroup, ...]:
    columns = ["hotel_id", "position", "sha256", "members", "renditions"]
    return tuple(
        PublishedGroup(
            hotel_id=row["hotel_id"],
            position=row["position"],
            sha256=row["sha256"],
            members=frozenset(
                Member(member["partner_id"], member["accommodation_id"], member["url"]) for member in row["members"]
            ),
            renditions=tuple(rendition["key"] for rendition in row["renditions"]),
        )
        for row in pq.read_table(path, columns=columns).to_pylist()
    )
