"""Memory: bounded, whatever the file, and known before. (What is done with that is `test_making`'s.)"""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from image_files import png_chunk
from PIL import Image
from rendered_scenes import encoded, scene

WIDTH, HEIGHT = 8160, 6120  # 50 megapixels
MEASURE = """
import sys
from pathlib import Path
from PIL import Image
from image_assets.renditions import load_recipes, render
from image_assets.renditions.rendering import memory_to_render
Image.MAX_IMAGE_PIXELS = None
recipes = load_recipes(Path(sys.argv[2]))
data = Path(sys.argv[1]).read_bytes()
render(Path(sys.argv[3]).read_bytes(), recipes)
def kilobytes(name):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])
Path("/proc/self/clear_refs").write_text("5")  # the peak is that of the parent until it is reset
before = kilobytes("VmRSS")
render(data, recipes)
print((kilobytes("VmHWM") - before) * 1024, memory_to_render(data, recipes))
"""


def large(mode: str = "RGB") -> Image.Image:
    return Image.linear_gradient("L").resize((WIDTH, HEIGHT)).convert(mode)


def sixteen_bit_png() -> bytes:
    row = b"\0" + np.linspace(0, 65_535, WIDTH * 3).astype(">u2").tobytes()
    compress = zlib.compressobj(1)
    pixels = b"".join(compress.compress(row) for _ in range(HEIGHT)) + compress.flush()
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), png_chunk(b"IDAT", pixels), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def ten_bit_avif() -> bytes:
    wide = pyvips.Image.new_from_array(np.asarray(large())).cast("ushort") * 257
    wide = wide.cast("ushort").copy(interpretation="rgb16")
    data: bytes = wide.heifsave_buffer(compression="av1", bitdepth=10, effort=0, subsample_mode="off")
    return data


def made(mode: str, format: str, **options: Any) -> Callable[[], bytes]:
    return lambda: encoded(large(mode), format, **options)


TURNED = Image.Exif()
TURNED[0x0112] = 6
FILES: dict[str, Callable[[], bytes]] = {
    "JPEG": made("RGB", "JPEG", exif=TURNED.tobytes()),
    "progressive JPEG": made("RGB", "JPEG", progressive=True),
    "progressive JPEG 4:4:4": made("RGB", "JPEG", progressive=True, subsampling=0),
    "CMYK JPEG": made("CMYK", "JPEG"),
    "PNG": made("RGB", "PNG", compress_level=1),
    "PNG with alpha": made("RGBA", "PNG", compress_level=1),
    "16-bit PNG": sixteen_bit_png,
    "GIF": made("P", "GIF"),
    "WebP": made("RGB", "WEBP", method=0),
    "lossless WebP": made("RGBA", "WEBP", lossless=True, method=0, quality=0),
    "AVIF": made("RGB", "AVIF", speed=10),
    "AVIF 4:4:4": made("RGB", "AVIF", speed=10, subsampling="4:4:4"),
    "AVIF of 10 bits": ten_bit_avif,
    "progressive CMYK JPEG": made("CMYK", "JPEG", progressive=True),
}
# Their decoders hold more, whoever calls them: such an image is rendered alone.
MORE = {"AVIF 4:4:4", "AVIF of 10 bits", "progressive CMYK JPEG"}


@pytest.mark.long
@pytest.mark.parametrize("kind", FILES)
def test_fifty_megapixels_take_no_more_than_400_megabytes_nor_than_was_foreseen(kind: str, tmp_path: Path) -> None:
    file, small = tmp_path / "large", tmp_path / "small"
    file.write_bytes(FILES[kind]())
    small.write_bytes(encoded(scene(), "JPEG"))
    recipes = Path(__file__).parents[2] / "renditions.yaml"
    arguments = [sys.executable, "-c", MEASURE, str(file), str(recipes), str(small)]
    printed = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    taken, foreseen = map(int, printed.split())
    print(f"{kind}: {taken / 1e6:.0f} MB, foreseen {foreseen / 1e6:.0f} MB")
    assert 50e6 < taken <= foreseen
    assert taken < 400e6 or kind in MORE
