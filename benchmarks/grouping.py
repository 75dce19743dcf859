"""How fast a hotel's images are grouped: the talk's loop against ours, on one thread, with the same groups.

    python benchmarks/grouping.py

The talk's loop compares the 36 hashes of two images in Python until a pair is close enough; its endless loop on
duplicates is mended. It is timed twice: with imagehash's own objects, as the talk did it, and with plain integers,
the fastest form that pure Python has. Hashes are drawn at random, three in ten images being near copies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import imagehash
import numpy as np
from numpy.typing import NDArray

from image_assets.image_groups import TALK_POLICY, group_pictures

HOTEL = 35  # images of an ordinary hotel
SIZES = (10, 35, 100, 200, 500, 1000, 2000)


def hotel(images: int, seed: int = 1) -> NDArray[np.uint64]:
    """(images, 36) crop hashes; every image after the first is a near copy of an earlier one with a chance of 0.3."""
    random = np.random.default_rng(seed)
    hashes = random.integers(0, 2**64, (images, 36), dtype=np.uint64)
    for image in range(1, images):
        if random.random() < 0.3:
            bits = np.uint64(0)
            for bit in random.choice(64, int(random.integers(0, TALK_POLICY.threshold)), replace=False):
                bits |= np.uint64(1) << np.uint64(bit)
            original = hashes[random.integers(0, image), random.integers(0, 36)]
            hashes[image, random.integers(0, 36)] = original ^ bits
    return hashes


def talk_groups(images: Sequence[Sequence[Any]], distance: Callable[[Any, Any], int]) -> list[list[int]]:
    """The talk's clustering: take an image, collect all that resemble the cluster, until none is left."""

    def resemble(a: int, b: int) -> bool:
        return any(distance(x, y) < TALK_POLICY.threshold for x in images[a] for y in images[b])

    candidates = list(range(len(images)))
    groups = []
    while candidates:
        group = [candidates.pop(0)]
        for member in group:  # grows while it is walked through
            found = [other for other in candidates if resemble(member, other)]
            group.extend(found)
            candidates = [other for other in candidates if other not in found]
        groups.append(sorted(group))
    return groups


def our_groups(hashes: NDArray[np.uint64]) -> list[list[int]]:
    return group_pictures(hashes, np.empty((len(hashes), 0), dtype=np.uint8), TALK_POLICY).groups


def image_hash(value: int) -> imagehash.ImageHash:
    return imagehash.ImageHash(np.array([bit == "1" for bit in f"{value:064b}"]).reshape(8, 8))


def seconds(work: Callable[[], object], at_least: float = 0.5) -> float:
    """Best time of one call, from as many calls as fit into `at_least` seconds."""
    best, total = float("inf"), 0.0
    while total < at_least:
        start = time.perf_counter()
        work()
        taken = time.perf_counter() - start
        best, total = min(best, taken), total + taken
    return best


def main() -> None:
    hashes = hotel(HOTEL)
    integers = [[int(value) for value in row] for row in hashes]
    objects = [[image_hash(value) for value in row] for row in integers]
    expected = our_groups(hashes)  # compiles, too
    ways: list[tuple[str, Callable[[], list[list[int]]]]] = [
        ("talk's loop, imagehash objects", lambda: talk_groups(objects, lambda a, b: a - b)),
        ("talk's loop, integers", lambda: talk_groups(integers, lambda a, b: (a ^ b).bit_count())),
        ("ours", lambda: our_groups(hashes)),
    ]
    print(f"one hotel of {HOTEL} images, {len(expected)} image groups, one thread")
    timed = []
    for name, way in ways:
        if way() != expected:
            raise SystemExit(f"{name}: other image groups than ours")
        timed.append((name, seconds(way)))
    ours = timed[-1][1]
    for name, taken in timed:
        print(f"  {name:32} {taken * 1e3:10.3f} ms   {taken / ours:8.0f} x ours")

    print("growth of ours")
    for images in SIZES:
        hashes = hotel(images)
        taken = seconds(lambda hashes=hashes: our_groups(hashes))  # type: ignore[misc]
        print(f"  {images:5} images {taken * 1e3:10.3f} ms   {taken / images * 1e6:8.1f} µs an image")


if __name__ == "__main__":
    main()
