"""What ranking needs to know of a picture besides its size: sharpness, brightness, contrast and colourfulness.

All sums are sums of whole numbers, so the same bytes give the same features on every machine.
Does not belong here: what makes a feature good or bad (`priorities`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# The long side, in pixels, at which sharpness is measured: copies of a photograph from 400 to 2,048 pixels then differ
# by a fifth (those of averaged pixels are the softer ones), and a blur of one pixel at 1,024 halves the sharpness.
SHARPNESS_SIDE = 384
# The sides of the grid of pixels from which colourfulness is measured.
COLOUR_GRID = 128

_DIGITS = 6


@dataclass(frozen=True)
class Features:
    """What a picture looks like, in four numbers, rounded to 6 digits.

    sharpness: variance of the 4-neighbour Laplacian of the luma, after the picture was scaled to a long side of 384
        pixels; 0 and up. Blurred pictures have little variance (Pech-Pacheco et al., "Diatom autofocusing in
        brightfield microscopy: a comparative study", ICPR 2000). The common scale makes pictures of any resolution
        comparable, and enlarging a picture gains it nothing.
    brightness: mean luma at that scale, 0 to 255 (ITU-R BT.601 luma, as Pillow's mode "L").
    contrast: standard deviation of the luma at that scale (root-mean-square contrast), 0 to 127.5.
    colourfulness: the measure M of Hasler and Suesstrunk, "Measuring colourfulness in natural images" (SPIE 5007,
        2003), from a grid of 128 x 128 pixels; 0 for grey pictures, above 100 for vivid ones.
    """

    sharpness: float
    brightness: float
    contrast: float
    colourfulness: float


def extract_features(image: Image.Image, luma: Image.Image) -> Features:
    """The features of an upright picture of any mode.

    `luma` is the same picture in mode "L"; either may be smaller than the whole, of averaged pixels.
    """
    scaled = _scale_for_sharpness(luma)
    mean, variance = _mean_and_variance(scaled)
    return Features(
        sharpness=round(_mean_and_variance(_laplacian(scaled))[1], _DIGITS),
        brightness=round(mean, _DIGITS),
        contrast=round(math.sqrt(variance), _DIGITS),
        colourfulness=round(_colourfulness(image), _DIGITS),
    )


def _scale_for_sharpness(luma: Image.Image) -> NDArray[np.int16]:
    """(height, width) with a long side of 384, and at least 3 pixels on the other for the Laplacian."""
    factor = SHARPNESS_SIDE / max(luma.size)
    size = (max(3, round(luma.width * factor)), max(3, round(luma.height * factor)))
    # Hamming keeps as much detail as Lanczos in a third of the time, bilinear half of it. Enlarging, Hamming would make
    # edges of its own. Averaging whole pixels first (reducing_gap) saves time on large pictures.
    resample = Image.Resampling.HAMMING if factor < 1 else Image.Resampling.BICUBIC
    scaled = luma.resize(size, resample, reducing_gap=2.0)
    return np.asarray(scaled).astype(np.int16)


def _laplacian(luma: NDArray[np.int16]) -> NDArray[np.int16]:
    """Between -1,020 and 1,020."""
    outcome = luma[:-2, 1:-1] + luma[2:, 1:-1]
    outcome += luma[1:-1, :-2]
    outcome += luma[1:-1, 2:]
    outcome -= 4 * luma[1:-1, 1:-1]
    return outcome


def _colourfulness(image: Image.Image) -> float:
    # Single pixels, not averages: the measure is about the spread of the pixels' colours.
    grid = image.resize((COLOUR_GRID, COLOUR_GRID), Image.Resampling.NEAREST)
    red, green, blue = (np.asarray(band).astype(np.int16) for band in grid.convert("RGB").split())
    red_green_mean, red_green_variance = _mean_and_variance(red - green)
    # Twice the yellow-blue axis stays whole.
    twice_mean, twice_variance = _mean_and_variance(red + green - 2 * blue)
    spread = math.sqrt(red_green_variance + twice_variance / 4)
    shift = math.sqrt(red_green_mean**2 + twice_mean**2 / 4)
    return spread + 0.3 * shift


def _mean_and_variance(values: NDArray[np.int16]) -> tuple[float, float]:
    """From exact sums: rounding happens once, in the division."""
    count = values.size
    total = int(values.sum(dtype=np.int64))
    squares = int(np.square(values, dtype=np.int32).sum(dtype=np.int64))
    return total / count, (count * squares - total * total) / (count * count)
