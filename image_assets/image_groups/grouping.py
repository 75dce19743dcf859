"""Image groups: which images of one hotel show the same picture, as wholes, and the ids of the groups.

Says nothing about one pair (see `similarity`) nor about which image of a group is shown (see `priorities`); the graph
work is in `wholes`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_assets.fingerprints import Fingerprint
from image_assets.image_groups.similarity import (
    DEFAULT_POLICY,
    HASH_BITS,
    Match,
    Policy,
    Window,
    match_hashes,
    mirror_dhashes,
)
from image_assets.image_groups.wholes import find_wholes

_SHA256_BYTES = 32
_ID_DIGITS = 20  # 80 bits: with 100 million groups, two share an id with a chance of one in 240 million

_PAIRS_AT_ONCE = 1 << 16  # a few megabytes, however many images a hotel has

Hashes = NDArray[np.uint64]
Lumas = NDArray[np.uint8]
Pairs = NDArray[np.int64]


@dataclass(frozen=True)
class Link:
    """Two images of a group, a < b, that the policy or people call the same picture.

    score, mirrored: as in `Match`. window: the part of `b` that `a` shows; None when only people see it.
    """

    a: int
    b: int
    score: float
    window: Window | None
    mirrored: bool


@dataclass(frozen=True)
class Grouping:
    """The image groups of one hotel.

    groups: indices of images; a group is ascending, groups are ordered by their first index.
    links: for each group of two or more, a tree of its strongest links, and the links to the member that all others
        were held against.
    weak: indices into `groups` of those that are kept although one weak link or a chain holds them together.
    parted: indices into `groups` of those near images that people put apart, see `wholes`.
    split: how many weak links between groups were cut.
    """

    groups: list[list[int]]
    links: list[Link]
    weak: list[int]
    parted: list[int]
    split: int


def group_images(fingerprints: Sequence[Fingerprint], policy: Policy = DEFAULT_POLICY) -> list[list[int]]:
    """The image groups of one hotel as indices into `fingerprints`.

    Every index is in exactly one group. A group is ascending, groups are ordered by their first index.
    """
    if not fingerprints:
        return []
    crop_hashes = np.stack([fingerprint.crop_hashes for fingerprint in fingerprints])
    luma = np.stack([fingerprint.luma for fingerprint in fingerprints])
    return group_pictures(crop_hashes, luma, policy).groups


def group_pictures(
    crop_hashes: Hashes,
    luma: Lumas,
    policy: Policy = DEFAULT_POLICY,
    together: Iterable[tuple[int, int]] = (),
    apart: Iterable[tuple[int, int]] = (),
) -> Grouping:
    """The image groups of one hotel, and what holds them together; see `wholes` for the rules.

    crop_hashes: (n, 36) uint64. luma: (n, 40, 40) uint8. together, apart: pairs of indices that people said are the
    same picture, or are not. The groups do not depend on the order of the images; time grows with the square of n.
    """
    compared = _Compared(crop_hashes, luma, policy)
    pairs, scores = compared.alike()
    wholes = find_wholes(_ranks(crop_hashes, luma), pairs, scores, policy, together, apart)
    return Grouping(wholes.groups, compared.links(wholes.links), wholes.weak, wholes.parted, wholes.split)


def pair_scores(crop_hashes: Hashes, luma: Lumas, pairs: Pairs, policy: Policy) -> NDArray[np.float64]:
    """How much alike pairs of images are, (m,) float64 from 0 to 1; higher is more alike, and nothing else counts.

    crop_hashes: (n, 36) uint64. luma: (n, 40, 40) uint8. pairs: (m, 2) indices. A pair is the same picture when its
    score is above `policy.least_score`; the scores themselves do not depend on the threshold, so one pass gives the
    whole curve. `talk`: 1 less the smallest distance of two hashes over 64. `aligned`: how well the details
    correlate where one picture is laid on the other (`alignment`), 0 when nothing is alike at all.
    """
    return _Compared(crop_hashes, luma, policy).scores(np.asarray(pairs, dtype=np.int64).reshape(-1, 2))


class _Compared:
    """The images of one hotel, prepared for the policy's rule."""

    def __init__(self, crop_hashes: Hashes, luma: Lumas, policy: Policy):
        self.policy = policy
        self.hashes = np.ascontiguousarray(crop_hashes, dtype=np.uint64)
        if policy.rule == "aligned":
            # Numba costs half a second; reading policies or ids should not cost that.
            from image_assets.image_groups.alignment import describe

            self.pictures = describe(luma, policy.mirrored)

    def scores(self, pairs: Pairs) -> NDArray[np.float64]:
        if self.policy.rule == "aligned":
            from image_assets.image_groups.alignment import align_pairs

            return align_pairs(self.pictures, pairs).scores
        from image_assets.image_groups.hamming import lower_distances

        distances = np.full(len(pairs), HASH_BITS, dtype=np.uint8)
        lower_distances(self.hashes, self.hashes, pairs, distances)
        if self.policy.mirrored:
            lower_distances(self.hashes, mirror_dhashes(self.hashes), pairs, distances)
        return 1.0 - distances / HASH_BITS

    def alike(self) -> tuple[Pairs, NDArray[np.float64]]:
        """Every pair that the policy calls the same picture, (m, 2), and their scores, (m,)."""
        found, scores_found = [np.empty((0, 2), dtype=np.int64)], [np.empty(0)]
        for pairs in _pairs_of(len(self.hashes)):
            scores = self.scores(pairs)
            same = scores > self.policy.least_score
            found.append(pairs[same])
            scores_found.append(scores[same])
        return np.concatenate(found), np.concatenate(scores_found)

    def links(self, pairs: Sequence[tuple[int, int]]) -> list[Link]:
        return [
            Link(a, b, match.score, match.window, match.mirrored)
            for (a, b), match in zip(pairs, self._matches(pairs), strict=True)
        ]

    def _matches(self, pairs: Sequence[tuple[int, int]]) -> Iterator[Match]:
        if self.policy.rule == "talk":
            return (match_hashes(self.hashes[a], self.hashes[b], self.policy) for a, b in pairs)
        from image_assets.image_groups.alignment import align_pairs

        alignments = align_pairs(self.pictures, np.array(pairs, dtype=np.int64).reshape(-1, 2))
        return (alignments.match(pair, self.policy) for pair in range(len(pairs)))


