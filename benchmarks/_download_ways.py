"""Ways to download, each a program of its own: `python _download_ways.py WAY FILE_OF_URLS FOLDER`.

talk: the talk's loop, one request at a time, Pillow opens the file. fetch: the project's fetcher, micro-batches and
store as in the asset, nothing decoded and no ledger. stage: the project's asset `raw_images` as a run of Dagster, on
embedded Postgres: full screening, original bytes, results in the ledger. Imports are within the ways: each pays for its
own.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resources.partners import PartnerSettings

CONNECTIONS = 256  # with 128 and a latency of 40 ms nobody passes 3,200 images a second


def talk(urls: Sequence[str], folder: Path) -> None:
    """As in the talk's downloading stage."""
    from PIL import Image

    folder.mkdir(parents=True)
    for url in urls:
        with urllib.request.urlopen(url) as response:
            data = response.read()
        (folder / hashlib.sha256(data).hexdigest()).write_bytes(data)
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
        assert min(width, height) >= 200


def fetch(urls: Sequence[str], folder: Path) -> None:
    """Fetch and store only."""
    from image_assets.raw_images.downloading import Arrived, Judged, judged_batches
    from resources.image_fetcher import FetchRequest, fetch_all
    from resources.object_store import open_store, raw_image_key

    store = open_store(f"file://{folder}")

    async def arrivals() -> AsyncIterator[Arrived]:
        requests = [FetchRequest(url, url) for url in urls]
        async for fetched in fetch_all(requests, _settings()):
            assert fetched.data is not None, fetched.reason
            yield Arrived(str(fetched.key), fetched.data, None, True, fetched.attempts, fetched.status)

    def keep_undecoded(arrived: Arrived) -> Judged:
        data = arrived.data or b""
        return Judged(arrived.fetch_key, "available", None, 1, 200, sha256=hashlib.sha256(data).hexdigest(), data=data)

    async def run() -> None:
        async for batch in judged_batches(arrivals(), keep_undecoded, 2 * (os.cpu_count() or 1)):
            async with asyncio.TaskGroup() as group:
                for share in store.shares((raw_image_key(str(one.sha256)), one.data) for one in batch):
                    group.create_task(store.put_share_async(share))

    asyncio.run(run())


def stage(urls: Sequence[str], folder: Path) -> None:
    """The whole stage: a catalogue in the store, then the partner's assets up to `raw_images`."""
    import dagster as dg

    from image_assets.definitions import build_defs
    from image_assets.methods import Methods
    from image_assets.renditions import load_recipes
    from resources.environment import PROJECT
    from resources.ledger import Ledger
    from resources.ledger.embedded import embedded_postgres
    from resources.ledger.schema import migrate
    from resources.object_store import open_store
    from resources.partners import Partners

    store = open_store(f"file://{folder}/store")
    rows = [f"h{number // 20},{url}" for number, url in enumerate(urls)]
    store.put("catalogues/bench/w1.csv", "\n".join(["accommodation_id,url", *rows]).encode())
    with embedded_postgres(folder / "home") as database, dg.DagsterInstance.ephemeral() as instance:
        migrate(database)
        given = {
            "ledger": Ledger(database),
            "store": store,
            "partners": Partners(listed={"bench": _settings()}),
            "methods": Methods(load_recipes(PROJECT / "renditions.yaml")),
        }
        instance.add_dynamic_partitions("partner", ["bench"])
        build_defs(given).resolve_job_def("ingest_catalogue").execute_in_process(
            partition_key="bench",
            asset_selection=[dg.AssetKey("catalogue_diffs"), dg.AssetKey("raw_images")],
            instance=instance,
        )


def _settings() -> PartnerSettings:
    from resources.partners import PartnerSettings

    return PartnerSettings(
        "bench", allow_private_addresses=True, max_connections=CONNECTIONS, max_connections_total=CONNECTIONS
    )


WAYS: dict[str, Callable[[Sequence[str], Path], None]] = {"talk": talk, "fetch": fetch, "stage": stage}

if __name__ == "__main__":
    _, way, file, target = sys.argv
    WAYS[way](Path(file).read_text().split(), Path(target))
