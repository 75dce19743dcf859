"""Downloading: images a second and CPU an image, ours against the talk's loop, img2dataset and Scrapy, in one run.

    python benchmarks/downloads.py [FOLDER_OF_JPEGS] [--images 4000] [--rounds 1] [--ways talk scrapy ...]

One server on this machine, in its own process: photographs of about 100 kB, 40 ms latency, every URL another content.
Two comparisons:

fetch and store only: ours without decoding; img2dataset with its re-encoding off, which decodes nothing then either.
the whole stage: ours as Dagster runs it (every pixel decoded, original bytes kept, rows in the ledger); img2dataset as
  it is by default (decoded, brought to 256 x 256, encoded again); Scrapy's images pipeline; the talk's loop.

Ours has 256 connections, img2dataset the 64 threads of its README's examples in each of two processes, Scrapy 128
connections, the talk's loop one.
The rate is that of the requests as the server saw them, between the first and the last tenth of the images. Start-up is
the time until the first request. CPU is that of a way's whole process tree (PostgreSQL too), less that of a run of a
few images, and reported apart. The stored originals are compared with what the server sent. The rivals are installed in
an environment of their own under var/benchmarks/ (they pin other packages); one that cannot be is left out, and said.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median

import psutil
from _photo_server import load_photos, photo_bytes, photo_server

HERE = Path(__file__).parent
PROJECT = HERE.parent
RIVALS = PROJECT / "var" / "benchmarks" / "rivals"
LATENCY = 0.040
SHARDS = 8
FEW = 40  # images of the run whose CPU counts as start-up
TALK_IMAGES = 200  # it does about 20 a second
_PR_SET_CHILD_SUBREAPER = 36

IMG2DATASET = [
    str(RIVALS / "bin" / "img2dataset"),
    *("--url_list={urls}", "--output_folder={folder}", "--output_format=files"),
    # Threads as in the examples of its README; a shard is the work of one process, so several for each.
    *("--processes_count=2", "--thread_count=64", "--number_sample_per_shard={shard}", "--enable_wandb=False"),
]
OURS = [sys.executable, str(HERE / "_download_ways.py")]


@dataclass(frozen=True)
class Way:
    """A program that downloads all URLs of a file into a folder; `package` is what it needs of the rivals."""

    title: str
    command: Sequence[str]
    package: str | None = None
    originals: bool = True


WAYS = {
    "fetch": Way("ours, fetch and store", [*OURS, "fetch", "{urls}", "{folder}"]),
    "img2dataset-stored": Way(
        "img2dataset, re-encoding off",
        [*IMG2DATASET, "--resize_mode=no", "--disable_all_reencoding=True"],
        "img2dataset==1.47.0",
    ),
    "stage": Way("ours, the whole stage", [*OURS, "stage", "{urls}", "{folder}"]),
    "img2dataset": Way("img2dataset, defaults", IMG2DATASET, "img2dataset==1.47.0", originals=False),
    "scrapy": Way(
        "Scrapy's images pipeline",
        [
            str(RIVALS / "bin" / "scrapy"),
            *("runspider", str(HERE / "_scrapy_images.py"), "-a", "urls={urls}", "-s", "IMAGES_STORE={folder}"),
        ],
        "scrapy==2.19.0",
        originals=False,
    ),
    "talk": Way("the talk's loop", [*OURS, "talk", "{urls}", "{folder}"]),
}
COMPARISONS = {
    "fetch and store only": ("fetch", ("img2dataset-stored", "talk")),
    "the whole stage": ("stage", ("img2dataset", "scrapy", "talk")),
}


@dataclass(frozen=True)
class Run:
    """One run: seconds until the first request, images a second in the steady part, seconds in all, CPU seconds."""

    start_up: float
    rate: float
    seconds: float
    cpu: float
    stored: int


@dataclass(frozen=True)
class Result:
    """The medians of a way's runs: images a second, CPU seconds an image without start-up."""

    rate: float
    cpu: float


