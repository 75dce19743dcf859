"""Ways to download, each a program of its own: `python _download_ways.py WAY FILE_OF_URLS FOLDER`.

talk: the talk's loop, one request at a time, Pillow opens the file. fetch: the project's fetcher and store, nothing
decoded. stage: the project's asset `raw_images` as a run of Dagster, on embedded Postgres: full screening, original
bytes, results in the ledger. Imports are within the ways: each pays for its own.
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
# To other threads go several bodies at once: the way there and back costs CPU time too.
BODIES_A_HOP, HOPS = 16, 8


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
    from resources.image_fetcher import FetchRequest, fetch_all
    from resources.object_store import open_store, raw_image_key

    store = open_store(f"file://{folder}")
    hops = asyncio.Semaphore(HOPS)

    def keep(bodies: Sequence[bytes]) -> None:
        for data in bodies:
            store.put(raw_image_key(hashlib.sha256(data).hexdigest()), data)

    async def keep_beside(bodies: Sequence[bytes]) -> None:
        await asyncio.to_thread(keep, bodies)
        hops.release()

    async def run() -> None:
        bodies: list[bytes] = []
        async with asyncio.TaskGroup() as group:
            async for fetched in fetch_all([FetchRequest(url, url) for url in urls], _settings()):
                assert fetched.data is not None, fetched.reason
                bodies.append(fetched.data)
                if len(bodies) == BODIES_A_HOP:
                    await hops.acquire()
                    group.create_task(keep_beside(bodies))
                    bodies = []
        keep(bodies)

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
