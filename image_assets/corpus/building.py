"""`image-assets corpus build`: labelled pairs from the pipeline's own pictures, or from a folder of photographs.

Belongs here: finding the pictures, measuring copies on all cores, writing it all at once. Does not belong here: which
copies and pairs are made (`dedup_quality.making`).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import numpy as np

from image_assets.dedup_quality.corpus import GENERATED, LabelledPair
from image_assets.dedup_quality.making import (
    Copy,
    MadePicture,
    Original,
    different_pairs,
    made_pictures,
    planned_copies,
    same_pairs,
)
from image_assets.fingerprints import Fingerprint, UnreadableImage, unpack_hashes, unpack_luma
from image_assets.image_groups import TALK_POLICY, group_images
from image_assets.methods import Methods
from resources.ledger import Ledger, corpus
from resources.ledger.corpus import HotelPicture, PairRow, PictureRow
from resources.object_store import ObjectStore, raw_image_key

PIPELINE = "the pipeline"
_SAY_SECONDS = 15.0


class NoPictures(RuntimeError):
    """There is nothing to build a corpus from; the message says what to do."""


@dataclass(frozen=True)
class BuiltCorpus:
    """What was built. `left_out`: a line for each picture that could not be read."""

    origin: str
    pictures: int
    copies: int
    same: int
    different: int
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Source:
    """A picture to make copies of, and how to get its bytes."""

    original: Original
    read: Callable[[], bytes]


def build_corpus(
    ledger: Ledger,
    store: ObjectStore,
    methods: Methods,
    folder: Path | None,
    pictures: int,
    seed: int,
    say: Callable[[str], None],
    pairs: tuple[int, int],
) -> BuiltCorpus:
    """Make the pairs of one origin, the folder or the pipeline, and put them in place of those it gave before.

    pictures: how many of the pipeline's pictures at most, in whole hotels. pairs: same and different ones a half.
    Raises NoPictures when there are fewer than four that can be read.
    """
    sources = _pipeline_sources(ledger, store, methods, pictures, seed) if folder is None else _folder_sources(folder)
    origin = PIPELINE if folder is None else str(folder.resolve())
    planned = planned_copies([source.original.sha256 for source in sources], seed, pairs[0])
    made, left_out = _measured(sources, planned, methods.algorithm, seed, say)
    readable = {picture.picture.source for picture in made}
    if len(readable) < 4:
        raise NoPictures(
            f"{origin}: {len(readable)} pictures can be read; a corpus needs at least four, better hundreds"
        )
    copies = [copy for copy in planned if copy.source in readable]
    originals = [picture.picture for picture in made if not picture.picture.edit]
    alike = same_pairs(copies, origin)
    unlike = different_pairs(originals, copies, seed, origin, pairs[1])
    with ledger.connect() as connection:
        corpus.replace_origin(
            connection,
            GENERATED,
            origin,
            [picture_row(picture, methods.fingerprint) for picture in made],
            [pair_row(pair) for pair in (*alike, *unlike)],
        )
    return BuiltCorpus(origin, len(originals), len(copies), len(alike), len(unlike), tuple(left_out))


def picture_row(made: MadePicture, method: str) -> PictureRow:
    """A picture as the ledger keeps it."""
    picture = made.picture
    return PictureRow(
        picture.key,
        picture.source,
        picture.edit,
        picture.hotel_id,
        picture.name,
        method,
        made.width,
        made.height,
        picture.crop_hashes,
        picture.luma,
        made.preview,
    )


def pair_row(pair: LabelledPair) -> PairRow:
    """A pair as the ledger keeps it."""
    return PairRow(pair.a, pair.b, pair.kind, pair.origin, pair.same, pair.detail)


def _folder_sources(folder: Path) -> list[_Source]:
    """Every file below `folder`, each content once; a file in a subfolder is of the hotel that the subfolder names."""
    found: dict[str, _Source] = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        place = file.relative_to(folder)
        hotel = place.parts[0] if len(place.parts) > 1 else None
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        found.setdefault(sha256, _Source(Original(sha256, hotel, str(place)), file.read_bytes))
    return list(found.values())


def _pipeline_sources(ledger: Ledger, store: ObjectStore, methods: Methods, pictures: int, seed: int) -> list[_Source]:
    """One content of each picture of some hotels of the newest data release.

    Which images of a hotel differ is not known for sure: what the policy or the talk's rule takes for the same picture
    is not called different, and only the first of such images is taken.
    """
    with ledger.connect() as connection:
        shown = corpus.pictures_of_hotels(connection, methods.fingerprint, pictures, seed)
    if not shown:
        raise NoPictures(
            "no loaded data release has fingerprinted pictures: run the pipeline first, or name a folder of "
            "photographs with --folder"
        )
    found: dict[str, _Source] = {}
    for hotel_id, of_hotel in groupby(shown, key=attrgetter("hotel_id")):
        for picture in _one_a_group(list(of_hotel), methods):
            original = Original(picture.sha256, hotel_id, picture.url)
            found.setdefault(picture.sha256, _Source(original, _stored(store, picture.sha256)))
    return list(found.values())


def _stored(store: ObjectStore, sha256: str) -> Callable[[], bytes]:
    return lambda: store.get(raw_image_key(sha256))


def _one_a_group(pictures: Sequence[HotelPicture], methods: Methods) -> list[HotelPicture]:
    fingerprints = [
        Fingerprint(unpack_hashes(picture.crop_hashes), unpack_luma(picture.luma), picture.width, picture.height)
        for picture in pictures
    ]
    first = np.arange(len(pictures))
    # Components of both relations together: whoever is in one group by either policy gets the smallest index of it.
    changed = True
    groups = [group for policy in (methods.policy, TALK_POLICY) for group in group_images(fingerprints, policy)]
    while changed:
        before = first.copy()
        for group in groups:
            first[group] = first[group].min()
        changed = bool((before != first).any())
    return [pictures[i] for i in np.unique(first)]


def _measured(
    sources: Sequence[_Source], planned: Sequence[Copy], algorithm: str, seed: int, say: Callable[[str], None]
) -> tuple[list[MadePicture], list[str]]:
    """All pictures of the corpus, in the order of `sources`, and a line for each source that cannot be read."""
    copies = {source: list(group) for source, group in groupby(planned, key=attrgetter("source"))}

    def measure(source: _Source) -> list[MadePicture] | str:
        try:
            data = source.read()
            return list(made_pictures(source.original, data, copies.get(source.original.sha256, ()), seed, algorithm))
        except (UnreadableImage, FileNotFoundError) as trouble:
            return f"{source.original.name}: {trouble}"

    made: list[MadePicture] = []
    left_out: list[str] = []
    began = said = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done, result in enumerate(pool.map(measure, sources), start=1):
            if isinstance(result, str):
                left_out.append(result)
            else:
                made.extend(result)
            now = time.monotonic()
            if now - said >= _SAY_SECONDS:
                said = now
                left = (now - began) / done * (len(sources) - done)
                say(f"{done:,} of {len(sources):,} pictures and their copies measured, about {left:,.0f} s left")
    return made, left_out
