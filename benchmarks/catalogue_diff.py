"""A million-row catalogue through `catalogue_diffs`: seconds, rows a second, peak memory of the process.

Run it alone: `python benchmarks/catalogue_diff.py [--rows N]`. First the catalogue is new, then one row in a hundred
changed. The baseline in the same run is a plain COPY of the same rows into a table without any index.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from _peak_memory import peak_mib

from image_assets.definitions import build_defs
from image_assets.methods import Methods
from image_assets.renditions import load_recipes
from resources.environment import PROJECT
from resources.ledger import Ledger
from resources.ledger.connection import copy_rows
from resources.ledger.embedded import embedded_postgres
from resources.ledger.schema import migrate
from resources.object_store import ObjectStore, open_store
from resources.partners import Partners


def rows(count: int, changed: int) -> Iterator[tuple[str, str, int]]:
    """(accommodation, URL, position); every hundredth URL carries `changed`."""
    for row in range(count):
        mark = f"?v={changed}" if row % 100 == 0 else ""
        yield f"hotel-{row // 20}", f"https://images.example.com/{row // 20}/{row:08d}-picture.jpg{mark}", row % 20


def write_catalogue(store: ObjectStore, version: str, count: int, changed: int) -> None:
    """The rows as gzipped JSON Lines."""
    buffer = io.BytesIO()
    with gzip.open(buffer, "wt", compresslevel=1) as file:
        for accommodation, url, position in rows(count, changed):
            file.write(json.dumps({"accommodation_id": accommodation, "url": url, "position": position}) + "\n")
    store.put(f"catalogues/big/{version}.jsonl.gz", buffer.getvalue())


def plain_copy(ledger: Ledger, count: int) -> float:
    """Seconds for the baseline."""
    with ledger.connect() as connection:
        connection.execute("CREATE UNLOGGED TABLE baseline (accommodation_id text, url text, position int)")
        began = time.perf_counter()
        copy_rows(connection, "baseline", ("accommodation_id", "url", "position"), rows(count, 0))
        seconds = time.perf_counter() - began
        connection.execute("DROP TABLE baseline")
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    count = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="image-assets-bench-") as folder, embedded_postgres(Path(folder)) as url:
        migrate(url)
        ledger, store = Ledger(url), open_store(f"file://{folder}/store")
        methods = Methods(load_recipes(PROJECT / "renditions.yaml"))
        given = {"ledger": ledger, "store": store, "partners": Partners(), "methods": methods}
        job = build_defs(given).resolve_job_def("ingest_catalogue")
        baseline = plain_copy(ledger, count)
        print(f"plain COPY of {count:,} rows: {baseline:.1f} s")
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("partner", ["big"])
            for version in ("1", "2"):
                write_catalogue(store, version, count, int(version))
                began = time.perf_counter()
                job.execute_in_process(
                    partition_key="big", asset_selection=[dg.AssetKey("catalogue_diffs")], instance=instance
                )
                seconds = time.perf_counter() - began
                print(
                    f"catalogue {version}: {seconds:.1f} s, {count / seconds:,.0f} rows/s, "
                    f"{seconds / baseline:.1f} times the plain COPY, peak memory so far {peak_mib():,.0f} MiB"
                )


if __name__ == "__main__":
    main()
