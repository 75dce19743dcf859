"""Odd files: those that the screening accepts stop no later stage, and each is published."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from end_to_end.offers import entries, pictures
from end_to_end.world import World
from image_files import png_chunk
from partner_site import PartnerSite
from pictures import drawn
from PIL import Image

Edit = Callable[[Image.Image], bytes]


def saved(kind: str, image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def of_mode(mode: str, kind: str, image: Image.Image) -> bytes:
    return saved(kind, image.convert(mode))


def animated(kind: str, image: Image.Image) -> bytes:
    return saved(kind, image, save_all=True, append_images=[image.rotate(180), image.rotate(90)])


def with_chunk(kind: bytes, content: bytes, image: Image.Image) -> bytes:
    """A PNG with a chunk more, right behind the header."""
    data = saved("PNG", image)
    return data[:33] + png_chunk(kind, content) + data[33:]


def with_segment(number: int, content: bytes, image: Image.Image) -> bytes:
    """A JPEG with an APPn segment more, right at its start."""
    data = saved("JPEG", image)
    return data[:2] + bytes([0xFF, 0xE0 + number]) + struct.pack(">H", len(content) + 2) + content + data[2:]


def of_sixteen_bits(image: Image.Image) -> bytes:
    """A PNG of 16 bits a channel, with transparency."""
    values = np.asarray(image.convert("RGBA")).astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", image.width, image.height, 16, 6, 0, 0, 0)
    chunks = [png_chunk(b"IHDR", header), png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def with_transparent_colours(image: Image.Image) -> bytes:
    palette = image.quantize(16)
    return saved("PNG", palette, transparency=bytes(range(0, 256, 16)))


LOOP = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 0x8769, 4, 1, 8) + struct.pack("<I", 8)
FOUR_GIGABYTES = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 0x013B, 2, 2**32 - 1, 8) + bytes(4)
LAUGHS = b'http://ns.adobe.com/xap/1.0/\0<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'
CREDITS = b"Photoshop 3.0\x008BIM\x04\x04\0\0\xff\xff\xff\xff\x1c\x02"
ODD: dict[str, Edit] = {
    "grey": partial(of_mode, "L", "JPEG"),
    "cmyk": partial(of_mode, "CMYK", "JPEG"),
    "two colours": partial(of_mode, "1", "PNG"),
    "grey with transparency": partial(of_mode, "LA", "PNG"),
    "16 bits": of_sixteen_bits,
    "transparent colours": with_transparent_colours,
    "animated gif": partial(animated, "GIF"),
    "animated png": partial(animated, "PNG"),
    "animated webp": partial(animated, "WEBP"),
    "several pictures": partial(animated, "MPO"),
    "megabytes of text": partial(with_chunk, b"zTXt", b"left\0\0" + zlib.compress(bytes(5_000_000))),
    "a profile of nothing": partial(with_chunk, b"iCCP", b"icc\0\0" + zlib.compress(bytes(3_000_000))),
    "exif that is none": partial(with_chunk, b"eXIf", b"garbage"),
    "exif in circles": partial(with_segment, 1, LOOP),
    "exif of four gigabytes": partial(with_segment, 1, FOUR_GIGABYTES),
    "entities": partial(with_segment, 1, LAUGHS),
    "credits cut short": partial(with_segment, 13, CREDITS),
    "a directory of pictures that is none": partial(with_segment, 2, b"MPF\0II*\0\xff\xff\xff\xff"),
    "a profile that is none": partial(with_segment, 2, b"ICC_PROFILE\0\1\1" + bytes(200)),
}


def test_every_odd_picture_that_is_accepted_is_published(world: World, site: PartnerSite) -> None:
    urls = {site.serve(f"/{seed}", edit(drawn(seed, 400, 300))): name for seed, (name, edit) in enumerate(ODD.items())}
    world.offer("alpha", "w1", [{"accommodation_id": "1", "url": url} for url in urls])
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    published = {member["url"]: len(row["renditions"]) for row in world.manifest() for member in row["members"]}
    assert {name: published.get(url) for url, name in urls.items()} == dict.fromkeys(ODD, len(world.methods.recipes))


def test_sixteen_bit_and_transparent_pictures_are_told_apart(world: World, site: PartnerSite) -> None:
    urls = []
    for seed in range(2):
        grey = np.asarray(drawn(seed).convert("L")).astype(np.uint16) * 257
        urls.append(site.serve(f"/deep/{seed}.png", saved("PNG", Image.fromarray(grey))))
        shape = Image.new("RGBA", (640, 480), (0, 0, 0, 0))
        shape.putalpha(drawn(seed + 10).convert("L"))
        urls.append(site.serve(f"/alpha/{seed}.png", saved("PNG", shape)))
    world.offer("alpha", "w1", entries("1", urls))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    assert sorted(world.galleries()["H1"]) == sorted(urls)


def test_an_image_of_impossible_size_is_rejected_and_its_neighbours_are_kept(world: World, site: PartnerSite) -> None:
    header = struct.pack(">IIBBBBB", 2**32 - 1, 2**32 - 1, 8, 2, 0, 0, 0)
    huge = site.serve("/huge.png", b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header))
    good = pictures(site, "a", range(1))[0]
    world.offer("alpha", "w1", entries("1", [huge, good]))
    world.settle()
    assert world.outcomes("alpha")[0] == ("available", None, 1)
    assert world.outcomes("alpha")[1][0] == "rejected"
