"""The 36 crop hashes of a picture: which crops are taken, their hashes, and how the hashes are stored.

The method is the talk's ("Ingesting 35M images with Python in the cloud", EuroPython 2016): for each horizontal cut
of 0, 10, 20, 30, 40 and 50 %, and inside it each vertical cut of the same steps, half of the cut is taken from each
side and the rest hashed by imagehash.

Does not belong here: decoding and EXIF orientation (`measuring`), comparing hashes (`image_groups`).
"""

from __future__ import annotations

from collections.abc import Callable

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_assets.fingerprints.resampling import Span, resize_windows

CUTS = (0, 10, 20, 30, 40, 50)  # per cent
CROPS = len(CUTS) ** 2
HASH_BYTES = 8

# imagehash's functions that give 64 bits and look at nothing but `image.convert("L")`. Where the function then
# resizes the crop to a fixed size (width, height), all crops are brought to it at once; None: the crop as it is.
_RESIZED_TO: dict[str, tuple[int, int] | None] = {
    "dhash": (9, 8),
    "dhash_vertical": (8, 9),
    "phash": (32, 32),
    "phash_simple": (32, 32),
    "average_hash": (8, 8),
    "whash": None,
}
ALGORITHMS = tuple(_RESIZED_TO)

# A change of what any algorithm, the luma thumbnail or a feature gives for the same bytes is a new revision.
_REVISION = 2


def method_version(algorithm: str) -> str:
    """The name under which fingerprints and features are kept, such as `dhash-1`; another name, another method.

    Raises ValueError when `algorithm` is not one of ALGORITHMS.
    """
    require_known(algorithm)
    return f"{algorithm}-{_REVISION}"


def crop_boxes(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """The 36 crops as (left, top, right, bottom) in pixels: horizontal cut outer, vertical cut inner.

    Half of the cut, rounded down to a whole pixel, is taken from either side, so no crop is ever empty.
    """
    return [(left, top, right, bottom) for left, right in _spans(width) for top, bottom in _spans(height)]


def crop_hashes(image: Image.Image, algorithm: str = "dhash") -> NDArray[np.uint64]:
    """The hashes of the 36 crops of `crop_boxes`, in that order; (36,) uint64, a hash's first bit highest.

    Equals `getattr(imagehash, algorithm)(image.crop(box))` bit for bit, in any mode that Pillow converts to "L".
    The image is taken as given: turn it upright first. Raises ValueError when `algorithm` is not one of ALGORITHMS,
    and what Pillow raises when the image cannot be decoded or converted.
    """
    require_known(algorithm)
    # The conversion looks at single pixels, so converting once and cropping then comes to the same.
    luma = image if image.mode == "L" else image.convert("L")
    size = _RESIZED_TO[algorithm]
    if size is None:
        return _hash_each([luma.crop(box) for box in crop_boxes(*luma.size)], algorithm)
    small = resize_windows(np.asarray(luma), _spans(luma.width), _spans(luma.height), size)
    small = small.reshape(CROPS, size[1], size[0])
    if algorithm == "dhash":
        return _join_bits(small[:, :, 1:] > small[:, :, :-1])
    # imagehash's own resize leaves a picture of that size as it is.
    return _hash_each([Image.fromarray(crop) for crop in small], algorithm)


def pack_hashes(hashes: NDArray[np.uint64]) -> bytes:
    """(36,) uint64 as the ledger keeps it: 288 bytes, big-endian. Raises ValueError for another shape."""
    if hashes.shape != (CROPS,):
        raise ValueError(f"crop hashes have shape {hashes.shape}, must be ({CROPS},)")
    return hashes.astype(">u8", casting="equiv").tobytes()


def unpack_hashes(packed: bytes | memoryview) -> NDArray[np.uint64]:
    """The inverse of `pack_hashes`; (36,) uint64. Raises ValueError unless there are 288 bytes."""
    if len(packed) != CROPS * HASH_BYTES:
        raise ValueError(f"crop hashes take {len(packed)} bytes, must be {CROPS * HASH_BYTES}")
    return np.frombuffer(packed, dtype=">u8").astype(np.uint64)


def require_known(algorithm: str) -> None:
    """Raise ValueError unless `algorithm` is one of ALGORITHMS."""
    if algorithm not in _RESIZED_TO:
        raise ValueError(f"unknown hash algorithm {algorithm!r}, must be one of: {', '.join(ALGORITHMS)}")


def _spans(length: int) -> list[Span]:
    taken = [length * cut // 200 for cut in CUTS]
    return [(side, length - side) for side in taken]


def _hash_each(crops: list[Image.Image], algorithm: str) -> NDArray[np.uint64]:
    hash_crop: Callable[[Image.Image], imagehash.ImageHash] = getattr(imagehash, algorithm)
    return _join_bits(np.stack([hash_crop(crop).hash for crop in crops]))


def _join_bits(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """(36, 8, 8) bool, row by row, as (36,) uint64."""
    return np.packbits(bits.reshape(CROPS, -1), axis=1).view(">u8").ravel().astype(np.uint64)
