"""Downloading: how ours changes from 10 to 2,000 hosts, and that memory does not grow with the queue.

Run it alone: `python benchmarks/download_hosts.py [hosts] [memory]` (default: both). The server is a process of its
own on this machine; names are answered by the benchmark and all lead to it. Each measurement runs in a fresh process.

hosts: fetching only. The baseline in the same run is a plain aiohttp loop with as many connections: one session, no
limits, no checks, no host of its own.
memory: the asset raw_images as Dagster runs it, with 10,000 and with 100,000 tiny bodies that are no images.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import dagster as dg
from _local_hosts import LocalNames, local_hosts
from _peak_memory import peak_mib

from image_assets.definitions import build_defs
from image_assets.methods import Methods
from image_assets.renditions import load_recipes
from resources.environment import PROJECT
from resources.image_fetcher import FetchRequest, HostReport, fetch_all
from resources.ledger import Ledger, catalogues
from resources.ledger.catalogues import CatalogueVersion
from resources.ledger.embedded import embedded_postgres
from resources.ledger.schema import migrate
from resources.object_store import open_store
from resources.partners import Partners, PartnerSettings

CONNECTIONS = 64
HOSTS = (10, 100, 1000, 2000)
SETTINGS = PartnerSettings("bench", allow_private_addresses=True, max_connections_total=CONNECTIONS)


@dataclass(frozen=True)
class Cost:
    """What a number of images cost: wall and CPU seconds, peak memory of the process in MiB."""

    images: int
    seconds: float
    cpu: float
    peak: float

    def __str__(self) -> str:
        return (
            f"{self.images / self.seconds:7,.0f} images/s {self.cpu / self.images * 1000:6.2f} ms CPU an image "
            f"{self.peak:5,.0f} MiB peak"
        )


def in_a_fresh_process(measure: Callable[..., Cost], *arguments: object) -> Cost:
    """Run one measurement where nothing before it left memory behind."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, arguments)


def cost_of(images: int, work: Callable[[], object]) -> Cost:
    """Do the work; its cost in this process."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    return Cost(images, seconds, used, peak_mib())


def urls(port: int, hosts: int, images: int) -> Iterator[str]:
    """Images dealt out to hosts in turn."""
    return (f"http://cdn{number % hosts}.test:{port}/{number}.jpg" for number in range(images))


def ours(port: int, hosts: int, images: int) -> Cost:
    """The project's fetcher."""

    async def fetch() -> None:
        requests = (FetchRequest(url, url) for url in urls(port, hosts, images))
        report = HostReport()
        fetched = [one.reason async for one in fetch_all(requests, SETTINGS, names=LocalNames(), report=report)]
        assert fetched == [None] * images, "every image is fetched"

    return cost_of(images, lambda: asyncio.run(fetch()))


def plain(port: int, hosts: int, images: int) -> Cost:
    """The baseline."""

    async def fetch() -> None:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, resolver=LocalNames())
        async with aiohttp.ClientSession(connector=connector) as session:
            left = urls(port, hosts, images)

            async def work() -> None:
                for url in left:
                    async with session.get(url) as response:
                        await response.read()

            await asyncio.gather(*(work() for _ in range(CONNECTIONS)))

    return cost_of(images, lambda: asyncio.run(fetch()))


def from_few_to_many_hosts(images: int) -> None:
    """Both, for each number of hosts."""
    with local_hosts(b"x" * 10_000) as port:
        for hosts in HOSTS:
            ours_now, plain_now = (in_a_fresh_process(measure, port, hosts, images) for measure in (ours, plain))
            print(f"{hosts:5,} hosts  ours  {ours_now}")
            print(
                f"{hosts:5,} hosts  plain {plain_now}  ours takes {ours_now.cpu / plain_now.cpu:.2f} × its CPU",
                flush=True,
            )


def offer(ledger: Ledger, url: Iterator[str]) -> None:
    """A catalogue of these URLs, applied."""
    catalogue = CatalogueVersion("bench", "w1", "key", "etag")
    with ledger.connect() as connection:
        catalogues.open_staging(connection, catalogue)
        rows = ((n, f"h{n // 20}", u, n % 20, None, None, None, None, None) for n, u in enumerate(url))
        catalogues.stage_entries(connection, "bench", rows)
        catalogues.reject_duplicates(connection, catalogue, "key")
        catalogues.apply(connection, catalogue, catalogues.diff(connection, "bench"))


def whole_stage(port: int, images: int) -> Cost:
    """The asset, as a run of Dagster, on embedded Postgres and a local store."""
    with tempfile.TemporaryDirectory(prefix="image-assets-bench-") as folder, embedded_postgres(Path(folder)) as url:
        migrate(url)
        ledger = Ledger(url)
        # The resolver is the system's here, so one host by its address; the queue is as long as it is.
        offer(ledger, (f"http://127.0.0.1:{port}/{number}.jpg" for number in range(images)))
        given = {
            "ledger": ledger,
            "store": open_store(f"file://{folder}/store"),
            "partners": Partners(listed={"bench": SETTINGS}),
            "methods": Methods(load_recipes(PROJECT / "renditions.yaml")),
        }
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("partner", ["bench"])
            job = build_defs(given).resolve_job_def("ingest_catalogue")
            selection = [dg.AssetKey("raw_images")]
            return cost_of(
                images,
                lambda: job.execute_in_process(partition_key="bench", asset_selection=selection, instance=instance),
            )


def memory_of_a_long_queue(queues: Sequence[int]) -> None:
    """The peak of each, and what the longer one takes more."""
    with local_hosts(b"not an image") as port:
        costs = [in_a_fresh_process(whole_stage, port, images) for images in queues]
    for cost in costs:
        print(f"{cost.images:7,} images  {cost}")
    print(f"the longer queue takes {costs[-1].peak - costs[0].peak:+,.0f} MiB", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["hosts", "memory"], metavar="PART")
    parser.add_argument("--images", type=int, default=20_000, help="for each number of hosts")
    chosen = parser.parse_args()
    if "hosts" in chosen.parts:
        from_few_to_many_hosts(chosen.images)
    if "memory" in chosen.parts:
        memory_of_a_long_queue((10_000, 100_000))


if __name__ == "__main__":
    sys.exit(main())
