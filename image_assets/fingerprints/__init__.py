"""Fingerprinting: what we keep of a picture to recognise it, and the features by which it is ranked.

`measuring` decodes a picture once and asks `hashing` (36 crop hashes), `luma` (the thumbnail) and `features`;
`resampling`, by the weights of `lanczos`, is the arithmetic beneath the hashes, and `blas` keeps it to one thread.
Comparing two fingerprints belongs to `image_groups`, choosing the best picture to `priorities`.
"""

from image_assets.fingerprints.features import Features
from image_assets.fingerprints.hashing import (
    ALGORITHMS,
    crop_boxes,
    crop_hashes,
    method_version,
    pack_hashes,
    unpack_hashes,
)
from image_assets.fingerprints.luma import pack_luma, unpack_luma
from image_assets.fingerprints.measuring import Fingerprint, Measurement, UnreadableImage, fingerprint, measure

__all__ = [
    "ALGORITHMS",
    "Features",
    "Fingerprint",
    "Measurement",
    "UnreadableImage",
    "crop_boxes",
    "crop_hashes",
    "fingerprint",
    "measure",
    "method_version",
    "pack_hashes",
    "pack_luma",
    "unpack_hashes",
    "unpack_luma",
]
