"""Pictures and pairs of a corpus without any pixels, for tests of what is made of them."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from image_assets.dedup_quality.corpus import GENERATED, CorpusPicture, LabelledPair, is_held_out, picture_key
from image_assets.fingerprints import pack_hashes, pack_luma


def sha256(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def names(count: int, held_out: bool) -> list[str]:
    """Names of pictures that lie in one half."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        if is_held_out(sha256(f"picture {number}")) == held_out:
            found.append(f"picture {number}")
        number += 1
    return found


def picture(name: str, edit: str = "", draw: int = 0, hotel_id: str | None = None) -> CorpusPicture:
    """A picture whose fingerprint is drawn from its key."""
    key = picture_key(sha256(name), edit, draw)
    random = np.random.default_rng(int(key[:8], 16))
    hashes = random.integers(0, 2**64, 36, dtype=np.uint64)
    luma = random.integers(0, 256, (40, 40), dtype=np.uint8)
    return CorpusPicture(key, sha256(name), edit, hotel_id, name, pack_hashes(hashes), pack_luma(luma))


def pair(a: CorpusPicture, b: CorpusPicture, same: bool, kind: str = GENERATED, detail: str = "") -> LabelledPair:
    return LabelledPair(min(a.key, b.key), max(a.key, b.key), same, kind, "a test", detail)


def resembling(made: CorpusPicture, other: CorpusPicture) -> CorpusPicture:
    """The picture with the fingerprint of another one: any policy calls them the same."""
    return replace(made, crop_hashes=other.crop_hashes, luma=other.luma)
