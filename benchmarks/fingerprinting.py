"""How long a fingerprint takes, ours and the talk's way, on the same pictures in the same run.

    python benchmarks/fingerprinting.py [FOLDER] [--images 40] [--algorithm dhash] [--threads 2]

The talk's way: open the file, and for each of the 36 cuts crop the picture and hash the crop with imagehash. Ours:
`crop_hashes` of the same picture, whole; `fingerprint` as it is stored (hashes and luma thumbnail; a large JPEG is
decoded to averages of its pixels); and `measure` (the features as well). All start from the bytes of the file.
Pictures: the JPEGs of FOLDER as they are, or scenes drawn by code at 1024 x 768. The hashes of `crop_hashes` are
compared with the talk's; a difference ends the run with exit code 1. How far those of `fingerprint` are is printed.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from image_assets.fingerprints import crop_boxes, crop_hashes, fingerprint, measure

_ROUNDS = 3


def fingerprint_the_talks_way(data: bytes, algorithm: str) -> NDArray[np.uint64]:
    """(36,) uint64, one crop after the other."""
    hash_crop = getattr(imagehash, algorithm)
    with Image.open(io.BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image)
        hashes = [int(str(hash_crop(upright.crop(box))), 16) for box in crop_boxes(*upright.size)]
    return np.array(hashes, dtype=np.uint64)


def hash_whole(data: bytes, algorithm: str) -> NDArray[np.uint64]:
    """(36,) uint64 of the picture decoded at its full size."""
    with Image.open(io.BytesIO(data)) as image:
        return crop_hashes(ImageOps.exif_transpose(image), algorithm)


def draw_jpeg(seed: int) -> bytes:
    """A 1024 x 768 scene of soft gradients, shapes and sensor noise; about 150 kB."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    image = coarse.resize((1024, 768), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(60):
        left, top = rng.integers(-100, 1000, 2).tolist()
        width, height = rng.integers(10, 300, 2).tolist()
        shape = pen.ellipse if rng.integers(2) else pen.rectangle
        shape((left, top, left + width, top + height), fill=tuple(rng.integers(0, 256, 3).tolist()))
    noise = rng.normal(0, 4, (768, 1024, 1))
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(1))) + noise
    file = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
    return file.getvalue()


def fastest_seconds(work: Callable[[], object]) -> float:
    """The best of a few rounds: what the work takes when nothing else is in the way."""
    seconds = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def pooled_seconds(files: Sequence[bytes], algorithm: str, threads: int) -> float:
    """Seconds to measure all files in a pool of threads."""
    with ThreadPoolExecutor(threads) as pool:
        return fastest_seconds(lambda: list(pool.map(partial(measure, algorithm=algorithm), files)))


def main() -> int:
    """Run the comparison and print it."""
    options = argparse.ArgumentParser(description="fingerprints: ours against the talk's way")
    options.add_argument("folder", nargs="?", type=Path, help="a folder of JPEGs; drawn scenes when left out")
    options.add_argument("--images", type=int, default=40)
    options.add_argument("--algorithm", default="dhash")
    options.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    chosen = options.parse_args()
    algorithm: str = chosen.algorithm
    if chosen.folder is None:
        files = [draw_jpeg(seed) for seed in range(chosen.images)]
    else:
        files = [path.read_bytes() for path in sorted(chosen.folder.glob("*.jp*g"))[: chosen.images]]
    if not files:
        options.error(f"no JPEGs in {chosen.folder}")

    talks = [fingerprint_the_talks_way(data, algorithm) for data in files]
    equal = sum(np.array_equal(hash_whole(data, algorithm), hashes) for data, hashes in zip(files, talks, strict=True))
    stored = [fingerprint(data, algorithm).crop_hashes for data in files]
    apart = np.bitwise_count(np.array(stored) ^ np.array(talks))
    # Picture by picture, so that a busy moment of the machine meets all four alike.
    timed = np.array(
        [
            (
                fastest_seconds(partial(fingerprint_the_talks_way, data, algorithm)),
                fastest_seconds(partial(hash_whole, data, algorithm)),
                fastest_seconds(partial(fingerprint, data, algorithm)),
                fastest_seconds(partial(measure, data, algorithm)),
            )
            for data in files
        ]
    )
    talk, *ours = timed.sum(axis=0) / len(files)
    pooled = pooled_seconds(files, algorithm, chosen.threads)
    print(f"{len(files)} JPEGs, {algorithm}, one thread, from the bytes of the file:")
    print(f"  the talk's way              {talk * 1e3:7.1f} ms an image")
    for name, seconds in zip(
        ("crop_hashes, whole picture", "fingerprint as stored", "with features"), ours, strict=True
    ):
        print(f"  {name:27} {seconds * 1e3:7.1f} ms an image   {talk / seconds:5.1f} times as fast")
    print(f"fingerprint and features on {chosen.threads} threads: {len(files) / pooled:.0f} images a second")
    print(f"crop_hashes of {equal} of {len(files)} images equal in every bit")
    print(f"as stored, {apart.mean():.2f} of 64 bits away on average, {apart.max()} at most")
    return 0 if equal == len(files) else 1


if __name__ == "__main__":
    raise SystemExit(main())
