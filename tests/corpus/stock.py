"""Photographs in a folder, and hotels with pictures that went through the pipeline."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from end_to_end.world import World
from partner_site import PartnerSite
from pictures import drawn, jpeg

from image_assets.methods import Methods
from image_assets.pending_work import INGEST, LOAD
from image_assets.renditions import load_recipes
from resources.environment import PROJECT

METHODS = Methods(load_recipes(PROJECT / "renditions.yaml"))


def write_photographs(folder: Path, count: int, first: int = 0) -> Path:
    """A folder of small photographs, none like another."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.jpg").write_bytes(jpeg(drawn(first + number, 480, 360)))
    return folder


def load_hotels(
    world: World,
    site: PartnerSite,
    hotels: Mapping[str, Sequence[bytes]],
    of_another_partner: Mapping[str, Sequence[bytes]] | None = None,
) -> dict[str, list[str]]:
    """Take the hotels' pictures in and freeze them in a data release, ungrouped; the sha256 of each picture."""
    offers = {"alpha": hotels} | ({"beta": of_another_partner} if of_another_partner else {})
    for partner, offered in offers.items():
        entries = [
            {"accommodation_id": hotel, "url": site.serve(f"/{partner}/{hotel}/{number}.jpg", data)}
            for hotel, pictures in offered.items()
            for number, data in enumerate(pictures)
        ]
        world.offer(partner, "w1", entries)
    world.release("r1", [(hotel, partner, hotel) for partner, offered in offers.items() for hotel in offered])
    for job in (INGEST, LOAD):
        for work in world.pending().work:
            if work.job == job:
                assert world.materialise(work).success
    return {hotel: [hashlib.sha256(data).hexdigest() for data in pictures] for hotel, pictures in hotels.items()}
