"""The weights of Pillow's Lanczos resize of 8-bit pictures, as its `Resample.c` has them.

Belongs here: the weights alone. Does not belong here: pixels (`resampling`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PRECISION_BITS = 22
"""The weights of a target pixel are whole numbers that add up to about 2 to this power."""

_SUPPORT = 3.0  # of the filter, in target pixels


def lanczos_weights(pixels: int, target_pixels: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How each target pixel of one axis is made: (first source pixel, weights of it and of those that follow).

    Returns (target_pixels,) and (taps, target_pixels), whole numbers; 0 where a target pixel needs fewer taps, and
    there first + tap may lie behind the source. Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc`.
    """
    scale = pixels / target_pixels
    filter_scale = max(scale, 1.0)
    support = _SUPPORT * filter_scale
    centre = (np.arange(target_pixels) + 0.5) * scale
    # Pillow truncates towards zero; what is below zero is clamped anyway.
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + support + 0.5).astype(np.int64), pixels)
    source = first + np.arange(int((last - first).max()))[:, None]
    x = (source - centre + 0.5) * (1.0 / filter_scale)
    lanczos = np.where((x >= -_SUPPORT) & (x < _SUPPORT), np.sinc(x) * np.sinc(x / 3), 0.0)
    lanczos[source >= last] = 0.0
    # Pillow adds one weight after the other; numpy's sum() would add in pairs.
    shares = lanczos / np.cumsum(lanczos, axis=0)[-1]
    return first, np.trunc(shares * (1 << PRECISION_BITS) + np.copysign(0.5, shares))
