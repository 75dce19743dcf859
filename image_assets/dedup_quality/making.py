"""Making labelled pairs: copies of a picture by edits, and pictures that differ, the hard ones first.

Pure functions from pictures and a seed to rows of the corpus; the same input gives the same rows. Does not belong here:
where pictures come from (`image_assets.corpus.building`), and the edits themselves (`drawn_edits`).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_assets.dedup_quality.corpus import (
    GENERATED,
    CorpusPicture,
    LabelledPair,
    picture_key,
)
from image_assets.dedup_quality.drawn_edits import EDITS, MIRRORED, edited
from image_assets.dedup_quality.edits import as_jpeg
from image_assets.fingerprints import fingerprint, pack_hashes, pack_luma, unpack_luma
from image_assets.shown_pixels import exif_orientation, turned_upright

SAME_HOTEL, NEAREST, ANY = "same hotel", "nearest", "at random"

# What a partner does to all its pictures alike: two that differ come nearer to each other.
ALIKE_EDITS = (
    "off-centre crop 20 %",
    "white border 20 %",
    "letterbox",
    "watermark",
    "logo",
    "banner over the bottom 10 %",
)

LONG_SIDE = 1024  # of the pictures that are edited: what partners offer, and 10 ms an edit
_PREVIEW_SIDE = 160
_LEAST_QUALITY, _MOST_QUALITY = 65, 93


@dataclass(frozen=True)
class Original:
    """A picture that copies are made from. `sha256` (hex) names it, `hotel_id` None: of no known hotel."""

    sha256: str
    hotel_id: str | None
    name: str


@dataclass(frozen=True)
class Copy:
    """An edited copy to be made of the picture `source` (sha256, hex).

    alike: what the edit leaves open is drawn once for all pictures, as one partner stamps all of its own.
    """

    source: str
    edit: str
    draw: int = 0
    alike: bool = False

    @property
    def key(self) -> str:
        """The key of the picture of the corpus that it becomes."""
        return picture_key(self.source, f"{self.edit}, alike" if self.alike else self.edit, self.draw)

    def drawn(self, seed: int) -> int:
        """What the edit draws from: 48 bits."""
        return int.from_bytes(_rank(seed, f"{self.edit}/{self.draw}", "" if self.alike else self.source)[:6])


@dataclass(frozen=True)
class MadePicture:
    """A picture of the corpus with a small JPEG of it for people to look at."""

    picture: CorpusPicture
    width: int
    height: int
    preview: bytes


def planned_copies(sources: Sequence[str], seed: int, pairs: int) -> list[Copy]:
    """The copies to make of `sources` (sha256, hex), as many of each edit, for at least `pairs` same pairs.

    Few sources are drawn several times an edit, of many each edit takes some; never more than ten draws.
    """
    planned: set[Copy] = set()
    an_edit = min(-(-pairs // len(EDITS)), 10 * len(sources))
    for edit in EDITS:
        order = sorted(sources, key=lambda source: _rank(seed, edit, source))
        planned |= {Copy(order[i % len(order)], edit, i // len(order)) for i in range(an_edit)}
    return sorted(planned, key=lambda copy: (copy.source, copy.edit, copy.draw))


def alike_copies(sources: Sequence[str]) -> list[Copy]:
    """A copy of each of `sources` by each of ALIKE_EDITS: for pairs of different pictures of which both are edited."""
    return [Copy(source, edit, alike=True) for source in sorted(sources) for edit in ALIKE_EDITS]


def made_pictures(
    original: Original, data: bytes, copies: Sequence[Copy], seed: int, algorithm: str
) -> Iterator[MadePicture]:
    """The picture of the file `data` and its copies, each encoded as a partner's JPEG and measured as in the pipeline.

    Raises UnreadableImage.
    """
    yield _made(original, picture_key(original.sha256), "", data, algorithm)
    small = _shown(data, LONG_SIDE)
    for copy in copies:
        drawn = copy.drawn(seed)
        quality = _LEAST_QUALITY + drawn % (_MOST_QUALITY - _LEAST_QUALITY)
        data = as_jpeg(edited(small, copy.edit, drawn), quality)
        yield _made(original, copy.key, copy.edit, data, algorithm)


def same_pairs(copies: Sequence[Copy], origin: str) -> list[LabelledPair]:
    """Each copy with the picture it was made from."""
    return [_pair(picture_key(copy.source), copy.key, True, origin, copy.edit) for copy in copies]


def different_pairs(
    originals: Sequence[CorpusPicture],
    copies: Sequence[Copy],
    seed: int,
    origin: str,
    pairs: int,
) -> list[LabelledPair]:
    """Up to `pairs` pairs of pictures that differ: inside a hotel, then the nearest of all, then any.

    `originals` all show different pictures. The nearest are those whose luma thumbnails correlate most, so that no
    policy has a say in which pairs it is judged by. Three quarters are pairs of originals: half of them of one hotel
    where there are so many, a quarter nearest, the rest drawn. For the last quarter the hardest of these pairs are
    taken again, both pictures edited alike (`alike_copies`). When there are too few originals, the same pairs are taken
    again with any of the `copies` in their places.
    """
    plain = pairs - pairs // 4
    ranked = _ranked_pairs(originals, seed, plain)
    sources = [original.source for original in originals]
    made = [_pair(picture_key(sources[i]), picture_key(sources[j]), False, origin, detail) for i, j, detail in ranked]
    made += islice(_edited_alike(sources, ranked, origin), pairs // 4)
    made += islice(_with_copies(sources, ranked, copies, origin), pairs - len(made))
    return made


def _edited_alike(
    sources: Sequence[str], ranked: Sequence[tuple[int, int, str]], origin: str
) -> Iterator[LabelledPair]:
    """Every ranked pair with another edit of both than the pair before, then all of them with the edit after that."""
    for turn in range(len(ALIKE_EDITS)):
        for place, (i, j, detail) in enumerate(ranked):
            edit = ALIKE_EDITS[(place + turn) % len(ALIKE_EDITS)]
            a, b = (Copy(sources[end], edit, alike=True).key for end in (i, j))
            yield _pair(a, b, False, origin, f"{detail}, edited alike")


def _with_copies(
    sources: Sequence[str], ranked: Sequence[tuple[int, int, str]], copies: Sequence[Copy], origin: str
) -> Iterator[LabelledPair]:
    """The ranked pairs with copies in the places of originals; none twice.

    No mirrored ones: where one hotel shows the mirror image of another one's picture, that would be the same again.
    """
    copies_of: dict[str, list[str]] = {}
    for copy in copies:
        if copy.edit != MIRRORED:
            copies_of.setdefault(copy.source, []).append(copy.key)
    seen: set[tuple[str, str]] = set()
    turn = 1
    while True:
        before = len(seen)
        for i, j, detail in ranked:
            ends = []
            for source, shift in ((sources[i], 0), (sources[j], 1)):
                variants = [picture_key(source), *copies_of.get(source, ())]
                # The second picture moves on one step a round more, so that rounds pair other copies.
                ends.append(variants[(turn * (1 + shift)) % len(variants)])
            pair = _pair(ends[0], ends[1], False, origin, f"{detail}, copies")
            if (pair.a, pair.b) not in seen and ends != [picture_key(sources[i]), picture_key(sources[j])]:
                seen.add((pair.a, pair.b))
                yield pair
        turn += 1
        if len(seen) == before:
            return


def _ranked_pairs(originals: Sequence[CorpusPicture], seed: int, pairs: int) -> list[tuple[int, int, str]]:
    """(i, j, how it was found) of different originals, at most `pairs`."""
    if len(originals) < 2:
        return []
    likeness = _likeness(np.array([unpack_luma(original.luma) for original in originals]))
    hotels = np.array([original.hotel_id or f"\0{i}" for i, original in enumerate(originals)])
    i, j = np.triu_indices(len(originals), 1)
    nearest_first = np.lexsort((j, i, -likeness[i, j]))
    i, j = i[nearest_first], j[nearest_first]
    inside = hotels[i] == hotels[j]
    random = np.random.default_rng(seed)
    taken = np.zeros(len(i), dtype=bool)
    found: list[tuple[int, int, str]] = []
    for detail, candidates, most in (
        (SAME_HOTEL, np.flatnonzero(inside), pairs // 2),
        (NEAREST, np.flatnonzero(~inside), min(pairs, len(i)) // 4),
        (ANY, random.permutation(len(i)), pairs),
    ):
        free = candidates[~taken[candidates]][: min(most, pairs - len(found))]
        taken[free] = True
        found.extend((int(i[p]), int(j[p]), detail) for p in free)
    return found


def _likeness(luma: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The correlation of whole thumbnails, (n, n), to three digits: what is equal does not depend on rounding."""
    flat = luma.reshape(len(luma), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1.0)
    return np.round(flat @ flat.T, 3)


