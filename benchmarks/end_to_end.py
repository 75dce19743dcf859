"""Images a second from catalogues to published galleries: the pipeline against the talk's way, same images, same run.

    python benchmarks/end_to_end.py [--images 2000] [--photos FOLDER] [--talk-images M]

Five partners show the pictures of hotels with 7 pictures each, every partner in a version of its own (size, quality,
brightness, crop, watermark), as JPEGs of about 1,000 pixels served by a local HTTP server in its own process. Pictures
are drawn by code, or made of the JPEGs in FOLDER.

The pipeline: the real jobs on an empty embedded PostgreSQL and an empty file store, one job after the other in this
process, asked for by `pending_work`; what Dagster costs is in it, the start of Python and PostgreSQL is not. The talk's
way: its six steps in plain Python, see `_talks_way`. With --talk-images it works only on the first hotels with about M
images and is counted per image. Both must find the same image groups, and make every rendition in the size that the
recipe's box asks for; anything else ends the run with exit code 1.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import dagster as dg
import psutil
import pyarrow.parquet as pq
from _hotel_pictures import PARTNERS, Offer, make_pictures, picture_server
from _talks_way import Published, TalksWay

from image_assets.definitions import build_defs
from image_assets.image_release.publishing import current_release
from image_assets.methods import Methods
from image_assets.partitions import PARTNERS as PARTNER_PARTITIONS
from image_assets.partitions import RELEASES, SHARD_KEYS
from image_assets.pending_work import INGEST, Work, notice_newest_release, pending_work
from image_assets.renditions import Recipe, load_recipes
from image_assets.renditions.placing import fitted_size
from resources.ledger import Ledger
from resources.ledger.embedded import embedded_postgres
from resources.ledger.schema import migrate
from resources.object_store import ObjectStore, open_store
from resources.partners import Partners, load_partners

RECIPES_FILE = Path(__file__).parents[1] / "renditions.yaml"
QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}

# The talk's name of a step -> our assets that do it. What loads and publishes a release has no counterpart there.
STEPS = {
    "triggering": ("catalogue_diffs",),
    "downloading": ("raw_images",),
    "fingerprinting": ("fingerprints",),
    "deduplicating": ("hotel_groups", "image_groups"),
    "prioritising": ("priorities",),
    "generating": ("renditions",),
    "publishing": ("image_release",),
}


@dataclass(frozen=True)
class Measured:
    """What one way took. `steps` are seconds by the talk's names; `cpu` seconds of all its processes."""

    images: int
    published: list[Published]
    seconds: float
    cpu: float
    steps: Mapping[str, float]

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.seconds


def run_pipeline(folder: Path, offers: Sequence[Offer], recipes: tuple[Recipe, ...]) -> Measured:
    """All our stages from an empty ledger and store."""
    store = open_store((folder / "store").as_uri())
    partners_file = folder / "partners.yaml"
    partners_file.write_text(
        "partners:\n" + "".join(f"  {name}: {{allow_private_addresses: true}}\n" for name in PARTNERS)
    )
    with embedded_postgres(folder / "home") as url:
        migrate(url)
        house = House(
            store, Ledger(url), load_partners(partners_file), Methods(recipes), dg.DagsterInstance.ephemeral()
        )
        started, cpu = time.perf_counter(), _cpu_seconds()
        _deliver(store, offers)
        seconds = house.settle()
        taken, cpu = time.perf_counter() - started, _cpu_seconds() - cpu
    steps = {step: sum((seconds[asset] for asset in assets), 0.0) for step, assets in STEPS.items()}
    steps["Dagster, leases, asking what is left"] = taken - sum(steps.values())
    return Measured(len(offers), _published(store), taken, cpu, steps)


@dataclass(frozen=True)
class House:
    """The pipeline with its surroundings, and a hand that drives its jobs."""

    store: ObjectStore
    ledger: Ledger
    partners: Partners
    methods: Methods
    instance: dg.DagsterInstance

    def settle(self) -> dict[str, float]:
        """Run jobs until nothing is pending; the seconds within each asset."""
        seconds: defaultdict[str, float] = defaultdict(float)
        defs = build_defs(
            {"store": self.store, "ledger": self.ledger, "partners": self.partners, "methods": self.methods}
        )
        while work := self._pending():
            for each in work:
                partitions = PARTNER_PARTITIONS if each.job == INGEST else RELEASES
                self.instance.add_dynamic_partitions(str(partitions.name), [each.partition_key.split("|")[0]])
                result = defs.resolve_job_def(each.job).execute_in_process(
                    partition_key=each.partition_key, instance=self.instance, run_config=QUIET
                )
                for event in result.get_asset_materialization_events():
                    materialization = event.step_materialization_data.materialization
                    taken = materialization.metadata["seconds"].value
                    assert isinstance(taken, float)
                    seconds[materialization.asset_key.to_user_string()] += taken
        return seconds

    def _pending(self) -> list[Work]:
        notice_newest_release(self.store, self.ledger)
        return pending_work(self.store, self.ledger, self.methods, SHARD_KEYS, timedelta(hours=1)).work


def _deliver(store: ObjectStore, offers: Sequence[Offer]) -> None:
    """Catalogues and a data release, as partners and matching would."""
    for partner in PARTNERS:
        entries = [{"accommodation_id": o.hotel, "url": o.url} for o in offers if o.partner == partner]
        store.put(f"catalogues/{partner}/1.jsonl", "".join(json.dumps(entry) + "\n" for entry in entries).encode())
    rows = dict.fromkeys(f"{offer.hotel},{offer.partner},{offer.hotel}\n" for offer in offers)
    store.put("data-releases/1.csv", ("hotel_id,partner_id,accommodation_id\n" + "".join(rows)).encode())


