"""The talk's six steps as plain Python: one request at a time, one image at a time, one thread.

As in "Ingesting 35M images with Python in the cloud" (EuroPython 2016), with imagehash and Pillow; the clustering's
endless loop is mended. Its blobs are files; its database is a dictionary here, which costs less than any database.
"""

from __future__ import annotations

import hashlib
import io
import time
import urllib.request
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import sub
from pathlib import Path
from typing import TypeVar

import imagehash
from _hotel_pictures import Offer
from fingerprinting import fingerprint_the_talks_way
from grouping import talk_groups
from PIL import Image
from renditions import talks_way

from image_assets.raw_images import ScreeningLimits
from image_assets.renditions import Recipe

T = TypeVar("T")


@dataclass(frozen=True)
class Published:
    """One picture of a hotel's gallery: the URLs it stands for, its own URL and size, and its renditions' sizes."""

    hotel: str
    members: frozenset[str]
    url: str
    size: tuple[int, int]
    renditions: dict[str, tuple[int, int]]


@dataclass
class TalksWay:
    """The steps in order; `seconds` and `cpu_seconds` of each are kept by its name."""

    folder: Path
    recipes: Sequence[Recipe]
    limits: ScreeningLimits = field(default_factory=ScreeningLimits)
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)

    def run(self, offers: Sequence[Offer]) -> list[Published]:
        """All six steps for what the partners offer."""
        self.folder.mkdir()
        new = self._timed("triggering", lambda: list({offer.url: offer for offer in offers}.values()))
        sizes = self._timed("downloading", lambda: self._download(new))
        kept = [offer for offer in new if offer.url in sizes]
        hashes = self._timed("fingerprinting", lambda: self._fingerprint(kept))
        groups = self._timed("deduplicating", lambda: _deduplicate(kept, hashes))
        best = self._timed("prioritising", lambda: [(group, _best(group, sizes)) for group in groups])
        made = self._timed("generating", lambda: [self._generate(offer) for _, offer in best])
        return [
            Published(
                offer.hotel,
                frozenset(member.url for member in group),
                offer.url,
                sizes[offer.url],
                {name: Image.open(file).size for name, file in files.items()},
            )
            for (group, offer), files in zip(best, made, strict=True)
        ]

    def _timed(self, step: str, work: Callable[[], T]) -> T:
        clock, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.seconds[step] = time.perf_counter() - clock
        self.cpu_seconds[step] = time.process_time() - cpu
        return result

    def _file(self, url: str, name: str = "raw") -> Path:
        return self.folder / f"{hashlib.sha256(url.encode()).hexdigest()}-{name}"

    def _download(self, offers: Sequence[Offer]) -> dict[str, tuple[int, int]]:
        """The size of every picture that is kept."""
        sizes = {}
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for offer in offers:
            try:
                with urllib.request.urlopen(offer.url) as response:
                    data = response.read()
                self._file(offer.url).write_bytes(data)
                size = Image.open(io.BytesIO(data)).size
            except (OSError, Image.DecompressionBombWarning) as error:
                print(f"  {offer.url}: {error}")
                continue
            if (
                min(size) >= self.limits.minimum_short
                and max(size) >= self.limits.minimum_long
                and size[0] * size[1] <= self.limits.max_pixels
            ):
                sizes[offer.url] = size
        return sizes

    def _fingerprint(self, offers: Sequence[Offer]) -> dict[str, list[str]]:
        """36 hexadecimal hashes of every picture, as a database would keep them."""
        return {
            offer.url: [
                f"{value:016x}" for value in fingerprint_the_talks_way(self._file(offer.url).read_bytes(), "dhash")
            ]
            for offer in offers
        }

    def _generate(self, offer: Offer) -> dict[str, Path]:
        files = {}
        for name, data in talks_way(self._file(offer.url).read_bytes(), self.recipes).items():
            files[name] = self._file(offer.url, name)
            files[name].write_bytes(data)
        return files


def _deduplicate(offers: Sequence[Offer], hashes: dict[str, list[str]]) -> list[list[Offer]]:
    groups = []
    for hotel in dict.fromkeys(offer.hotel for offer in offers):
        images = [offer for offer in offers if offer.hotel == hotel]
        loaded = [[imagehash.hex_to_hash(value) for value in hashes[image.url]] for image in images]
        groups += [[images[index] for index in group] for group in talk_groups(loaded, sub)]
    return groups


def _best(group: Sequence[Offer], sizes: dict[str, tuple[int, int]]) -> Offer:
    """The picture with the most pixels."""
    return max(group, key=lambda offer: sizes[offer.url][0] * sizes[offer.url][1])
