"""Image groups: the connected components of "is the same picture", and their ids.

Says nothing about one pair (see `similarity`) nor about which image of a group is shown (see `priorities`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from image_assets.fingerprints import Fingerprint
from image_assets.image_groups.similarity import DEFAULT_POLICY, Policy, mirror_dhashes

_SHA256_BYTES = 32
_ID_DIGITS = 20  # 80 bits: with 100 million groups, two share an id with a chance of one in 240 million


def group_images(fingerprints: Sequence[Fingerprint], policy: Policy = DEFAULT_POLICY) -> list[list[int]]:
    """The image groups of one hotel as indices into `fingerprints`.

    Every index is in exactly one group. A group is ascending, groups are ordered by their first index.
    """
    if not fingerprints:
        return []
    labels = group_hashes(np.stack([fingerprint.crop_hashes for fingerprint in fingerprints]), policy)
    groups: list[list[int]] = [[] for _ in range(int(labels.max()) + 1)]
    for index, label in enumerate(labels.tolist()):
        groups[label].append(index)
    return groups


def group_hashes(hashes: NDArray[np.uint64], policy: Policy = DEFAULT_POLICY) -> NDArray[np.int64]:
    """The image group of each image of one hotel, given the crop hashes alone.

    hashes: (n, 36) uint64. Returns (n,) int64 labels 0, 1, …, numbered in the order of their first image. Time
    grows with the square of n: 2,000 images without duplicates take about a second.
    """
    # Numba costs half a second; whoever only reads policies or ids shall not pay for it.
    from image_assets.image_groups.hamming import join_similar

    hashes = np.ascontiguousarray(hashes, dtype=np.uint64)
    roots = np.arange(len(hashes), dtype=np.int64)
    join_similar(hashes, hashes, policy.threshold, roots)
    if policy.mirrored:
        join_similar(hashes, mirror_dhashes(hashes), policy.threshold, roots)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64, copy=False)


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