def _pairs_of(images: int) -> Iterator[Pairs]:
    """All pairs a < b, in order, a few at once."""
    # The pairs of an image begin where those of the images before it end.
    begins = np.concatenate([[0], np.cumsum(np.arange(images - 1, 0, -1))])
    count = images * (images - 1) // 2
    for start in range(0, count, _PAIRS_AT_ONCE):
        place = np.arange(start, min(start + _PAIRS_AT_ONCE, count))
        first = np.searchsorted(begins, place, side="right") - 1
        yield np.stack([first, place - begins[first] + first + 1], axis=1)


def _ranks(crop_hashes: Hashes, luma: Lumas) -> list[int]:
    """Where each fingerprint stands among them, bytewise: an order that does not depend on theirs."""
    fingerprints = [thumbnail.tobytes() + hashes.tobytes() for thumbnail, hashes in zip(luma, crop_hashes, strict=True)]
    rank = {fingerprint: place for place, fingerprint in enumerate(sorted(set(fingerprints)))}
    return [rank[fingerprint] for fingerprint in fingerprints]


def image_group_id(hotel_id: str, sha256s: Iterable[bytes | str]) -> str:
    """The id of an image group: 20 hexadecimal digits from the hotel's id and the smallest sha256 of its members.

    sha256s: 32 bytes or 64 hexadecimal digits each, in any order. Raises ValueError when there are none, or one
    is not a sha256.
    """
    smallest = min((_digest(sha256) for sha256 in sha256s), default=None)
    if smallest is None:
        raise ValueError(f"hotel {hotel_id!r}: an image group without images has no id")
    # The digest comes last and has a fixed length, so no other hotel and image give the same bytes.
    return hashlib.sha256(hotel_id.encode() + smallest).hexdigest()[:_ID_DIGITS]


def _digest(sha256: bytes | str) -> bytes:
    try:
        digest = bytes.fromhex(sha256) if isinstance(sha256, str) else bytes(sha256)
    except ValueError:
        digest = b""
    if len(digest) != _SHA256_BYTES:
        raise ValueError(f"not a sha256: {sha256!r}")
    return digest
