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

from image_assets.dedup_quality.corpus import GENERATED, LabelledPair, is_held_out
from image_assets.dedup_quality.making import (
    Copy,
    MadePicture,
    Original,
    alike_copies,
    different_pairs,
    made_pictures,
    planned_copies,
    same_pairs,
)
from image_assets.fingerprints import UnreadableImage
from image_assets.methods import Methods
from resources.ledger import Ledger, corpus
from resources.ledger.corpus import PairRow, PictureRow
from resources.object_store import ObjectStore, raw_image_key

PIPELINE = "the pipeline"
_SAY_SECONDS = 15.0


class NoPictures(RuntimeError):
    """There is nothing to build a corpus from; the message says what to do."""


@dataclass(frozen=True)
class BuiltCorpus:
    """What was built. offered: pictures there were to take, of a folder. `left_out`: a line for each picture that could
    not be read."""

    origin: str
    offered: int
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

    pictures: how many at most, in whole hotels (the last one may go beyond). pairs: same and different ones a half.
    Raises NoPictures when there are fewer than four that can be read.
    """
    if folder is None:
        origin, sources = PIPELINE, _pipeline_sources(ledger, store, methods, pictures, seed)
        offered = len(sources)
    else:
        origin, files = str(folder.resolve()), _files(folder)
        offered, sources = len(files), _folder_sources(folder, _drawn(folder, files, pictures, seed))
    halves = _halves([source.original.sha256 for source in sources])
    planned = [copy for half in halves for copy in planned_copies(half, seed, pairs[0])]
    alike_planned = [copy for half in halves for copy in alike_copies(half)]
    made, left_out = _measured(sources, [*planned, *alike_planned], methods.algorithm, seed, say)
    readable = {picture.picture.source for picture in made}
    if len(readable) < 4:
        raise NoPictures(
            f"{origin}: {len(readable)} pictures can be read; a corpus needs at least four, better hundreds"
        )
    copies = [copy for copy in planned if copy.source in readable]
    originals = {picture.picture.source: picture.picture for picture in made if not picture.picture.edit}
    alike = same_pairs(copies, origin)
    unlike = [
        pair
        for half in _halves(list(originals))
        for pair in different_pairs([originals[source] for source in half], copies, seed, origin, pairs[1])
    ]
    used = {end for pair in (*alike, *unlike) for end in (pair.a, pair.b)}
    with ledger.connect() as connection:
        corpus.replace_origin(
            connection,
            GENERATED,
            origin,
            [picture_row(picture, methods.fingerprint) for picture in made if picture.picture.key in used],
            [pair_row(pair) for pair in (*alike, *unlike)],
        )
    edited = len(used - {original.key for original in originals.values()})
    return BuiltCorpus(origin, offered, len(originals), edited, len(alike), len(unlike), tuple(left_out))


def _halves(sources: Sequence[str]) -> tuple[list[str], list[str]]:
    """The sources (sha256, hex) for tuning and those that are held out."""
    return (
        [source for source in sources if not is_held_out(source)],
        [source for source in sources if is_held_out(source)],
    )


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


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _drawn(folder: Path, files: Sequence[Path], pictures: int, seed: int) -> list[Path]:
    """Some of the files in order, whole hotels drawn by `seed` until there are so many pictures."""
    hotels: dict[str, list[Path]] = {}
    for file in files:
        place = file.relative_to(folder)
        hotels.setdefault(place.parts[0], []).append(file)
    drawn: list[Path] = []
    for hotel in sorted(hotels, key=lambda name: hashlib.sha256(f"{seed}\x1f{name}".encode()).digest()):
        if len(drawn) < pictures:
            drawn += hotels[hotel]
    return sorted(drawn)


def _folder_sources(folder: Path, files: Sequence[Path]) -> list[_Source]:
    """Files below `folder`, each content once; a file in a subfolder is of the hotel that the subfolder names."""
    found: dict[str, _Source] = {}
    for file in files:
        place = file.relative_to(folder)
        hotel = place.parts[0] if len(place.parts) > 1 else None
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        found.setdefault(sha256, _Source(Original(sha256, hotel, str(place)), file.read_bytes))
    return list(found.values())


def _pipeline_sources(ledger: Ledger, store: ObjectStore, methods: Methods, pictures: int, seed: int) -> list[_Source]:
    """Of some hotels of the newest data release the pictures that one partner offers of each.

    That these differ is the partner's word: it lists them side by side. No policy has a say in it, so none chooses the
    pairs that it is judged by; of pictures that different partners offer nobody knows whether they differ.
    """
    with ledger.connect() as connection:
        shown = corpus.pictures_of_one_partner(connection, methods.fingerprint, pictures, seed)
    if not shown:
        raise NoPictures(
            "no loaded data release has fingerprinted pictures: run the pipeline first, or name a folder of "
            "photographs with --folder"
        )
    found: dict[str, _Source] = {}
    for picture in shown:
        original = Original(picture.sha256, picture.hotel_id, picture.url)
        found.setdefault(picture.sha256, _Source(original, _stored(store, picture.sha256)))
    return list(found.values())


def _stored(store: ObjectStore, sha256: str) -> Callable[[], bytes]:
    return lambda: store.get(raw_image_key(sha256))


def _measured(
    sources: Sequence[_Source], planned: Sequence[Copy], algorithm: str, seed: int, say: Callable[[str], None]
) -> tuple[list[MadePicture], list[str]]:
    """All pictures of the corpus, in the order of `sources`, and a line for each source that cannot be read."""
    by_source = sorted(planned, key=attrgetter("source"))
    copies = {source: list(group) for source, group in groupby(by_source, key=attrgetter("source"))}

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
