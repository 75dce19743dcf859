"""How fast a hotel's images are grouped: the talk's loop against both policies, one thread, one run.

    python benchmarks/grouping.py

The talk's loop compares the 36 hashes of two images in Python until a pair is close enough; its endless loop on
duplicates is mended. It is timed twice: with imagehash's own objects, as the talk did it, and with plain integers,
the fastest form that pure Python has. `talk` must come to the same groups. For it, hashes are drawn at random, three in
ten images being near copies. `aligned` starts from stored fingerprints of drawn scenes, three in ten being cuts of
another; its groups must be the scenes. All times are CPU time of this process.

At the end the worst case: hotels of images that are all alike, as when every partner sends its own cut of one picture.
No pair is given up early there; one of 2,000 images takes minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import imagehash
import numpy as np
from _peak_memory import peak_mib
from fingerprinting import draw_jpeg
from numpy.typing import NDArray
from PIL import Image

from image_assets.fingerprints import Fingerprint, fingerprint
from image_assets.image_groups import ALIGNED_POLICY, TALK_POLICY, Policy, group_images, group_pictures

HOTEL = 35  # images of an ordinary hotel
HOTELS = 1_000_000
SIZES = (10, 35, 100, 500, 2000)


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


def scenes(images: int) -> tuple[list[Fingerprint], list[list[int]]]:
    """Fingerprints of drawn scenes, three in ten of which are a cut of an earlier one, and which belong together.

    Scenes are drawn 200 times at most and then come again mirrored, upside down and as negatives.
    """
    random = np.random.default_rng(3)
    drawn = [fingerprint(draw_jpeg(seed)) for seed in range(min(200, images))]
    groups: list[list[int]] = []
    hotel: list[Fingerprint] = []
    for image in range(images):
        if groups and random.random() < 0.3:
            group = groups[random.integers(len(groups))]
            source = hotel[group[0]].luma
            left, top = random.integers(0, 8, 2).tolist()
            cut = Image.fromarray(source[top:, left:]).resize((40, 40), Image.Resampling.BICUBIC)
            group.append(image)
            hotel.append(Fingerprint(drawn[0].crop_hashes, np.asarray(cut), 1024, 768))
            continue
        turn, scene = divmod(len(groups), len(drawn))
        luma = drawn[scene].luma[:: -1 if turn & 1 else 1, :: -1 if turn & 2 else 1]
        luma = 255 - luma if turn & 4 else luma
        groups.append([image])
        hotel.append(Fingerprint(drawn[scene].crop_hashes, np.ascontiguousarray(luma), 1024, 768))
    return hotel, groups


def copies(images: int) -> list[Fingerprint]:
    """Fingerprints of cuts of one drawn scene, with noise, that are all alike."""
    random = np.random.default_rng(4)
    original = fingerprint(draw_jpeg(0))
    hotel = []
    for _ in range(images):
        left, top, right, bottom = random.integers(0, 5, 4).tolist()
        cut = Image.fromarray(original.luma[top : 40 - bottom, left : 40 - right])
        grey = np.asarray(cut.resize((40, 40), Image.Resampling.BICUBIC)).astype(int) + random.integers(-2, 3, (40, 40))
        hotel.append(Fingerprint(original.crop_hashes, grey.clip(0, 255).astype(np.uint8), 1024, 768))
    return hotel


def seconds(work: Callable[[], object], at_least: float = 0.5) -> float:
    """Best CPU time of one call, from as many calls as fit into `at_least` seconds."""
    best, total = float("inf"), 0.0
    while total < at_least:
        start = time.process_time()
        work()
        taken = time.process_time() - start
        best, total = min(best, taken), total + taken
    return best


def require_one_group(hotel: Sequence[Fingerprint], policy: Policy) -> None:
    if len(group_images(hotel, policy)) != 1:
        raise SystemExit(f"{policy}: images that are all alike are not one group")


def main() -> None:
    """Measure and print."""
    hashes = hotel(HOTEL)
    integers = [[int(value) for value in row] for row in hashes]
    objects = [[image_hash(value) for value in row] for row in integers]
    expected = our_groups(hashes)  # compiles, too
    fingerprints, pictured = scenes(HOTEL)
    if sorted(group_images(fingerprints, ALIGNED_POLICY)) != sorted(pictured):
        raise SystemExit("aligned: other image groups than the scenes")
    ways: list[tuple[str, Callable[[], list[list[int]]]]] = [
        ("talk's loop, imagehash objects", lambda: talk_groups(objects, lambda a, b: a - b)),
        ("talk's loop, integers", lambda: talk_groups(integers, lambda a, b: (a ^ b).bit_count())),
        ("policy talk", lambda: our_groups(hashes)),
    ]
    timed = {}
    for name, way in ways:
        if way() != expected:
            raise SystemExit(f"{name}: other image groups than ours")
        timed[name] = seconds(way)
    timed["policy aligned"] = seconds(lambda: group_images(fingerprints, ALIGNED_POLICY))
    loop, fastest_loop = timed["talk's loop, imagehash objects"], timed["talk's loop, integers"]
    print(f"one hotel of {HOTEL} images, one thread")
    print(f"{'':32}{'ms':>10}{'loop / this':>14}{'integers / this':>18}{'core-hours a million hotels':>30}")
    for name, taken in timed.items():
        hours = taken * HOTELS / 3600
        print(f"{name:32}{taken * 1e3:10.3f}{loop / taken:14,.1f}{fastest_loop / taken:18,.1f}{hours:30,.2f}")

    print("\ngrowth")
    print(f"{'images':>8}{'talk, ms':>14}{'aligned, ms':>14}{'peak memory, MiB':>20}")
    for images in SIZES:
        hashes = hotel(images)
        talk = seconds(lambda hashes=hashes: our_groups(hashes), 0.1)  # type: ignore[misc]
        fingerprints, _ = scenes(images)
        aligned = seconds(lambda given=fingerprints: group_images(given, ALIGNED_POLICY), 0.1)  # type: ignore[misc]
        print(f"{images:8}{talk * 1e3:14.2f}{aligned * 1e3:14.2f}{peak_mib():20,.0f}")

    print("\ngrowth where all images are alike")
    print(f"{'images':>8}{'talk, ms':>14}{'aligned, ms':>14}{'peak memory, MiB':>20}")
    for images in SIZES:
        alike = copies(images)
        talk = seconds(lambda given=alike: require_one_group(given, TALK_POLICY), 0.1)  # type: ignore[misc]
        aligned = seconds(lambda given=alike: require_one_group(given, ALIGNED_POLICY), 0.1)  # type: ignore[misc]
        print(f"{images:8}{talk * 1e3:14.2f}{aligned * 1e3:14.2f}{peak_mib():20,.0f}", flush=True)


if __name__ == "__main__":
    main()
