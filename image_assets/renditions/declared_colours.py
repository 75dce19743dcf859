"""Declared colours: what a file says of its colours in a few numbers, as the ICC profile that says the same.

Read are the code points of PNG's cICP and AVIF's nclx (ITU-T H.273), PNG's gAMA and cHRM (PNG 3, 11.3.2), and the Adobe
RGB of cameras (DCF 2.0: interoperability index R03). Does not belong here: converting pixels (colour).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

Floats = NDArray[np.float64]

_D65 = (0.3127, 0.3290)
_SRGB_PRIMARIES = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_ADOBE_RGB_PRIMARIES = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_ADOBE_RGB_EXPONENT = 563 / 256

# White, red, green and blue (x and y of each) of the code points that pictures have; all others count as sRGB's.
_PRIMARIES: Mapping[int, Sequence[float]] = MappingProxyType(
    {
        9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
        11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # DCI P3
        12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
    }
)
# Those of video (BT.709 and the like) count as sRGB's curve: they are looked at on the same screens.
_EXPONENTS: Mapping[int, float] = MappingProxyType({4: 2.2, 5: 2.8, 8: 1.0})
_HDR = (16, 18)  # PQ and HLG: no profile says how bright they shall be shown

# Files say 1/2.2 where they mean sRGB's curve (PNG 3, 11.3.2.2).
_SRGB_GAMMAS = (0.4495, 0.4596)

_GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B")
_FAR = 65_536  # bytes from the start of an AVIF, within which its header describes the colours

_D50 = np.array([0.9642, 1.0, 0.8249])  # ICC's own
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def profile_of(image: Image.Image, data: bytes) -> bytes | None:
    """The ICC profile of an opened file: the embedded one, else one made of what the file declares; None for sRGB."""
    embedded = image.info.get("icc_profile")
    points = _png_code_points(data) if image.format == "PNG" else None
    if points is None and isinstance(embedded, bytes) and embedded:
        return embedded
    if image.format == "AVIF":
        points = _avif_code_points(data)
    if points is not None:
        primaries, transfer = points
        if transfer in _HDR:
            return None
        return _profile(image.mode, _PRIMARIES.get(primaries, _SRGB_PRIMARIES), _EXPONENTS.get(transfer))
    if image.format == "PNG" and "srgb" not in image.info:
        gamma = image.info.get("gamma") or _SRGB_GAMMAS[0]
        exponent = None if _SRGB_GAMMAS[0] <= gamma <= _SRGB_GAMMAS[1] else 1 / gamma
        return _profile(image.mode, image.info.get("chromaticity", _SRGB_PRIMARIES), exponent)
    if image.format in ("JPEG", "MPO") and _is_adobe_rgb(image):
        return _profile(image.mode, _ADOBE_RGB_PRIMARIES, _ADOBE_RGB_EXPONENT)
    return None


def _png_code_points(data: bytes) -> tuple[int, int] | None:
    """Primaries and transfer of the chunk cICP, which comes before the pixels."""
    place = 8
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"cICP" and length >= 4:
            return data[place + 8], data[place + 9]
        if kind in (b"IDAT", b"IEND"):
            break
        place += length + 12
    return None


def _avif_code_points(data: bytes) -> tuple[int, int] | None:
    """Primaries and transfer of the first colour box of kind nclx."""
    place = data.find(b"colrnclx", 0, _FAR)
    if place < 0 or place + 12 > len(data):
        return None
    primaries, transfer = struct.unpack_from(">HH", data, place + 8)
    return primaries, transfer


def _is_adobe_rgb(image: Image.Image) -> bool:
    try:
        exif = image.getexif()
        return bool(exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex) == "R03")
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  broken EXIF says nothing
        return False


def _profile(mode: str, primaries: Sequence[float], exponent: float | None) -> bytes | None:
    """A profile of these chromaticities (x and y of white, red, green, blue) and exponent, or with sRGB's curve; None
    for sRGB itself and where the numbers are of no colours."""
    grey = mode in _GREY_MODES
    is_srgb = grey or np.allclose(primaries, _SRGB_PRIMARIES, atol=0.001)
    if (is_srgb and exponent is None) or not 0.1 <= (exponent or 1) <= 10:
        return None
    if grey:
        return _icc(b"GRAY", {b"kTRC": _curve(exponent)})
    x, y = np.reshape(primaries, (4, 2)).T
    if y.min() <= 0:
        return None
    columns = np.array([x / y, np.ones(4), (1 - x - y) / y])
    white, matrix = columns[:, 0], columns[:, 1:]
    if abs(np.linalg.det(matrix)) < 1e-6:
        return None
    cone = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    to_xyz = np.linalg.inv(_BRADFORD) @ np.diag(cone) @ _BRADFORD @ (matrix * np.linalg.solve(matrix, white))
    if np.abs(to_xyz).max() > 10:
        return None
    tags = {f"{name}XYZ".encode(): _xyz(to_xyz[:, column]) for column, name in enumerate("rgb")}
    return _icc(b"RGB ", tags | {f"{name}TRC".encode(): _curve(exponent) for name in "rgb"})


def _curve(exponent: float | None) -> bytes:
    value = np.linspace(0, 1, 1024)
    srgb = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = srgb if exponent is None else value**exponent
    return b"curv" + bytes(4) + struct.pack(">I", len(value)) + (linear * 65_535).round().astype(">u2").tobytes()


def _xyz(values: Floats) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(value) * 65_536) for value in values))


def _icc(space: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    """A display profile of ICC version 2 (ICC.1:2001-04)."""
    tags = {b"wtpt": _xyz(_D50), **tags}
    entries, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        entries += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(content))
        body += content
    header = struct.pack(">I4s4s4s4s4s", 128 + len(entries) + len(body), b"", b"\2\x40\0\0", b"mntr", space, b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + _xyz(_D50)[8:]
    return header.ljust(128, b"\0") + entries + body
