"""How well copies of a photograph are recognised, and different ones kept apart: four rules, same pictures, one run.

    python benchmarks/same_picture.py [FOLDER] [--images N]

Rules: `aligned` and `talk` (the policies), phash with 64 bits (imagehash) at a distance up to 10, and PDQ (256 bits,
Facebook's) up to 31. For every photograph of FOLDER, and every edit of `_table_edits`: the share of copies that a rule
calls the same picture. Then all pairs of different photographs, as they are and against each other's copies of a few
kinds. Without a FOLDER the pictures are drawn by code, and their recall means little. `aligned` is timed from stored
fingerprints.

Photographs on disk can be copies of each other without anybody knowing: the pairs that `aligned` takes for the same are
printed, to be looked at before they are counted as wrong.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import imagehash
import numpy as np
import pdqhash
from _table_edits import TABLE_EDITS
from fingerprinting import draw_jpeg
from numpy.typing import NDArray
from PIL import Image

from image_assets.dedup_quality.drawn_edits import MIRRORED
from image_assets.dedup_quality.edits import as_jpeg
from image_assets.fingerprints import fingerprint
from image_assets.image_groups import ALIGNED_POLICY, TALK_POLICY, Policy, pair_scores

LONG_SIDE = 1024
AGAINST = ("off-centre crop 20 %", "white border 5 %", "banner over the bottom 10 %", "JPEG 30")

Pairs = NDArray[np.int64]
Rule = Callable[[Pairs], NDArray[np.bool_]]


@dataclass(frozen=True)
class Seen:
    """What each rule keeps of (photographs, versions) pictures; version 0 is the photograph itself."""

    crop_hashes: NDArray[np.uint64]
    luma: NDArray[np.uint8]
    phash: NDArray[np.uint64]
    pdq: NDArray[np.uint64]


def look_at(data: bytes) -> list[tuple[NDArray[np.uint64], NDArray[np.uint8], int, NDArray[np.uint64]]]:
    """Crop hashes, luma, phash and PDQ of a photograph and of each of its copies."""
    with Image.open(io.BytesIO(data)) as file:
        photo = file.convert("RGB")
    photo.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    kept = []
    for version in [photo, *(edit(photo) for edit in TABLE_EDITS.values())]:
        copy = as_jpeg(version)
        kept_of_it = fingerprint(copy)
        with Image.open(io.BytesIO(copy)) as file:
            shown = file.convert("RGB")
        pdq = np.packbits(pdqhash.compute(np.asarray(shown))[0].astype(bool)).view(np.uint64)
        kept.append((kept_of_it.crop_hashes, kept_of_it.luma, int(str(imagehash.phash(shown)), 16), pdq))
    return kept


def rules(seen: Seen, mirrored: bool) -> dict[str, Rule]:
    """Which pairs of pictures each rule calls the same."""

    def by_policy(policy: Policy, pairs: Pairs) -> NDArray[np.bool_]:
        chosen = replace(policy, mirrored=mirrored)
        return pair_scores(seen.crop_hashes, seen.luma, pairs, chosen) > chosen.least_score

    def by_distance(hashes: NDArray[np.uint64], most: int, pairs: Pairs) -> NDArray[np.bool_]:
        distances = np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]).sum(axis=1)
        near: NDArray[np.bool_] = distances <= most
        return near

    return {
        "aligned": partial(by_policy, ALIGNED_POLICY),
        "talk": partial(by_policy, TALK_POLICY),
        "phash ≤ 10": partial(by_distance, seen.phash, 10),
        "PDQ ≤ 31": partial(by_distance, seen.pdq, 31),
    }


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", nargs="?", type=Path)
    options.add_argument("--images", type=int, help="about so many of the photographs, evenly spread")
    chosen = options.parse_args()
    if chosen.folder is None:
        names, files = [f"drawn {seed}" for seed in range(40)], [draw_jpeg(seed) for seed in range(40)]
    else:
        paths = sorted(path for path in chosen.folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        paths = paths[:: max(1, len(paths) // chosen.images)] if chosen.images else paths
        names, files = [path.name for path in paths], [path.read_bytes() for path in paths]
    if len(files) < 2:
        options.error(f"fewer than two pictures in {chosen.folder}")

    with ProcessPoolExecutor() as pool:
        kept = list(pool.map(look_at, files))
    versions = ["as it is", *TABLE_EDITS]
    flat = [version for photo in kept for version in photo]
    seen = Seen(
        np.array([each[0] for each in flat]),
        np.array([each[1] for each in flat]),
        np.array([[each[2]] for each in flat], dtype=np.uint64),
        np.array([each[3] for each in flat]),
    )
    first = np.arange(len(files)) * len(versions)
    print(f"{len(files)} photographs, {len(TABLE_EDITS)} edits; share of copies recognised")
    print(f"{'edit':30}" + "".join(f"{name:>12}" for name in rules(seen, False)))
    for number, kind in enumerate(TABLE_EDITS, start=1):
        pairs = np.stack([first, first + number], axis=1)
        shares = [rule(pairs).mean() for rule in rules(seen, kind == MIRRORED).values()]
        print(f"{kind:30}" + "".join(f"{share:12.4f}" for share in shares))
    print("mirrored: with policies that merge mirrored pictures; the other rules have no such choice")

    a, b = np.triu_indices(len(files), 1)
    different = [np.stack([first[a], first[b]], axis=1)]
    different += [
        np.stack([first[i], first[j] + versions.index(kind)], axis=1) for kind in AGAINST for i, j in ((a, b), (b, a))
    ]
    print(f"\npairs of different photographs: as they are {len(a):,}, with copies {sum(map(len, different)):,}")
    print(f"{'rule':12}{'false as they are':>20}{'rate':>12}{'false with copies':>20}{'rate':>12}{'µs a pair':>12}")
    for name, rule in rules(seen, False).items():
        rule(different[0][:2])  # compiles
        began = time.process_time()
        found = [rule(pairs) for pairs in different]
        seconds = time.process_time() - began
        wrong, total, pairs_in_all = int(found[0].sum()), sum(int(each.sum()) for each in found), sum(map(len, found))
        print(
            f"{name:12}{wrong:20,}{wrong / len(a):12.1e}{total:20,}{total / pairs_in_all:12.1e}"
            f"{seconds / pairs_in_all * 1e6:12.2f}"
        )
        if name == "aligned":
            merged = [f"{names[i]} = {names[j]}" for i, j in zip(a[found[0]], b[found[0]], strict=True)]
    print("\n`aligned` takes for the same picture (look at them):", *merged[:20], sep="\n  ")


if __name__ == "__main__":
    main()
