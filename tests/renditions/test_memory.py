"""Memory: bounded, whatever the file, and known before. (What is done with that is `test_making`'s.)"""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import pyvips
from image_files import one_scan_a_colour, png_chunk
from PIL import Image
from rendered_scenes import encoded, scene

from image_assets.raw_images import ScreeningLimits, screen
from image_assets.raw_images.verdicts import ImageFormat
from image_assets.renditions import Recipe, RenderingFailed, render
from image_assets.renditions.rendering import memory_to_render

Size = tuple[int, int]

EVERY_KIND = ScreeningLimits(formats=get_args(ImageFormat), decode_seconds=60)
FIFTY_MEGAPIXELS, THIRTY_MEGAPIXELS = (8160, 6120), (6320, 4740)
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


def large(size: Size, mode: str = "RGB") -> Image.Image:
    return Image.linear_gradient("L").resize(size).convert(mode)


def half_transparent(size: Size) -> Image.Image:
    image = large(size, "RGBA")
    image.putalpha(image.getchannel("R"))
    return image


def sixteen_bit_png(size: Size) -> bytes:
    width, height = size
    row = b"\0" + np.linspace(0, 65_535, width * 3).astype(">u2").tobytes()
    compress = zlib.compressobj(1)
    pixels = b"".join(compress.compress(row) for _ in range(height)) + compress.flush()
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), png_chunk(b"IDAT", pixels), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def sixteen_bit_tiff(size: Size) -> bytes:
    wide = (pyvips.Image.new_from_array(np.asarray(large(size))).cast("ushort") * 257).cast("ushort")
    data: bytes = wide.copy(interpretation="rgb16").tiffsave_buffer(compression="lzw", tile=True)
    return data


def ten_bit_avif(size: Size) -> bytes:
    wide = pyvips.Image.new_from_array(np.asarray(large(size))).cast("ushort") * 257
    wide = wide.cast("ushort").copy(interpretation="rgb16")
    data: bytes = wide.heifsave_buffer(compression="av1", bitdepth=10, effort=0, subsample_mode="off")
    return data


def animated_webp(size: Size) -> bytes:
    """Its first frame is smaller than the canvas: Pillow leaves out the rows that nobody sees."""
    return encoded(half_transparent(size), "WEBP", method=0, save_all=True, append_images=[Image.new("RGB", size)])


def made(mode: str, format: str, **options: Any) -> Callable[[Size], bytes]:
    return lambda size: encoded(large(size, mode), format, **options)


TURNED = Image.Exif()
TURNED[0x0112] = 6
FILES: dict[str, Callable[[Size], bytes]] = {
    "JPEG": made("RGB", "JPEG", exif=TURNED.tobytes()),
    "progressive JPEG": made("RGB", "JPEG", progressive=True),
    "progressive JPEG 4:4:4": made("RGB", "JPEG", progressive=True, subsampling=0),
    "JPEG of a scan for each colour": lambda size: one_scan_a_colour(large(size, "L")),
    "CMYK JPEG": made("CMYK", "JPEG"),
    "PNG": made("RGB", "PNG", compress_level=1),
    "PNG with alpha": made("RGBA", "PNG", compress_level=1),
    "16-bit PNG": sixteen_bit_png,
    "GIF": made("P", "GIF"),
    "WebP": made("RGB", "WEBP", method=0),
    "lossless WebP": made("RGBA", "WEBP", lossless=True, method=0, quality=0),
    "AVIF": made("RGB", "AVIF", speed=10),
    "TIFF": made("RGB", "TIFF", compression="tiff_lzw"),
    "TIFF of one strip": made("RGB", "TIFF", compression="tiff_adobe_deflate", strip_size=2**30),
    "CMYK TIFF": made("CMYK", "TIFF"),
    "16-bit TIFF of tiles": sixteen_bit_tiff,
    "BMP": made("RGB", "BMP"),
    "JPEG 2000 of tiles": made("RGB", "JPEG2000", tile_size=(1024, 1024)),
    "grey JPEG 2000": made("L", "JPEG2000"),
}
# Their decoders hold more than 400 MB of a picture of 50 megapixels, whoever calls them.
HUNGRY: dict[str, Callable[[Size], bytes]] = {
    "AVIF 4:4:4": made("RGB", "AVIF", speed=10, subsampling="4:4:4"),
    "AVIF of 10 bits": ten_bit_avif,
    "AVIF with alpha": lambda size: encoded(half_transparent(size), "AVIF", speed=10),
    "progressive CMYK JPEG": made("CMYK", "JPEG", progressive=True),
    "animated WebP": animated_webp,
    "turned TIFF": made("RGB", "TIFF", compression="tiff_lzw", tiffinfo={0x0112: 6}),
    "CMYK TIFF of one strip": made("CMYK", "TIFF", compression="tiff_lzw", strip_size=2**30),
    "JPEG 2000": made("RGB", "JPEG2000"),
}
SMALLER: dict[str, Size] = {"JPEG 2000": (4800, 3600)}


