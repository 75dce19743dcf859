"""Metadata: copyright and credit stay, sRGB is declared, nothing else goes out."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from PIL import ExifTags, Image, PngImagePlugin
from rendered_scenes import encoded, opened, scene

from image_assets.renditions import Recipe, render
from image_assets.renditions.attribution import Attribution, read_attribution

FORMATS = ["jpeg", "webp", "avif"]
EXIF_SOURCES = ["JPEG", "PNG", "WEBP", "AVIF"]
PACKET = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="41,24.2028N" photoshop:City="a secret place"
 photoshop:Credit="Hôtel &amp; Co">
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© 2026 Jo</rdf:li></rdf:Alt></dc:rights>
<dc:creator><rdf:Seq><rdf:li>Jo</rdf:li><rdf:li>Mia</rdf:li></rdf:Seq></dc:creator>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def recipe(format: str) -> Recipe:
    return Recipe("r", 200, 150, format=format, speed=10)


def rendered(data: bytes, format: str) -> bytes:
    return render(data, [recipe(format)])["r"].data


def exif_of_a_camera() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Copyright] = "(c) 2026 Jo"
    exif[ExifTags.Base.Artist] = "Jo"
    exif[ExifTags.Base.ImageDescription] = "a secret place"
    exif[ExifTags.Base.Model] = "a secret camera"
    exif[ExifTags.Base.Orientation] = 3
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = "N", (41.0, 24.0, 12.0)
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"a secret comment"
    return exif


def attribution_of(data: bytes) -> Attribution:
    image = Image.open(io.BytesIO(data))
    image.load()
    return read_attribution(image)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("source", EXIF_SOURCES)
def test_only_copyright_and_artist_of_the_exif_are_left(source: str, format: str) -> None:
    data = encoded(scene(400, 300), source, exif=exif_of_a_camera().tobytes())
    assert b"secret" in data
    result = rendered(data, format)
    exif = Image.open(io.BytesIO(result)).getexif()
    left = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    left.pop(ExifTags.Base.ExifOffset, None)
    left.pop(ExifTags.Base.ColorSpace, None)
    assert left == {ExifTags.Base.Copyright: "(c) 2026 Jo", ExifTags.Base.Artist: "Jo"}
    assert not exif.get_ifd(ExifTags.IFD.GPSInfo)
    assert b"secret" not in result


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("source", ["JPEG", "WEBP", "AVIF"])
def test_copyright_creator_and_credit_of_the_xmp_are_kept(source: str, format: str) -> None:
    result = rendered(encoded(scene(400, 300), source, xmp=PACKET.encode()), format)
    assert attribution_of(result) == Attribution("© 2026 Jo", "Jo, Mia", "Hôtel & Co")
    for hidden in (b"secret", b"GPS", b"41,24"):
        assert hidden not in result


def with_iptc(data: bytes, records: dict[int, str]) -> bytes:
    """A JPEG with IPTC-IIM records of dataset 2, as Photoshop writes them (APP13)."""
    iim = b"".join(struct.pack(">BBBH", 0x1C, 2, n, len(t.encode())) + t.encode() for n, t in records.items())
    resource = b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(iim)) + iim + bytes(len(iim) % 2)
    content = b"Photoshop 3.0\0" + resource
    return data[:2] + b"\xff\xed" + struct.pack(">H", len(content) + 2) + content + data[2:]


@pytest.mark.parametrize("format", FORMATS)
def test_byline_copyright_and_credit_of_the_iptc_are_kept(format: str) -> None:
    records = {80: "Jo", 90: "a secret place", 110: "Hotel & Co", 116: "(c) Jo"}
    result = rendered(with_iptc(encoded(scene(400, 300), "JPEG"), records), format)
    assert attribution_of(result) == Attribution("(c) Jo", "Jo", "Hotel & Co")
    assert b"secret" not in result


def test_text_of_a_png_is_read() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "Jo")
    text.add_itxt("Copyright", "© Jo")
    text.add_text("Comment", "a secret comment")
    result = rendered(encoded(scene(400, 300), "PNG", pnginfo=text), "jpeg")
    assert attribution_of(result) == Attribution("© Jo", "Jo", "")
    assert b"secret" not in result


def test_exif_comes_before_xmp() -> None:
    data = encoded(scene(400, 300), "JPEG", exif=exif_of_a_camera(), xmp=PACKET.encode())
    assert attribution_of(rendered(data, "jpeg")) == Attribution("(c) 2026 Jo", "Jo", "Hôtel & Co")


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_without_attribution_gets_none(format: str) -> None:
    data = encoded(scene(400, 300), "JPEG", comment=b"a secret comment", dpi=(300, 300))
    result = rendered(data, format)
    assert attribution_of(result) == Attribution()
    assert b"secret" not in result
    assert "icc_profile" not in opened(render(data, [recipe(format)])["r"]).info


def test_srgb_is_declared_in_each_format_as_cheaply_as_it_can() -> None:
    data = encoded(scene(400, 300))
    exif = Image.open(io.BytesIO(rendered(data, "jpeg"))).getexif()
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] == 1
    # Code points 1/13: primaries of BT.709, curve of sRGB (ISO 23091-2), in a colour box of kind nclx.
    assert b"nclx\0\x01\0\x0d" in rendered(data, "avif")
    # A WebP without a profile is sRGB.
    assert rendered(data, "webp")[12:16] == b"VP8 "


@pytest.mark.parametrize(
    "options",
    [
        {"xmp": b"<x:xmpmeta"},
        {"xmp": b"\xff\xfe broken"},
        {"xmp": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'},
        {"exif": b"Exif\0\0II*\0\x08\0\0\0\xff\xff broken"},
    ],
    ids=["XMP cut off", "XMP of noise", "XMP with entities", "EXIF of noise"],
)
def test_broken_metadata_does_not_spoil_a_picture(options: dict[str, Any]) -> None:
    result = rendered(encoded(scene(400, 300), "JPEG", **options), "jpeg")
    assert attribution_of(result) == Attribution()


def test_endless_and_unprintable_statements_are_tidied() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Copyright] = "Jo\x07\n" + "x" * 5000
    found = attribution_of(rendered(encoded(scene(400, 300), "JPEG", exif=exif), "jpeg"))
    assert found.copyright.startswith("Jo xxx")
    assert len(found.copyright) == 1000
