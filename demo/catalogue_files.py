"""The files that partners and the matching team hand in: catalogues in four formats, data releases as CSV.

Does not belong here: what is in them (scenario).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from demo.hotels import HOTELS
from demo.scenario import Catalogue, Offer, Week

Row = Mapping[str, Any]

_ROOMS = ("Doppelzimmer", "chambre", "habitación", "room")


def write_week(store: Path, week: Week, host: str) -> list[Path]:
    """Write the week's new catalogues and then its data release under `store`. Returns the files, in that order.

    host: `http://127.0.0.1:port`, put before every path.
    """
    written = []
    for partner_id in sorted(week.handed_in):
        catalogue = week.catalogues[partner_id]
        path = store / "catalogues" / partner_id / f"{week.week_id}.{catalogue.catalogue_format}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_catalogue_bytes(catalogue, host))
        written.append(path)
    release = store / "data-releases" / f"{week.week_id}.csv"
    release.parent.mkdir(parents=True, exist_ok=True)
    release.write_bytes(_release_bytes(week))
    return [*written, release]


def _catalogue_bytes(catalogue: Catalogue, host: str) -> bytes:
    rows: list[Row | str] = [_row(offer, host) for offer in catalogue.offers]
    rows += [bad if isinstance(bad, str) else _at_host(bad, host) for bad in catalogue.bad_rows]
    if catalogue.catalogue_format == "jsonl.gz":
        return gzip.compress(_json_lines(rows), mtime=0)
    if catalogue.catalogue_format == "jsonl":
        return _json_lines(rows)
    fields = [row for row in rows if not isinstance(row, str)]
    if catalogue.catalogue_format == "csv":
        return _spreadsheet(fields)
    return _parquet(fields)


def _row(offer: Offer, host: str) -> Row:
    row: dict[str, Any] = {
        "accommodation_id": offer.accommodation_id,
        "url": host + offer.path,
        "position": offer.position,
    }
    return row if offer.version is None else {**row, "version": offer.version}


def _at_host(bad: Row, host: str) -> Row:
    url = bad.get("url")
    return {**bad, "url": host + url} if isinstance(url, str) and url.startswith("/") else bad


def _json_lines(rows: list[Row | str]) -> bytes:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    return "".join(line + "\n" for line in lines).encode()


def _spreadsheet(rows: list[Row]) -> bytes:
    """A CSV as a spreadsheet saves it: with a byte order mark, CRLF, and a column that nobody asked for."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["accommodation_id", "room_name", "url", "position"], lineterminator="\r\n")
    writer.writeheader()
    for number, row in enumerate(rows):
        writer.writerow({**row, "room_name": _ROOMS[number % len(_ROOMS)]})
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _parquet(rows: list[Row]) -> bytes:
    sink = io.BytesIO()
    columns = {
        "accommodation_id": pa.array([row["accommodation_id"] for row in rows], pa.string()),
        "url": pa.array([row["url"] for row in rows], pa.string()),
        "position": pa.array([row.get("position") for row in rows], pa.int32()),
    }
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def _release_bytes(week: Week) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["hotel_id", "partner_id", "accommodation_id"])
    for hotel in HOTELS:
        for partner_id, accommodation_id in week.hotels[hotel.hotel_id]:
            writer.writerow([hotel.hotel_id, partner_id, accommodation_id])
    writer.writerows(week.unusable_rows)
    return text.getvalue().encode()
