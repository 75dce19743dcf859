"""Reading back what came of a week: from a real ledger and files as the pipeline leaves them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from demo.outcome import Diff, Fetch, Member, PublishedGroup, read_outcome
from resources.ledger import Ledger

URL = "http://127.0.0.1:1/atlas/at-1001/01.jpg"
RELEASE = "2026-W45"


def _fill(ledger: Ledger) -> None:
    with ledger.connect() as connection:
        connection.execute(
            """INSERT INTO catalogue_versions (partner_id, version, object_key, etag, outcome, entries, rejected,
                   new, updated, deleted, unchanged)
               VALUES ('atlas', %s, 'k', 'e', 'applied', 9, 1, 2, 3, 4, 5),
                      ('atlas', 'older', 'k', 'e', 'applied', 9, 1, 9, 9, 9, 9)""",
            [RELEASE],
        )
        connection.execute(
            """INSERT INTO catalogue_entries (partner_id, accommodation_id, url_key, fetch_key, url)
               VALUES ('atlas', 'at-1001', md5('u')::uuid, md5('f')::uuid, %s)""",
            [URL],
        )
        connection.execute(
            """INSERT INTO fetch_results (partner_id, fetch_key, outcome, reason, attempts)
               VALUES ('atlas', md5('f')::uuid, 'failed', 'http_500', 3)"""
        )
        connection.execute(
            """INSERT INTO data_releases (release_id, object_key, etag, awaited, hotels, accommodations, images,
                   rejected, unknown_accommodations) VALUES (%s, 'k', 'e', '{}', 12, 37, 139, 1, 2)""",
            [RELEASE],
        )
        connection.execute(
            """INSERT INTO shard_builds (release_id, shard, stage, input_digest, hotels, computed)
               VALUES (%(id)s, '00of02', 'image_groups', 'd', 6, 4), (%(id)s, '01of02', 'image_groups', 'd', 6, 3),
                      (%(id)s, '00of02', 'renditions', 'd', 6, 28)""",
            {"id": RELEASE},
        )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "image-releases" / RELEASE / "digest"
    folder.mkdir(parents=True)
    keys = {name: f"image-releases/{RELEASE}/digest/{file}" for name, file in _FILES.items()}
    current = {"release_id": RELEASE, **keys}
    (tmp_path / "image-releases" / "current.json").write_text(json.dumps(current))
    member = {"sha256": "aa", "partner_id": "atlas", "accommodation_id": "at-1001", "url": URL}
    rows = [
        {
            "hotel_id": "es-bio-0001",
            "position": 1,
            "sha256": "aa",
            "members": [member, {**member, "partner_id": "nordlicht"}],
            "renditions": [{"recipe": name, "key": f"renditions/{name}/aa.jpg"} for name in ("list", "card")],
        }
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "manifest.parquet")
    (tmp_path / "renditions" / "list").mkdir(parents=True)
    (tmp_path / "renditions" / "list" / "aa.jpg").touch()
    return tmp_path


_FILES = {"manifest": "manifest.parquet", "summary": "summary.json", "gallery": "gallery.html"}


def test_everything_the_demo_tells_is_read_back(ledger: Ledger, store: Path) -> None:
    _fill(ledger)
    with ledger.connect() as connection:
        outcome = read_outcome(connection, store, RELEASE, {"/atlas/at-1001/01.jpg": 3})
    assert outcome.diffs == {"atlas": Diff(new=2, updated=3, deleted=4, unchanged=5, rejected=1)}
    assert outcome.fetches == {("atlas", URL): Fetch("failed", "http_500", 3)}
    assert outcome.fingerprinted == 0
    assert (outcome.hotels, outcome.accommodations, outcome.images) == (12, 37, 139)
    assert (outcome.rejected_rows, outcome.unknown_accommodations) == (1, 2)
    assert outcome.computed == {"image_groups": 7, "renditions": 28}
    assert outcome.groups == (
        PublishedGroup(
            "es-bio-0001",
            1,
            "aa",
            frozenset({Member("atlas", "at-1001", URL), Member("nordlicht", "at-1001", URL)}),
            ("renditions/list/aa.jpg", "renditions/card/aa.jpg"),
        ),
    )
    assert outcome.duplicates == 1
    assert outcome.missing == ("renditions/card/aa.jpg",)
    assert outcome.current_release == RELEASE


def test_nothing_published_is_an_error(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.connect() as connection, pytest.raises(FileNotFoundError):
        read_outcome(connection, tmp_path, RELEASE, {})
