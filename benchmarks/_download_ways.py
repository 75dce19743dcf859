"""Ways to download, each a program of its own: `python _download_ways.py WAY FILE_OF_URLS FOLDER`.

talk: the talk's loop, one request at a time, Pillow opens the file. fetch: the project's fetcher and store, in batches
of the asset's size, without its judging: nothing is decoded, and nothing is told to a ledger. stage: the project's
asset `raw_images` as a run of Dagster, on embedded Postgres: full screening, original bytes, results in the ledger.
Imports are within the ways: each pays for its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import sys
import urllib.request
from collections.abc import Callable, Sequence
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
    """Fetch and store only: a batch is stored while the next one is fetched."""
    from image_assets.raw_images.downloading import BATCH_IMAGES
    from resources.image_fetcher import FetchRequest, fetch_all
    from resources.object_store import open_store, raw_image_key

    store = open_store(f"file://{folder}")

    def keyed(bodies: Sequence[bytes]) -> list[tuple[str, bytes]]:
        return [(raw_image_key(hashlib.sha256(data).hexdigest()), data) for data in bodies]

    async def keep(bodies: Sequence[bytes]) -> None:
        shares = store.shares(await asyncio.to_thread(keyed, bodies))
        await asyncio.gather(*map(store.put_share_async, shares))

    async def run() -> None:
        bodies: list[bytes] = []
        keeping = asyncio.create_task(keep([]))
        async for fetched in fetch_all([FetchRequest(url, url) for url in urls], _settings()):
            assert fetched.data is not None, fetched.reason
            bodies.append(fetched.data)
            if len(bodies) == BATCH_IMAGES:
                await keeping
                keeping, bodies = asyncio.create_task(keep(bodies)), []
        await keeping
        await keep(bodies)

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
