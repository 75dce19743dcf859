"""How a partner has a picture: its size, JPEG quality, centred crop, brightness, watermark, orientation.

Only what the talk's rule recognises (centred crops, never cuts of one side), so that the expected image groups are
known. Pure functions from a picture to bytes. Does not belong here: which partner does what (hotels).
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageEnhance, ImageFont

_ORIENTATION_TAG = 0x0112
_TURN_LEFT_TO_VIEW = 8  # EXIF: the viewer has to rotate the stored picture by 90 degrees anticlockwise


@dataclass(frozen=True)
class Edit:
    """What a partner does to a picture, in this order.

    crop: share of width and height that is cut off, half on each side. stretch: width over its natural width.
    long_side: pixels; never enlarged. brightness: factor. watermark: text across the lower part.
    sideways: stored rotated by 90 degrees, with the EXIF orientation that says so. quality: of the JPEG.
    """

    crop: float = 0.0
    stretch: float = 1.0
    long_side: int = 1440
    brightness: float = 1.0
    watermark: str | None = None
    sideways: bool = False
    quality: int = 90


def edited(image: Image.Image, edit: Edit) -> bytes:
    """The picture as a JPEG file with all of `edit` applied."""
    width, height = image.size
    if edit.crop:
        left, top = round(width * edit.crop / 2), round(height * edit.crop / 2)
        image = image.crop((left, top, width - left, height - top))
    image = image.resize(_size(image.size, edit), Image.Resampling.LANCZOS, reducing_gap=2.0)
    if edit.brightness != 1.0:
        image = ImageEnhance.Brightness(image).enhance(edit.brightness)
    if edit.watermark:
        image = _watermarked(image, edit.watermark)
    exif = Image.Exif()
    if edit.sideways:
        image = image.transpose(Image.Transpose.ROTATE_270)
        exif[_ORIENTATION_TAG] = _TURN_LEFT_TO_VIEW
    file = io.BytesIO()
    image.save(file, "JPEG", quality=edit.quality, exif=exif)
    return file.getvalue()


def _size(size: tuple[int, int], edit: Edit) -> tuple[int, int]:
    width, height = size[0] * edit.stretch, float(size[1])
    scale = min(1.0, edit.long_side / max(width, height))
    return round(width * scale), round(height * scale)


def _watermarked(image: Image.Image, text: str) -> Image.Image:
    """The picture with half transparent text, a 24th of its height, right below."""
    size = max(14, image.height // 24)
    overlay = Image.new("RGBA", image.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(overlay)
    font = ImageFont.load_default(size=size)
    right, bottom = image.width - size // 2, image.height - size // 2
    pen.text((right + 2, bottom + 2), text, font=font, anchor="rs", fill=(0, 0, 0, 120))
    pen.text((right, bottom), text, font=font, anchor="rs", fill=(255, 255, 255, 170))
    return Image.alpha_composite(image.convert("RGBA"), overlay).convert("RGB")