def taken_and_foreseen(
    data: bytes, folder: Path, recipes: Path = Path(__file__).parents[2] / "renditions.yaml"
) -> tuple[int, int]:
    """Bytes that rendering a file took in a process of its own, and that were foreseen by its header."""
    file, small = folder / "large", folder / "small"
    file.write_bytes(data)
    small.write_bytes(encoded(scene(), "JPEG"))
    arguments = [sys.executable, "-c", MEASURE, str(file), str(recipes), str(small)]
    printed = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    taken, foreseen = map(int, printed.split())
    print(f"{taken / 1e6:.0f} MB, foreseen {foreseen / 1e6:.0f} MB")
    return taken, foreseen


@pytest.mark.long
@pytest.mark.parametrize("kind", FILES)
def test_fifty_megapixels_take_no_more_than_400_megabytes_nor_than_was_foreseen(kind: str, tmp_path: Path) -> None:
    taken, foreseen = taken_and_foreseen(FILES[kind](FIFTY_MEGAPIXELS), tmp_path)
    assert 50e6 < taken <= foreseen <= 400e6


@pytest.mark.long
@pytest.mark.parametrize("kind", HUNGRY)
def test_a_picture_whose_decoder_would_hold_more_is_rendered_only_when_it_is_smaller(kind: str, tmp_path: Path) -> None:
    hungry = HUNGRY[kind](FIFTY_MEGAPIXELS)
    with pytest.raises(RenderingFailed, match=r"it needs \d{3} MB of memory, 400 MB are allowed"):
        render(hungry, [Recipe("a", 100, 100)])
    assert screen(hungry, EVERY_KIND).reason == "decoder_memory"
    smaller = HUNGRY[kind](SMALLER.get(kind, THIRTY_MEGAPIXELS))
    assert screen(smaller, EVERY_KIND).accepted
    taken, foreseen = taken_and_foreseen(smaller, tmp_path)
    assert 50e6 < taken <= foreseen <= 400e6


def noise(size: Size) -> bytes:
    """What encoders take most memory for."""
    values = np.random.default_rng(5).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return encoded(Image.fromarray(values), compress_level=1)


LARGE_RECIPES = {
    "full screen of 4K": ("width: 3840, height: 2880, contrast: 1.1", lambda: FILES["JPEG"](FIFTY_MEGAPIXELS)),
    "the size of the original": ("width: 9000, height: 9000", lambda: FILES["JPEG"]((6000, 4000))),
    "with contrast": ("width: 9000, height: 9000, contrast: 1.1", lambda: FILES["JPEG"]((5000, 4000))),
    "enlarged": ("width: 5000, height: 4000, enlarge: true, contrast: 1.1", lambda: FILES["JPEG"]((1600, 1280))),
    "enlarged little": ("width: 4800, height: 3600, enlarge: true, sharpen: 50", lambda: FILES["JPEG"]((4000, 3000))),
    "progressive": ("width: 4000, height: 4000, progressive: true", lambda: noise((4000, 3000))),
    "progressive 4:4:4": (
        "width: 4000, height: 4000, progressive: true, subsampling: '4:4:4', quality: 95",
        lambda: noise((4000, 3000)),
    ),
    "WebP": ("width: 4000, height: 4000, format: webp, effort: 3, quality: 90", lambda: noise((2300, 1725))),
    "large WebP": ("width: 4000, height: 4000, format: webp, effort: 6, quality: 95", lambda: noise((4000, 3000))),
    "AVIF": ("width: 4000, height: 4000, format: avif, speed: 10, quality: 90", lambda: noise((2800, 2100))),
}


@pytest.mark.long
@pytest.mark.parametrize("kind", LARGE_RECIPES)
def test_large_renditions_take_no_more_than_400_megabytes_nor_than_was_foreseen(kind: str, tmp_path: Path) -> None:
    fields, made = LARGE_RECIPES[kind]
    recipes = tmp_path / "renditions.yaml"
    recipes.write_text(f"recipes: [{{name: large, {fields}}}]")
    taken, foreseen = taken_and_foreseen(made(), tmp_path, recipes)
    assert foreseen / 3 < taken <= foreseen <= 400e6


def test_a_rendition_that_would_take_more_memory_than_is_allowed_is_refused_by_its_name() -> None:
    recipe = Recipe("huge", 7000, 7000, enlarge=True, contrast=1.1)
    with pytest.raises(RenderingFailed, match=r"^rendition huge needs \d{3} MB of memory, 400 MB are allowed$"):
        render(encoded(scene(2400, 1800), "JPEG"), [Recipe("small", 75, 75), recipe])


def test_a_large_file_is_decoded_smaller_for_a_rendition_that_leaves_no_room_for_all_of_it() -> None:
    data = FILES["JPEG"](FIFTY_MEGAPIXELS)
    recipe = Recipe("4k", 3840, 2880, contrast=1.1)
    assert memory_to_render(data, [recipe]) < 250e6, "as a whole it takes 400 MB to decode and convert"
    rendition = render(data, [recipe])["4k"]
    assert (rendition.width, rendition.height) == (2160, 2880), "it lies on its side"
