"""The decode of a stranger's file. Runs only inside a worker process (`decoder_process`).

It sets Pillow's module globals, and a hostile file may take its process down: never call it in a process that matters.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from io import BytesIO

import simplejpeg
from PIL import (
    AvifImagePlugin,
    ExifTags,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from image_assets.decoder_memory import memory_refused
from image_assets.raw_images.canvas import claimed_canvas
from image_assets.raw_images.jpeg_scans import misses_scans
from image_assets.raw_images.png_chunks import png_fault
from image_assets.raw_images.signatures import ends_early
from image_assets.raw_images.verdicts import ImageFormat, Reason, Screening, ScreeningLimits, refused_by_limits
from image_assets.shown_pixels import LYING

_PILLOW_FORMATS: dict[ImageFormat, str] = {
    "jpeg": "JPEG",  # MPO too: what phones write is a JPEG with more pictures behind it, and the first is the picture
    "png": "PNG",
    "webp": WebPImagePlugin.WebPImageFile.format,
    "avif": AvifImagePlugin.AvifImageFile.format,
    "gif": "GIF",
    "bmp": "BMP",
    "tiff": TiffImagePlugin.TiffImageFile.format,
    "jpeg2000": Jpeg2KImagePlugin.Jpeg2KImageFile.format,
}
# What the later rooms can show. Others, such as measurements in floating point, come in TIFF only.
_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "I;16L", "I;16B"}
_LONGEST_SIDE = 2**31 - 1  # PNG allows no more, the other formats far less; more is a lie, not a size
# What libjpeg says of picture data that is not there, or is none; its other warnings hide nothing that people see.
_JPEG_DAMAGE = re.compile("premature end|bad Huffman code")
_TRUNCATED = re.compile("truncated|premature end", re.IGNORECASE)
_OUT_OF_MEMORY = re.compile("decoder error -9|out of memory|insufficient memory", re.IGNORECASE)  # Pillow, its codecs


def configure_pillow() -> None:
    """Strict and single-threaded: truncated files and bombs are errors, the pool alone decides on parallelism."""
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    # One text may be as long as all together; the worker's memory is limited anyway.
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def decode(
    data: bytes, image_format: ImageFormat, limits: ScreeningLimits, measured: Callable[[int, int], None]
) -> Screening:
    """Header, limits, then every pixel of the first frame. Never raises; `measured` is told the size before the pixels.

    A file is refused for its size before any pixel of it is decoded.
    """
    width: int | None = None
    height: int | None = None
    reason: Reason | None
    try:
        if (canvas := claimed_canvas(data, image_format)) and canvas[0] * canvas[1] > limits.max_pixels:
            width, height = canvas
            return Screening(False, refused_by_limits(width, height, limits), image_format, width, height)
        Image.MAX_IMAGE_PIXELS = None  # our own limit follows, and says the size
        with Image.open(BytesIO(data), formats=(_PILLOW_FORMATS[image_format],)) as image:
            width, height = _size_as_shown(image, decoded=False)
            if max(width, height) > _LONGEST_SIDE:
                return Screening(False, "corrupt", image_format)
            measured(width, height)
            reason = refused_by_limits(width, height, limits)
            if reason is None and (refused := memory_refused(image, data)):
                needed, _ = refused
                return Screening(False, "decoder_memory", image_format, width, height, needed)
            if reason is None:
                Image.MAX_IMAGE_PIXELS = limits.max_pixels  # for frames larger than their header said
                if not (image_format == "jpeg" and _is_sound_jpeg(data)):
                    image.load()
                width, height = _size_as_shown(image, decoded=True)
                if image.mode not in _MODES:
                    reason = "unsupported_format"
                elif image_format == "png":
                    reason = png_fault(data, image)
                elif image_format == "jpeg" and misses_scans(data):
                    reason = "truncated"
    except MemoryError:
        reason = "decoder_memory"
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        reason = "decompression_bomb"
    except Exception as error:  # noqa: BLE001  plugins raise whatever they like; each is a verdict on the file
        if _OUT_OF_MEMORY.search(str(error)):
            reason = "decoder_memory"
        else:
            early = _TRUNCATED.search(str(error)) or ends_early(data, image_format)
            reason = "truncated" if early else "corrupt"
    return Screening(reason is None, reason, image_format, width, height)


def _size_as_shown(image: Image.Image, *, decoded: bool) -> tuple[int, int]:
    """(width, height) with the EXIF orientation applied, as `ImageOps.exif_transpose` would turn the image."""
    width, height = image.size
    if image.format == "TIFF":
        return width, height  # as shown already: Pillow turns a TIFF itself
    if image.format == "PNG" and not decoded and "exif" not in image.info:
        return width, height  # Pillow would decode the pixels to look for EXIF behind them
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  broken EXIF is common and no fault of the picture
        orientation = None
    return (height, width) if orientation in LYING else (width, height)


def _is_sound_jpeg(data: bytes) -> bool:
    """Whether libjpeg decodes every coefficient of a JPEG without a warning; where it does, so does Pillow.

    Pillow hears no warnings, and fills what is missing before the end marker with grey. Raises ValueError with the
    warning when it tells of damage to the picture; after others Pillow has to judge.
    """
    try:
        # All the entropy coding, and the least of the rest: an eighth of the size, luma only.
        simplejpeg.decode_jpeg(data, "GRAY", fastdct=True, min_height=1, min_width=1, min_factor=8)
    except ValueError as warning:
        if _JPEG_DAMAGE.search(str(warning)):
            raise
        return False
    return True
