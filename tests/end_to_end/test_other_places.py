"""The same files give the same image release, byte for byte, wherever store and ledger are.

Once on a folder and the embedded PostgreSQL, once on an S3 API over a socket and the distribution's PostgreSQL, which
sorts text by its language's rules.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

import other_postgres
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from end_to_end.world import World
from partner_site import PartnerSite
from pictures import centre_crop, drawn, jpeg, scaled
from s3_server import S3Server, s3_server

from resources.ledger import Ledger
from resources.ledger.database_url import plain_database_url
from resources.ledger.schema import migrate
from resources.object_store import ObjectStore, open_store
from resources.partners import Partners, PartnerSettings

RELEASE = "2026 Wöche #45 – %41 & co"
# (hotel, partner, accommodation): in every hotel, and among the hotels, ids that sort differently by language.
MEMBERS = [
    ("Hôtel/1", "Ünï", "$abc"),
    ("Hôtel/1", "Ünï", "Ünï/cødé"),
    ("Hôtel/1", "$p", "0123"),
    ("hotel 2", "$p", "123"),
    ("hotel 2", "Zeta & co", "bilbao-hot1"),
    ('Hotel 3, "the" one', "zeta #1", " spaced "),
    ('Hotel 3, "the" one', "Zeta & co", "e\u0301"),
    ('Hotel 3, "the" one', "Zeta & co", "\u00e9"),
    ("0004", "zeta #1", "日本 🏨"),
]


@pytest.fixture(scope="module")
def other_database() -> Iterator[str]:
    if not other_postgres.INSTALLED:
        pytest.skip(other_postgres.REASON)
    with other_postgres.other_postgres() as server:
        yield plain_database_url(server.url.replace("postgresql://", "postgres://"))


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def offered(site: PartnerSite) -> dict[tuple[str, str], list[str]]:
    """Each accommodation's URLs: a picture of its own, the hotel's common one as this partner has it, two odd URLs."""
    urls: dict[tuple[str, str], list[str]] = {}
    for number, (hotel, partner, accommodation) in enumerate(MEMBERS):
        common = drawn(100 + len(hotel), 900, 700)
        as_offered = [common, scaled(common, 0.6), centre_crop(common, 0.1)][number % 3]
        urls[partner, accommodation] = [
            site.serve(f"/{number}/own.jpg", jpeg(drawn(number, 640, 480))),
            site.serve(f"/{number}/common.jpg", jpeg(as_offered, quality=70 + number)),
            site.serve(f"/{number}/a%20b,%C3%BC;x=1.jpg?id=$abc&n='%2F'+{number}", jpeg(drawn(50 + number, 500, 400))),
            # In the catalogue as somebody pasted it; asked for as a browser would.
            unquote(site.serve(f"/{number}/sea%20view,%20%C3%BC.jpg?of=%C3%BC", jpeg(drawn(80 + number, 400, 500)))),
        ]
    return urls


def catalogue_files(urls: dict[tuple[str, str], list[str]]) -> dict[str, bytes]:
    """One partner a format: key -> content."""

    def rows(partner: str) -> list[dict[str, str]]:
        return [
            {"accommodation_id": accommodation, "url": url, "caption": 'überall, "so"\n', "position": str(position)}
            for (owner, accommodation), theirs in urls.items()
            if owner == partner
            for position, url in enumerate(theirs, 1)
        ]

    def lines(partner: str) -> bytes:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows(partner)).encode()

    table, parquet = io.StringIO(newline=""), io.BytesIO()
    writer = csv.DictWriter(table, ["accommodation_id", "url", "caption", "position"], lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows("Zeta & co"))
    pq.write_table(pa.Table.from_pylist(rows("zeta #1")), parquet)
    return {
        "catalogues/Ünï/w 1.jsonl": lines("Ünï"),
        "catalogues/$p/w+1 100%.jsonl.gz": gzip.compress(lines("$p"), mtime=0),
        "catalogues/Zeta & co/w?1.csv": b"\xef\xbb\xbf" + table.getvalue().encode(),
        "catalogues/zeta #1/w1.parquet": parquet.getvalue(),
    }


def release_file() -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([("hotel_id", "partner_id", "accommodation_id"), *MEMBERS])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def published(world: World, urls: dict[tuple[str, str], list[str]]) -> bytes:
    """Run everything in `world`; its manifest, after a look at every id, URL and key in it."""
    for key, content in (catalogue_files(urls) | {f"data-releases/{RELEASE}.csv": release_file()}).items():
        world.store.put(key, content)
    world.settle()
    assert not world.pending().stopped
    assert not world.pending().problems

    rows = world.manifest()
    members = [
        (row["hotel_id"], m["partner_id"], m["accommodation_id"], m["url"]) for row in rows for m in row["members"]
    ]
    assert sorted(members) == sorted((*member, url) for member in MEMBERS for url in urls[member[1:]])
    assert len(rows) == len(members) - 5, "the common picture of three hotels is published once each"
    keys = [rendition["key"] for row in rows for rendition in row["renditions"]]
    assert len(keys) == 14 * len(rows)
    assert world.store.missing(keys) == []
    assert all(len(world.store.get(r["key"])) == r["bytes"] for r in rows[0]["renditions"])
    return world.manifest_bytes()


def test_a_folder_and_an_s3_bucket_with_another_postgresql_publish_the_same_bytes(
    world: World,
    site: PartnerSite,
    other_database: str,
    server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusted = {
        partner: PartnerSettings(partner, allow_private_addresses=True) for partner in {member[1] for member in MEMBERS}
    }
    world = replace(world, partners=Partners(trusted))
    urls = offered(site)
    here = published(world, urls)

    server.use(monkeypatch)
    migrate(other_database)
    elsewhere = replace(
        world, store=open_store(f"s3://{server.new_bucket()}/prä fix/%41"), ledger=Ledger(other_database)
    )
    with elsewhere.ledger.connect() as connection:
        assert connection.execute("SELECT 'a' < 'B', 'a' < 'B' COLLATE \"C\"").fetchone() == (True, False)
    assert published(elsewhere, urls) == here
    assert all_keys(elsewhere.store) == all_keys(world.store)
    assert set(site.requests.values()) == {2}, "each place fetched each picture once"


def all_keys(store: ObjectStore) -> list[str]:
    return sorted(item.key for item in store.objects(""))
