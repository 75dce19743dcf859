"""One decode of a picture's bytes, and all that is measured of it: the fingerprint and the features.

Belongs here: opening the bytes and turning the picture upright. The measures themselves are in the other modules.

Pillow and numpy let other threads run while they work: measure many pictures in a pool of as many threads as cores.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_assets.fingerprints.features import Features, extract_features
from image_assets.fingerprints.hashing import crop_hashes, method_version
from image_assets.fingerprints.luma import luma_thumbnail
from image_assets.shown_pixels import eight_bit, exif_orientation, laid_on_background, turned_upright


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
    """The fingerprint of an encoded picture as it is shown: upright by its EXIF orientation, in 8 bits, on white where
    it is transparent; of an animation, the first frame.

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
            orientation = exif_orientation(image)
            image.load()
            upright = turned_upright(_as_shown(image), orientation)
        return upright, upright.convert("L")
    except MemoryError:
        raise  # the machine's trouble, not the picture's
    except Exception as error:  # Pillow's readers raise anything at damaged bytes
        raise UnreadableImage(f"{type(error).__name__}: {error}") from error


def _as_shown(image: Image.Image) -> Image.Image:
    """What a viewer sees: `convert("L")` alone makes 16-bit grey white and shows what transparency hides."""
    if image.mode.startswith("I"):
        return eight_bit(image)
    if not image.has_transparency_data:
        return image
    seen = image if image.mode == "LA" else image.convert("RGBA")
    return laid_on_background(seen.convert("L" if seen.mode == "LA" else "RGB"), seen.getchannel("A"))
