"""A corpus: pictures with fingerprints, pairs of them labelled same or different, and the split into two halves.

Belongs here: from the rows of the ledger to one truth: which label counts when several are known, which pictures go
back to one source, which half a pair belongs to. Does not belong here: making pairs (`making`), judging a policy by
them (`evaluation`, `tuning`).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_assets.fingerprints import unpack_hashes, unpack_luma

GENERATED, IMPORTED, DECIDED = "generated", "imported", "decided"
_PRECEDENCE = {DECIDED: 0, IMPORTED: 1, GENERATED: 2}


@dataclass(frozen=True)
class CorpusPicture:
    """A picture of the corpus. `source` is the sha256 (hex) of the picture it was made from by `edit` ("" for itself).

    crop_hashes and luma are packed as the ledger keeps them. hotel_id None: of no known hotel.
    """

    key: str
    source: str
    edit: str
    hotel_id: str | None
    name: str
    crop_hashes: bytes
    luma: bytes


@dataclass(frozen=True)
class LabelledPair:
    """Two pictures by their keys, `a` < `b`, and whether they show the same picture.

    kind: how the label came to be (GENERATED, IMPORTED or DECIDED). origin: from where, for people. detail: of
    generated pairs the edit, or how the different picture was found.
    """

    a: str
    b: str
    same: bool
    kind: str
    origin: str
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Corpus:
    """One truth about n pictures and m pairs, as arrays; `pairs` are (m, 2) indices of pictures.

    crop_hashes: (n, 36) uint64. luma: (n, 40, 40) uint8. sources: (n,) int64, equal for pictures that go back to one
    source. tuning and held_out: (m,) bool, never both; pairs between the halves are neither. details and kinds: (m,)
    str. `overruled`: labels that a stronger one contradicts.
    """

    pictures: tuple[CorpusPicture, ...]
    crop_hashes: NDArray[np.uint64]
    luma: NDArray[np.uint8]
    sources: NDArray[np.int64]
    pairs: NDArray[np.int64]
    same: NDArray[np.bool_]
    tuning: NDArray[np.bool_]
    held_out: NDArray[np.bool_]
    kinds: NDArray[np.str_]
    details: NDArray[np.str_]
    overruled: int
    digest: str

    @property
    def between(self) -> int:
        """How many pairs have a picture in each half: they take part in nothing."""
        return int((~self.tuning & ~self.held_out).sum())


def picture_key(source: str, edit: str = "", draw: int = 0) -> str:
    """The key of what `edit` makes of the content `source` (sha256, hex) in its `draw`-th draw: a UUID as text."""
    return str(uuid.UUID(bytes=hashlib.md5(f"{source}\x1f{edit}\x1f{draw}".encode(), usedforsecurity=False).digest()))


def is_held_out(source: str) -> bool:
    """Whether a source picture (sha256, hex) is in the held-out half: a stable hash, whatever else the corpus has."""
    return hashlib.sha256(f"half of {source}".encode()).digest()[0] % 2 == 1


def labelled_corpus(pictures: Sequence[CorpusPicture], pairs: Sequence[LabelledPair]) -> Corpus:
    """One truth from all labels.

    What people decided counts before what they imported, and that before what was generated. Pictures that are
    labelled the same go back to one source; a generated pair that calls two pictures of one source different is
    overruled. A label that only confirms a weaker one leaves the pair as it was, so that nobody takes a mistake out of
    the figures by deciding it correctly. Pairs of pictures that are not among `pictures` are left out.

    A source is held out when all its pictures are, by their hash: what may have been tuned on is never held out later.
    A pair is for tuning, or held out, when both its sources are.
    """
    ordered = sorted(pictures, key=lambda picture: picture.key)
    index = {picture.key: position for position, picture in enumerate(ordered)}
    strongest: dict[tuple[int, int], LabelledPair] = {}
    confirmed: dict[tuple[int, int], LabelledPair] = {}  # the weakest label that says the same
    overruled = 0
    for pair in sorted(pairs, key=lambda pair: (_PRECEDENCE[pair.kind], pair.a, pair.b, pair.origin)):
        if pair.a in index and pair.b in index:
            between = index[pair.a], index[pair.b]
            known = strongest.setdefault(between, pair)
            if known.same == pair.same:
                confirmed[between] = pair
            else:
                overruled += 1
    sources = _sources(ordered, strongest)
    kept = {
        ends: confirmed[ends]
        for ends, pair in sorted(strongest.items())
        if pair.same or pair.kind != GENERATED or sources[ends[0]] != sources[ends[1]]
    }
    overruled += len(strongest) - len(kept)
    held_out_source = np.ones(len(ordered), dtype=bool)  # at the index of the picture that stands for the source
    np.logical_and.at(held_out_source, sources, [is_held_out(picture.source) for picture in ordered])
    ends = np.array(list(kept), dtype=np.int64).reshape(-1, 2)
    held_out_a, held_out_b = held_out_source[sources[ends]].T
    labels = list(kept.values())
    return Corpus(
        pictures=tuple(ordered),
        crop_hashes=np.array([unpack_hashes(picture.crop_hashes) for picture in ordered], dtype=np.uint64).reshape(
            -1, 36
        ),
        luma=np.array([unpack_luma(picture.luma) for picture in ordered], dtype=np.uint8).reshape(-1, 40, 40),
        sources=sources,
        pairs=ends,
        same=np.array([pair.same for pair in labels], dtype=bool),
        tuning=~(held_out_a | held_out_b),
        held_out=held_out_a & held_out_b,
        kinds=np.array([pair.kind for pair in labels], dtype=str),
        details=np.array([pair.detail for pair in labels], dtype=str),
        overruled=overruled,
        digest=_digest(ordered, labels),
    )


def _sources(pictures: Sequence[CorpusPicture], pairs: dict[tuple[int, int], LabelledPair]) -> NDArray[np.int64]:
    """For each picture the index of the picture that stands for its source: of all in it, the one whose source has the
    smallest sha256."""
    parents = list(range(len(pictures)))

    def root(picture: int) -> int:
        while parents[picture] != picture:
            parents[picture] = parents[parents[picture]]
            picture = parents[picture]
        return picture

    def join(a: int, b: int) -> None:
        a, b = sorted((root(a), root(b)), key=lambda i: (pictures[i].source, i))
        parents[b] = a

    first_of: dict[str, int] = {}
    for position, picture in enumerate(pictures):
        join(first_of.setdefault(picture.source, position), position)
    for (a, b), pair in pairs.items():
        if pair.same:
            join(a, b)
    return np.array([root(position) for position in range(len(pictures))], dtype=np.int64)


def _digest(pictures: Sequence[CorpusPicture], pairs: Sequence[LabelledPair]) -> str:
    """Names the corpus: every fingerprint and every label that counts."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(f"{picture.key}{picture.source}".encode() + picture.crop_hashes + picture.luma)
    for pair in pairs:
        digest.update(f"{pair.a}{pair.b}{pair.same}{pair.kind}{pair.detail}\n".encode())
    return digest.hexdigest()[:24]
