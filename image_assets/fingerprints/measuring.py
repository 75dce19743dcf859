"""One decode of a picture's bytes, and all that is measured of it: the fingerprint and the features.

Belongs here: opening the bytes, at which scale they are looked at, turning the picture upright. The measures
themselves are in the other modules.

A large picture is looked at in averages of 2 x 2, 4 x 4 or 8 x 8 pixels. A JPEG is decoded to them: libjpeg's scaled
inverse DCT gives these averages, to within rounding, in half of the time or less. Other formats are decoded as they are
and averaged then, so the same picture has the same fingerprint in every format. The hashes of a halved picture are 0.3
of 64 bits away from those of the whole one on average (photographs of 1,024 pixels).

Pillow and numpy let other threads run while they work: measure many pictures in a pool of as many threads as cores.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_assets.fingerprints.features import Features, extract_features
from image_assets.fingerprints.hashing import crop_hashes, require_known
from image_assets.fingerprints.luma import LUMA_SIDE, luma_thumbnail
from image_assets.shown_pixels import LYING, eight_bit, exif_orientation, laid_on_background, turned_upright

# What averaging leaves at least, in pixels: enough for sharpness (a long side of 384) and for the crop hashes and the
# thumbnail, four pixels to each of theirs.
_LEAST_LONG_SIDE = 500
_LEAST_SHORT_SIDE = 4 * LUMA_SIDE


class UnreadableImage(ValueError):
    """The bytes are no picture that can be decoded and converted; `reason` says why in one line."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What we keep of a picture to recognise it.

    crop_hashes: (36,) uint64, see `hashing.crop_hashes`. luma: (40, 40) uint8, see `luma.luma_thumbnail`; of a large
        picture both are made from averages of its pixels.
    width, height: pixels of the whole picture, EXIF orientation applied.
    """

    crop_hashes: NDArray[np.uint64]
    luma: NDArray[np.uint8]
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class _Decoded:
    """image: upright, in its colours if these were asked for; of averaged pixels if it could be decoded to them.

    luma: the same in mode "L", of averaged pixels if the picture is large. size: (width, height) of the whole.
    """

    image: Image.Image
    luma: Image.Image
    size: tuple[int, int]


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
    require_known(algorithm)
    return _fingerprint(_decode(data, colours=False), algorithm)


def measure(data: bytes, algorithm: str = "dhash") -> Measurement:
    """The fingerprint and the features of an encoded picture from one decode; raises as `fingerprint` does."""
    require_known(algorithm)
    decoded = _decode(data, colours=True)
    return Measurement(_fingerprint(decoded, algorithm), extract_features(decoded.image, decoded.luma))


def _fingerprint(decoded: _Decoded, algorithm: str) -> Fingerprint:
    return Fingerprint(crop_hashes(decoded.luma, algorithm), luma_thumbnail(decoded.luma), *decoded.size)


def _decode(data: bytes, *, colours: bool) -> _Decoded:
    try:
        with Image.open(io.BytesIO(data)) as image:
            orientation = exif_orientation(image)
            stored_size, side = image.size, _averaged_side(*image.size)
            averaged = side > 1 and _decode_averaged(image, side, colours)
            image.load()
            upright = turned_upright(_as_shown(image), orientation)
        luma = upright.convert("L")
        if averaged:
            return _Decoded(upright, luma, stored_size[::-1] if orientation in LYING else stored_size)
        return _Decoded(upright, luma.reduce(_averaged_side(*luma.size)), luma.size)
    except MemoryError:
        raise  # the machine's trouble, not the picture's
    except Exception as error:  # Pillow's readers raise anything at damaged bytes
        raise UnreadableImage(f"{type(error).__name__}: {error}") from error


def _decode_averaged(image: Image.Image, side: int, colours: bool) -> bool:
    """Make the picture load as averages of `side` x `side` pixels, if its format can: False for all but JPEG."""
    # A whole JFIF marker says that the luma is there as it is; libjpeg gives it unconverted. Without one, or where
    # Adobe's says otherwise, the file may be RGB inside, and libjpeg would not convert it.
    has_luma = "jfif_density" in image.info and image.info.get("adobe_transform", 1) == 1
    mode = ("YCbCr" if colours else "L") if has_luma else None
    return image.draft(mode, (image.width // side, image.height // side)) is not None


def _averaged_side(width: int, height: int) -> int:
    """The side of the squares whose average is one pixel of what is looked at: 1, 2, 4 or 8."""
    for side in (8, 4, 2):
        if max(width, height) >= side * _LEAST_LONG_SIDE and min(width, height) >= side * _LEAST_SHORT_SIDE:
            return side
    return 1


def _as_shown(image: Image.Image) -> Image.Image:
    """What a viewer sees: `convert("L")` alone makes 16-bit grey white and shows what transparency hides."""
    if image.mode.startswith("I"):
        return eight_bit(image)
    if not image.has_transparency_data:
        return image
    seen = image if image.mode == "LA" else image.convert("RGBA")
    return laid_on_background(seen.convert("L" if seen.mode == "LA" else "RGB"), seen.getchannel("A"))