def _published(store: ObjectStore) -> list[Published]:
    current = current_release(store)
    if current is None:
        raise SystemExit("the pipeline published nothing")
    return [
        Published(
            row["hotel_id"],
            frozenset(member["url"] for member in row["members"]),
            row["url"],
            (row["width"], row["height"]),
            {made["recipe"]: (made["width"], made["height"]) for made in row["renditions"]},
        )
        for row in pq.read_table(io.BytesIO(store.get(current["manifest"]))).to_pylist()
    ]


def run_talks_way(folder: Path, offers: Sequence[Offer], recipes: tuple[Recipe, ...]) -> Measured:
    """The talk's six steps."""
    talk = TalksWay(folder / "talk", recipes)
    published = talk.run(offers)
    return Measured(len(offers), published, sum(talk.seconds.values()), sum(talk.cpu_seconds.values()), talk.seconds)


def _cpu_seconds() -> float:
    """Of this process and all below it (PostgreSQL, decoder workers), ended ones too, but for the picture server."""
    us = psutil.Process()
    own = us.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in us.children(recursive=True):
        try:
            if "multiprocessing" in " ".join(child.cmdline()):
                continue
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def differences(ours: Measured, talk: Measured, recipes: Sequence[Recipe]) -> list[str]:
    """What is not the same in the hotels that both worked on; a line each."""
    hotels = {published.hotel for published in talk.published}
    both = {"the pipeline": [p for p in ours.published if p.hotel in hotels], "the talk's way": talk.published}
    found = []
    groups = [{(p.hotel, p.members) for p in published} for published in both.values()]
    if groups[0] != groups[1]:
        found.append(
            f"image groups: {len(groups[0] - groups[1]):,} only of ours, {len(groups[1] - groups[0]):,} only of theirs"
        )
    for name, published in both.items():
        wrong = sum(
            p.renditions != {r.name: fitted_size(*p.size, r.width, r.height) for r in recipes} for p in published
        )
        if wrong:
            found.append(f"{name}: {wrong:,} published images without all renditions in their boxes")
    chosen = [{(p.members, p.url) for p in published} for published in both.values()]
    made = [sum(len(p.renditions) for p in published) for published in both.values()]
    print(
        f"compared {len(hotels):,} hotels: {len(groups[0]):,} and {len(groups[1]):,} image groups, {made[0]:,} and "
        f"{made[1]:,} renditions, the same image chosen in {len(chosen[0] & chosen[1]):,} groups"
    )
    return found


def report(ours: Measured, talk: Measured) -> None:
    """Both ways beside each other, milliseconds an image, so that samples compare."""
    print(f"{'':38} {'pipeline':>20} {'the talk’s way':>24}")
    for step in ours.steps:
        cells = []
        for way in (ours, talk):
            taken = way.steps.get(step)
            cells.append(
                f"{taken:8.2f} s {taken / way.images * 1e3:7.2f} ms {taken / way.seconds:5.0%}"
                if taken is not None
                else " " * 26
            )
        print(f"  {step:36} {cells[0]}   {cells[1]}")
    for way, name in ((ours, "the pipeline"), (talk, "the talk's way")):
        print(
            f"{name:14} {way.images:,} images in {way.seconds:.1f} s: {way.rate:.1f} images a second; "
            f"{way.cpu:.1f} s of CPU, {way.cpu / way.images * 1e3:.1f} ms an image"
        )
    each = (talk.cpu / talk.images) / (ours.cpu / ours.images)
    print(f"the pipeline is {ours.rate / talk.rate:.1f} times as fast, with {each:.1f} times less CPU an image")


def main() -> int:
    """Make the pictures, run both ways, print and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--photos", type=Path, help="a folder of JPEG photographs; without it, pictures drawn by code")
    parser.add_argument("--talk-images", type=int, help="let the talk's way work on so many only; all by default")
    options = parser.parse_args()
    if options.photos and not list(options.photos.glob("*.jp*g")):
        parser.error(f"no JPEG files in {options.photos}")
    logging.getLogger("dagster").setLevel(logging.ERROR)
    recipes = load_recipes(RECIPES_FILE)
    with tempfile.TemporaryDirectory(prefix="image-assets-benchmark-") as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        pictures = make_pictures(folder / "pictures", options.images, options.photos)
        size = sum(file.stat().st_size for file in (folder / "pictures").iterdir())
        print(f"{len(pictures):,} images of {len(PARTNERS)} partners, {size / len(pictures) / 1e3:.0f} kB each")
        with picture_server(folder / "pictures") as base:
            offers = [Offer(hotel, partner, f"{base}/{file}") for hotel, partner, file in pictures]
            ours = run_pipeline(folder, offers, recipes)
            limit = options.talk_images or len(offers)
            hotels = set(dict.fromkeys(offer.hotel for offer in offers[:limit]))
            talk = run_talks_way(folder, [offer for offer in offers if offer.hotel in hotels], recipes)
    report(ours, talk)
    found = differences(ours, talk, recipes)
    print(
        "\n".join(found) if found else "same image groups; all renditions of both in the sizes that the boxes ask for"
    )
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
