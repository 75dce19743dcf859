"""ICC profiles made by code, and the colours that files with such profiles mean: CIE Lab, D50.

RGB profiles are three primaries and a curve; the CMYK profile is a table, like those of printing presses.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

D50 = np.array([0.9642, 1.0, 0.8249])
_D65 = np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_CLUT_GRID = 9


@dataclass(frozen=True)
class RGBSpace:
    """An RGB colour space: chromaticities (x, y) of its primaries, its white (XYZ), and its decoding curve."""

    primaries: tuple[tuple[float, float], ...]
    white: Floats
    decode: Callable[[Floats], Floats]

    @property
    def to_xyz(self) -> Floats:
        """(3, 3): linear RGB to XYZ relative to D50."""
        columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in self.primaries]).T
        matrix = columns * np.linalg.solve(columns, self.white)
        cone = (_BRADFORD @ D50) / (_BRADFORD @ self.white)
        adapted: Floats = np.linalg.inv(_BRADFORD) @ np.diag(cone) @ _BRADFORD @ matrix
        return adapted


def _srgb_curve(value: Floats) -> Floats:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


SRGB = RGBSpace(((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), _D65, _srgb_curve)
ADOBE_RGB = RGBSpace(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), _D65, lambda value: value ** (563 / 256))
DISPLAY_P3 = RGBSpace(((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), _D65, _srgb_curve)
BT_2020 = RGBSpace(((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), _D65, _srgb_curve)
PROPHOTO = RGBSpace(((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), D50, lambda value: value**1.8)


def lab(space: RGBSpace, colours: Floats) -> Floats:
    """(n, 3) values of 0 to 1 in the space as CIE Lab, D50."""
    return _lab(space.decode(np.asarray(colours, dtype=float)) @ space.to_xyz.T)


def cmyk_lab(inks: Floats) -> Floats:
    """(n, 4) inks of 0 to 1 as the CMYK profile means them: each takes its own share of the light, in linear sRGB."""
    passes = np.array([[0.02, 0.45, 0.85], [0.75, 0.03, 0.30], [0.90, 0.80, 0.02], [0.0, 0.0, 0.0]])
    light = np.prod(1 - np.asarray(inks, dtype=float)[..., None] * (1 - passes), axis=-2)
    return _lab(light @ SRGB.to_xyz.T)


def srgb_of_lab(colours: Floats) -> Floats:
    """(n, 3) CIE Lab, D50, as sRGB of 0 to 1, not clipped."""
    f = np.stack([(colours[:, 0] + 16) / 116] * 3, axis=-1)
    f[:, 0] += colours[:, 1] / 500
    f[:, 2] -= colours[:, 2] / 200
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * D50
    linear = xyz @ np.linalg.inv(SRGB.to_xyz).T
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055)
    return np.asarray(encoded)


def rgb_profile(space: RGBSpace) -> bytes:
    """An ICC profile, version 2, class display."""
    ramp = (space.decode(np.linspace(0, 1, 1024)) * 65_535).round().astype(">u2").tobytes()
    curve = b"curv" + bytes(4) + struct.pack(">I", 1024) + ramp
    primaries = {f"{name}XYZ".encode(): _xyz(space.to_xyz[:, i]) for i, name in enumerate("rgb")}
    return _profile(b"mntr", b"RGB ", b"XYZ ", {**primaries, **{f"{name}TRC".encode(): curve for name in "rgb"}})


def grey_profile(gamma: float) -> bytes:
    """An ICC profile of grey with a plain gamma."""
    ramp = (np.linspace(0, 1, 1024) ** gamma * 65_535).round().astype(">u2").tobytes()
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": b"curv" + bytes(4) + struct.pack(">I", 1024) + ramp})


def cmyk_profile() -> bytes:
    """An ICC profile, class output, whose table holds `cmyk_lab`."""
    steps = np.linspace(0, 1, _CLUT_GRID)
    inks = np.stack(np.meshgrid(steps, steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 4)
    lightness, a, b = cmyk_lab(inks).T
    # The 16-bit Lab of ICC version 2: L* 100 is 0xff00, a* and b* 0 are 0x8000.
    table = np.stack([lightness * 652.8, (a + 128) * 256, (b + 128) * 256], axis=-1).round().clip(0, 65_535)
    identity = struct.pack(">9i", *(65_536 if i % 4 == 0 else 0 for i in range(9)))
    ramp = struct.pack(">2H", 0, 65_535)
    header = b"mft2" + bytes(4) + bytes([4, 3, _CLUT_GRID, 0]) + identity + struct.pack(">2H", 2, 2)
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": header + ramp * 4 + table.astype(">u2").tobytes() + ramp * 3})


def _lab(xyz: Floats) -> Floats:
    ratio = xyz / D50
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=-1)


def _xyz(values: Floats) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65_536) for value in values))


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = b"made by a test\0"
    described = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78)
    tags = {b"desc": described, b"cprt": b"text" + bytes(4) + text, b"wtpt": _xyz(D50), **tags}
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = 128 + len(table) + len(body)
    header = struct.pack(">I4s4s4s4s4s", size, b"none", b"\x02\x40\0\0", kind, space, connection)
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz(D50)[8:]
    return header.ljust(128, b"\0") + table + body