def installed(package: str) -> bool:
    """Whether a rival is in the environment of its own, installing it if need be."""
    pip = [str(RIVALS / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    if not RIVALS.exists():
        subprocess.run([sys.executable, "-m", "venv", str(RIVALS)], check=True)
    if subprocess.run([*pip, "show", "--quiet", package.split("==")[0]], capture_output=True).returncode == 0:
        return True
    done = subprocess.run([*pip, "install", "--quiet", package, "pillow"], capture_output=True, text=True)
    if done.returncode:
        print(f"{package} cannot be installed and is left out: {done.stderr.strip()[-300:]}", flush=True)
    return done.returncode == 0


def run(way: Way, images: int, photos: Sequence[bytes], where: Path) -> Run:
    """Download `images` of the server once, into a fresh folder."""
    with (
        tempfile.TemporaryDirectory(prefix="image-assets-bench-", dir=where) as scratch,
        photo_server(photos, LATENCY, images) as (port, came),
    ):
        urls, folder = Path(scratch) / "urls.txt", Path(scratch) / "out"
        urls.write_text("\n".join(f"http://127.0.0.1:{port}/{number}.jpg" for number in range(images)))
        command = [part.format(urls=urls, folder=folder, shard=max(images // SHARDS, 1)) for part in way.command]
        helpers = set(psutil.Process().children())
        before, began = cpu_of_the_ended(), time.monotonic()
        ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(PROJECT)})
        wait_for_orphans(helpers)
        seconds, cpu = time.monotonic() - began, cpu_of_the_ended() - before
        times = sorted(when for when in came if when)
        if ended.returncode or len(times) < images:
            raise SystemExit(
                f"{way.title} ended with {ended.returncode}, {len(times)} of {images} asked for\n{ended.stderr[-3000:]}"
            )
        early, late = images // 10, images - 1 - images // 10
        rate = (late - early) / (times[late] - times[early]) if late > early else 0.0
        stored = originals_in(folder, images, photos) if way.originals else len(list(folder.rglob("*.jpg")))
        return Run(times[0] - began, rate, seconds, cpu, stored)


def originals_in(folder: Path, images: int, photos: Sequence[bytes]) -> int:
    """How many of the files that the server sent are in the folder, byte for byte."""
    sent = {hashlib.sha256(photo_bytes(photos, number)).digest() for number in range(images)}
    kept = {hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}
    return len(sent & kept)


def cpu_of_the_ended() -> float:
    """CPU seconds of all ended descendants."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wait_for_orphans(helpers: set[psutil.Process]) -> None:
    """What a program left behind is ours to wait for, and counts."""
    for orphan in set(psutil.Process().children()) - helpers:
        orphan.wait(30)


def told(way: Way, images: int, few: Sequence[Run], runs: Sequence[Run]) -> Result:
    """Print the medians of some runs, start-up apart: its CPU is that of runs of few images."""
    few_cpu = median(one.cpu for one in few)
    rate, seconds, cpu, start_up = (
        median(getattr(one, name) for one in runs) for name in ("rate", "seconds", "cpu", "start_up")
    )
    cpu = (cpu - few_cpu) / (images - FEW)
    what = "originals, byte for byte" if way.originals else "pictures, encoded anew"
    print(
        f"  {way.title:30} {rate:7,.0f} images/s  {cpu * 1000:6.2f} ms CPU an image   "
        f"start-up {start_up:5.1f} s, {few_cpu:5.1f} s CPU   {seconds:5.1f} s in all   "
        f"stored {min(one.stored for one in runs):,} of {images:,} {what}",
        flush=True,
    )
    return Result(rate, cpu)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="JPEGs; without it, the package's photographs, or drawn")
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--scratch", type=Path, default=Path("/dev/shm"), help="where to download to, for a while")
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    chosen = parser.parse_args()
    # Orphans (a database server, say) come to us, so that their CPU is counted.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    photos = load_photos(chosen.folder)
    mean = sum(map(len, photos)) / len(photos)
    print(f"{chosen.images:,} images of {len(photos)} photographs, {mean / 1000:.0f} kB on average, 40 ms latency")
    counts = {
        name: TALK_IMAGES if name == "talk" else chosen.images
        for name in chosen.ways
        if (package := WAYS[name].package) is None or installed(package)
    }
    few: dict[str, list[Run]] = {name: [] for name in counts}
    many: dict[str, list[Run]] = {name: [] for name in counts}
    # The ways take turns, so that whatever else the machine does burdens all.
    for _, (name, count) in product(range(chosen.rounds), counts.items()):
        few[name].append(run(WAYS[name], FEW, photos, chosen.scratch))
        many[name].append(run(WAYS[name], count, photos, chosen.scratch))
    results = {name: told(WAYS[name], count, few[name], many[name]) for name, count in counts.items()}
    for title, (ours_name, rivals) in COMPARISONS.items():
        ours = results.get(ours_name)
        print(f"{title}:")
        for name in rivals:
            rival = results.get(name)
            if ours is not None and rival is not None:
                print(
                    f"  ours makes {ours.rate / rival.rate:5.2f} × the rate of {WAYS[name].title}, "
                    f"with {ours.cpu / rival.cpu:5.2f} × its CPU an image"
                )


if __name__ == "__main__":
    main()