def _made(original: Original, key: str, edit: str, data: bytes, algorithm: str) -> MadePicture:
    measured = fingerprint(data, algorithm)
    picture = CorpusPicture(
        key,
        original.sha256,
        edit,
        original.hotel_id,
        original.name,
        pack_hashes(measured.crop_hashes),
        pack_luma(measured.luma),
    )
    return MadePicture(picture, measured.width, measured.height, small_jpeg(data))


def small_jpeg(data: bytes) -> bytes:
    """A small JPEG of an image file, for people to look at; for the same file always the same."""
    image = _shown(data, _PREVIEW_SIDE)
    return as_jpeg(image, quality=70)


def _shown(data: bytes, long_side: int) -> Image.Image:
    """The picture of a file, upright, its long side at most so many pixels."""
    with Image.open(io.BytesIO(data)) as file:
        orientation = exif_orientation(file)
        file.draft("RGB", (2 * long_side, 2 * long_side))
        image = turned_upright(file.convert("RGB"), orientation)
    image.thumbnail((long_side, long_side), reducing_gap=2.0)
    return image


def _pair(a: str, b: str, same: bool, origin: str, detail: str) -> LabelledPair:
    return LabelledPair(min(a, b), max(a, b), same, GENERATED, origin, detail)


def _rank(seed: int, edit: str, source: str) -> bytes:
    return hashlib.sha256(f"{seed}\x1f{edit}\x1f{source}".encode()).digest()
