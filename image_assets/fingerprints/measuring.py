"""One decode of a picture's bytes, and all that is measured of it: the fingerprint and the features.

Belongs here: opening the bytes and turning the picture upright. The measures themselves are in the other modules.

Pillow and numpy let other threads run while they work: measure many pictures in a pool of as many threads as cores.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from image_assets.fingerprints.features import Features, extract_features
from image_assets.fingerprints.hashing import crop_hashes, method_version
from image_assets.fingerprints.luma import luma_thumbnail

# What undoes each EXIF orientation; 1 is upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableImage(ValueError):
    """The bytes are no picture that can be decoded and converted; `reason` says why in one line."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What we keep of a picture to recognise it.

    crop_hashes: (36,) uint64, see `hashing.crop_hashes`. luma: (40, 40) uint8, see `luma.luma_thumbnail`.
    width, height: pixels, EXIF orientation applied.
    """

    crop_hashes: NDArray[np.uint64]
    luma: NDArray[np.uint8]
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Measurement:
    """All that one decode gives."""

    fingerprint: Fingerprint
    features: Features


def fingerprint(data: bytes, algorithm: str = "dhash") -> Fingerprint:
    """The fingerprint of an encoded picture, after its EXIF orientation was applied; of an animation, the first frame.

    Raises UnreadableImage for bytes that are no picture, ValueError for an unknown algorithm.
    """
    method_version(algorithm)
    _, luma = _decode(data)
    return _fingerprint(luma, algorithm)


def measure(data: bytes, algorithm: str = "dhash") -> Measurement:
    """The fingerprint and the features of an encoded picture from one decode; raises as `fingerprint` does."""
    method_version(algorithm)
    image, luma = _decode(data)
    return Measurement(_fingerprint(luma, algorithm), extract_features(image, luma))


def _fingerprint(luma: Image.Image, algorithm: str) -> Fingerprint:
    return Fingerprint(crop_hashes(luma, algorithm), luma_thumbnail(luma), luma.width, luma.height)


def _decode(data: bytes) -> tuple[Image.Image, Image.Image]:
    """The picture, upright, and the same in mode "L"."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            upright = _turn_upright(image)
        return upright, upright.convert("L")
    except MemoryError:
        raise  # the machine's trouble, not the picture's
    except Exception as error:  # Pillow's readers raise anything at damaged bytes
        raise UnreadableImage(f"{type(error).__name__}: {error}") from error


def _turn_upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - the pixels are sound: a damaged EXIF block says nothing about them
        return image
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)
