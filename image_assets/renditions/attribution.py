"""Attribution: who made a picture and whose it is. All that is kept of a file's metadata.

Read from EXIF, XMP (dc:rights, dc:creator, photoshop:Credit), IPTC-IIM and PNG's text; written as the smallest EXIF and
XMP that say it. Everything else is left behind, positions above all. Does not belong here: pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from PIL import ExifTags, Image, ImageFile, IptcImagePlugin

_LONGEST = 1000  # characters of one statement
_LARGEST_XMP = 1_000_000
_DC = "{http://purl.org/dc/elements/1.1/}"
_PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"

_ASCII, _SHORT, _LONG = 2, 3, 4  # types of TIFF fields
_SRGB = 1  # EXIF's ColorSpace


@dataclass(frozen=True)
class Attribution:
    """What a file says, or "": the copyright notice, the artist (creator, by-line), and whom to credit."""

    copyright: str = ""
    artist: str = ""
    credit: str = ""


def read_attribution(image: Image.Image) -> Attribution:
    """The attribution of a file; EXIF before XMP before IPTC before text. Broken metadata counts as none."""
    sources = [_tidied(source) for source in _statements(image)]
    return Attribution(
        **{
            name: next((source[name] for source in sources if source.get(name)), "")
            for name in ("copyright", "artist", "credit")
        }
    )


def exif(attribution: Attribution, *, declare_srgb: bool) -> bytes:
    """An EXIF block that says what there is to say, and that the colours are sRGB; b"" when that is nothing.

    TIFF 6.0 in the order of bytes "II"; text as UTF-8, as EXIF 3.0 allows and everybody writes.
    """
    texts = {
        ExifTags.Base.Artist: attribution.artist.encode(),
        ExifTags.Base.Copyright: attribution.copyright.encode(),
    }
    fields = {tag: (_ASCII, text + b"\0") for tag, text in texts.items() if text}
    if not fields and not declare_srgb:
        return b""
    first = 8
    end = first + 2 + 12 * (len(fields) + declare_srgb) + 4
    entries, values = [], b""
    for tag in sorted(fields):
        kind, value = fields[tag]
        if len(value) <= 4:
            entries.append(struct.pack("<HHI4s", tag, kind, len(value), value))
        else:
            entries.append(struct.pack("<HHII", tag, kind, len(value), end + len(values)))
            values += value + b"\0" * (len(value) % 2)
    if declare_srgb:
        entries.append(struct.pack("<HHII", ExifTags.Base.ExifOffset, _LONG, 1, end + len(values)))
        values += struct.pack("<HHHIII", 1, ExifTags.Base.ColorSpace, _SHORT, 1, _SRGB, 0)
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 0)
    return b"Exif\0\0II*\0" + struct.pack("<I", first) + directory + values


def xmp(attribution: Attribution) -> bytes:
    """An XMP packet with the credit, which EXIF has no place for; b"" when there is none."""
    if not attribution.credit:
        return b""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
        f"photoshop:Credit={quoteattr(attribution.credit)}/></rdf:RDF></x:xmpmeta>"
    ).encode()


def _statements(image: Image.Image) -> Iterator[Mapping[str, Any]]:
    for read in (_from_exif, _from_xmp, _from_iptc, _from_text):
        try:
            yield read(image)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001  whatever a parser raises: a picture without attribution is still a picture
            continue


def _from_exif(image: Image.Image) -> Mapping[str, Any]:
    tags = image.getexif()
    # Pillow reads text as Latin-1; most write UTF-8.
    read = {"copyright": tags.get(ExifTags.Base.Copyright), "artist": tags.get(ExifTags.Base.Artist)}
    return {name: value.encode("latin-1") if isinstance(value, str) else value for name, value in read.items()}


def _from_xmp(image: Image.Image) -> Mapping[str, Any]:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    packet = packet.encode() if isinstance(packet, str) else packet
    # No packet needs entities of its own, and they are the way to make a parser work for ever.
    if not packet or len(packet) > _LARGEST_XMP or b"<!" in packet.replace(b"<!--", b""):
        return {}
    root = ElementTree.fromstring(packet.strip(b"\0 \n\r\t"))
    found: dict[str, Any] = {}
    for name, tag in (("copyright", f"{_DC}rights"), ("artist", f"{_DC}creator"), ("credit", f"{_PHOTOSHOP}Credit")):
        for node in root.iter(f"{_RDF}Description"):
            element = node.find(tag)
            items = [] if element is None else [item.text for item in element.iter(f"{_RDF}li") if item.text]
            text = node.get(tag) or ", ".join(items) or ("" if element is None else element.text)
            found.setdefault(name, text) if text and text.strip() else None
    return found


def _from_iptc(image: Image.Image) -> Mapping[str, Any]:
    records = (IptcImagePlugin.getiptcinfo(image) if isinstance(image, ImageFile.ImageFile) else None) or {}
    return {"copyright": records.get((2, 116)), "artist": records.get((2, 80)), "credit": records.get((2, 110))}


def _from_text(image: Image.Image) -> Mapping[str, Any]:
    return {"copyright": image.info.get("Copyright"), "artist": image.info.get("Author")}


def _tidied(source: Mapping[str, Any]) -> dict[str, str]:
    return {name: _text(value) for name, value in source.items()}


def _text(value: object) -> str:
    """One line of printable characters; "" for what is no text."""
    if isinstance(value, list):
        return _text(b", ".join(each for each in value if isinstance(each, bytes)))
    if isinstance(value, bytes):
        try:
            return _text(value.decode())
        except UnicodeDecodeError:
            return _text(value.decode("latin-1"))
    if not isinstance(value, str):
        return ""
    # EXIF separates the photographer's and the editor's copyright by a zero byte.
    printable = "".join(c if c.isprintable() else " " for c in value)
    return " ".join(printable.split())[:_LONGEST]
