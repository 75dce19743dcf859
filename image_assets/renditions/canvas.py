"""A canvas: the memory that one picture after the other stands in, and a picture's memory seen as an array.

Fresh memory has to be cleared by the kernel, and again by Pillow: a tenth of the time of fourteen renditions. So every
thread keeps what it draws on, as long as it is not much.
"""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


_KEPT_BYTES = 16 << 20  # a picture of 4 megapixels
_STRIP_ROWS = 256


class Canvas(threading.local):
    """Memory for RGB pictures, as large as the largest so far; every thread has its own."""

    def __init__(self) -> None:
        self._memory: Pixels = np.empty(0, dtype=np.uint8)

    def picture(self, size: tuple[int, int]) -> tuple[Image.Image, Pixels]:
        """A picture (width, height) to draw on, and its memory: (height, width * 4) uint8, R, G, B and a byte without
        meaning. It is valid until the next one is asked for."""
        width, height = size
        needed = width * height * 4
        if needed > _KEPT_BYTES:
            flat = np.empty(needed, dtype=np.uint8)
        else:
            if self._memory.size < needed:
                self._memory = np.empty(needed, dtype=np.uint8)
            flat = self._memory[:needed]
        return Image.fromarrow(pa.array(flat), "RGB", size), flat.reshape(height, width * 4)


def pixels_of(image: Image.Image) -> Pixels:
    """(height, width * 4) uint8 of an RGB image: R, G, B and a byte without meaning. A view of Pillow's own memory
    where it can be."""
    try:
        flat = pa.array(image).flatten().to_numpy(zero_copy_only=True)
    except ValueError:  # Pillow keeps images of more than 16 MB in several pieces
        flat = np.empty(4 * image.width * image.height, dtype=np.uint8)
        for top in range(0, image.height, _STRIP_ROWS):
            strip = image.crop((0, top, image.width, min(top + _STRIP_ROWS, image.height))).tobytes("raw", "RGBX")
            flat[4 * image.width * top :][: len(strip)] = np.frombuffer(strip, dtype=np.uint8)
    pixels: Pixels = flat.reshape(image.height, image.width * 4)
    return pixels
