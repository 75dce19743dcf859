"""What kind of file some bytes are, by content: never by name or Content-Type.

Belongs here: signatures. Nothing is decoded here, so these functions are safe on any bytes in any process.
Pillow's own plugins are not asked about formats that are refused: some start other programs (EPS), others are rarely
tested.
"""

from __future__ import annotations

import re
from typing import Literal

from image_assets.raw_images.verdicts import ImageFormat

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1", b"miaf"}
_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
_SVG_START = re.compile(rb"\s*(<\?xml|<!--|<!doctype\s+svg|<svg|<svg:svg)", re.IGNORECASE)

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # TIFF, BigTIFF
_JPEG2000_STARTS = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")  # codestream, boxes

# Formats that Pillow, browsers or cameras know and that are never taken.
_UNSUPPORTED_STARTS = (
    b"IIRO", b"IIU\0",  # camera raw
    b"\0\0\x01\0", b"\0\0\x02\0", b"icns",  # ICO, CUR, ICNS
    b"8BPS", b"gimp xcf", b"%PDF-", b"%!PS", b"\xc5\xd0\xd3\xc6",  # PSD, XCF, PDF, PostScript
    b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n",  # JPEG XL
    b"\xd7\xcd\xc6\x9a", b"v/1\x01", b"#?RADIANCE", b"DDS ", b"qoif", b"BPG\xfb", b"FLIF",
    b"\x59\xa6\x6a\x95", b"\x01\xda\0", b"\x01\xda\x01", b"\x0a\x05\x01", b"/* XPM */",  # Sun, SGI, PCX, XPM
    b"BLP1", b"BLP2", b"DanM", b"LinS", b"SIMPLE  =", b"\x8aMNG\r\n", b"\x8bJNG\r\n", b"AT&TFORM",
)  # fmt: skip


def recognise(data: bytes) -> ImageFormat | Literal["unsupported_format", "not_an_image"]:
    """The format of an image that can be decoded, or the reason why these bytes are none."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    brands = _brands(data)
    if not _AVIF_BRANDS.isdisjoint(brands):
        return "avif"
    if data.startswith(_TIFF_STARTS):
        return "tiff"
    if data.startswith(_JPEG2000_STARTS):
        return "jpeg2000"
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "bmp"
    if not _HEIF_BRANDS.isdisjoint(brands) or _is_unsupported(data):
        return "unsupported_format"
    return "not_an_image"


def _brands(data: bytes) -> set[bytes]:
    """Major and compatible brands of an ISO base media file (ISO/IEC 14496-12, `ftyp`)."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), len(data), 512)
    return {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}


def _is_unsupported(data: bytes) -> bool:
    if data.startswith(_UNSUPPORTED_STARTS):
        return True
    if re.match(rb"P[1-7fF]\s", data):  # PBM, PGM, PPM, PAM, PFM
        return True
    if data[40:44] == b" EMF" or data.endswith(b"TRUEVISION-XFILE.\0"):
        return True
    text = data[:4096].removeprefix(b"\xef\xbb\xbf")
    return _SVG_START.match(text) is not None and re.search(rb"<(svg:)?svg[\s>]", text, re.IGNORECASE) is not None


def ends_early(data: bytes, image_format: ImageFormat) -> bool:
    """Whether the end that the format promises is missing. Meant for files that failed to decode."""
    if image_format == "jpeg":
        return not data.rstrip(b"\0\r\n\t ").endswith(b"\xff\xd9")
    if image_format == "png":
        return b"IEND\xae\x42\x60\x82" not in data
    if image_format == "gif":
        return not data.rstrip(b"\0").endswith(b";")
    if image_format == "webp":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    if image_format == "bmp":
        return int.from_bytes(data[2:6], "little") > len(data)
    if image_format == "tiff":
        return False  # the directory of its parts may be anywhere
    if data.startswith(_JPEG2000_STARTS[0]):
        return not data.endswith(b"\xff\xd9")
    return _boxes_end_early(data)


def _boxes_end_early(data: bytes) -> bool:
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size == 0:  # "to the end of the file"
            return False
        at += max(size, 8)
    return at != len(data)
