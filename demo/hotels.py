"""Who plays: a dozen hotels with the pictures that exist of them, and four partners with their ways of having them.

Does not belong here: what a partner offers in which week (scenario).
"""

from __future__ import annotations

from dataclasses import dataclass

from demo.edits import Edit
from demo.photographs import Picture


@dataclass(frozen=True)
class Hotel:
    """A hotel as it really is: its id in the data release, and its distinct pictures. `town` goes into URLs."""

    hotel_id: str
    town: str
    name: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Partner:
    """A supplier: the format of its catalogues, how it names a hotel, and how it has the pictures.

    edits: taken in turn, one a picture. accommodations: town -> the partner's own id of the hotel.
    """

    partner_id: str
    story: str
    catalogue_format: str
    edits: tuple[Edit, ...]
    accommodations: dict[str, str]


def _pictures(names: str) -> tuple[Picture, ...]:
    """Pictures by name; `~` in front means mirrored."""
    return tuple(Picture(name.lstrip("~"), name.startswith("~")) for name in names.split())


# No two pictures of a hotel look alike: the tests compare them.
HOTELS = (
    Hotel(
        "es-bio-0001",
        "bilbao-casco",
        "Hotel Arenal, Bilbao",
        _pictures("lilac-bedroom cafe-bar wooden-stairs plant-den orange-flowers picture-wall"),
    ),
    Hotel(
        "es-bio-0002",
        "bilbao-abando",
        "Abando Suites, Bilbao",
        _pictures("black-bedroom red-windows leather-chair sideboard white-arch"),
    ),
    Hotel(
        "es-bcn-0117",
        "barcelona",
        "Casa de Gràcia, Barcelona",
        _pictures("fairy-lights draped-sofa pink-terrace guitar-bedroom dried-flowers"),
    ),
    Hotel(
        "es-val-0040",
        "valencia",
        "El Carmen Rooms, Valencia",
        _pictures("armchair-corner white-dining kitchen-corner breakfast-tray"),
    ),
    Hotel("pt-lis-0311", "lisboa", "Alfama Terrace, Lisboa", _pictures("two-chairs neon-lounge bookshelf linen-bed")),
    Hotel("pt-opo-0008", "porto", "Ribeira 8, Porto", _pictures("reading-table walnut-cabinet stool-lamp flower-vase")),
    Hotel("de-ber-0920", "berlin", "Spreeufer, Berlin", _pictures("white-sofa sink-and-leaves floor-lamp leaf-table")),
    Hotel("fr-par-1204", "paris", "Canal Lodge, Paris", _pictures("white-chair coffee-table open-book kitchen-sink")),
    Hotel(
        "it-flr-0077",
        "firenze",
        "Oltrarno, Firenze",
        _pictures("~fairy-lights ~armchair-corner ~walnut-cabinet ~sideboard"),
    ),
    Hotel(
        "gb-edi-0033",
        "edinburgh",
        "Leith Walk Inn, Edinburgh",
        _pictures("~draped-sofa ~black-bedroom ~red-windows ~dried-flowers"),
    ),
    Hotel(
        "dk-cph-0502",
        "københavn",
        "Nyhavn Loft, København",
        _pictures("~leather-chair ~linen-bed ~white-dining ~two-chairs"),
    ),
    Hotel(
        "at-vie-0415",
        "wien",
        "Am Prater, Wien",
        _pictures("~wooden-stairs ~plant-den ~bookshelf ~picture-wall"),
    ),
)

_ORIGINAL = Edit(long_side=1440, quality=90)

ATLAS = Partner(
    "atlas",
    "a wholesaler with the hotels' own pictures, large and clean",
    "jsonl.gz",
    (_ORIGINAL,),
    {hotel.town: f"at-{1001 + i}" for i, hotel in enumerate(HOTELS)},
)
COSTA = Partner(
    "costa-stays",
    "puts its name on every picture",
    "csv",
    (
        Edit(long_side=1280, quality=80, watermark="© costa-stays"),
        Edit(long_side=1280, quality=80, brightness=1.06, watermark="© costa-stays"),
    ),
    {
        town: f"{123 + 7 * i:04d}"
        for i, town in enumerate(
            ("bilbao-casco", "bilbao-abando", "barcelona", "valencia", "lisboa", "porto", "firenze", "edinburgh")
        )
    },
)
NORDLICHT = Partner(
    "nordlicht",
    "passes on some of atlas's files as they are, darkens others, and stores phone pictures sideways",
    "parquet",
    (
        _ORIGINAL,
        Edit(long_side=1024, quality=70, brightness=0.85),
        Edit(long_side=1100, quality=75, sideways=True),
        Edit(long_side=960, quality=70, stretch=1.06),
    ),
    {town: f"${town}" for town in ("lisboa", "porto", "berlin", "paris", "firenze", "edinburgh", "københavn", "wien")},
)
NANDU = Partner(
    "viajes-ñandú",
    "crops every picture, then squeezes it",
    "jsonl",
    (
        Edit(crop=0.1, long_side=900, quality=45),
        Edit(crop=0.2, long_side=900, quality=40),
        Edit(crop=0.3, long_side=820, quality=40),
    ),
    {
        "bilbao-casco": "bilbao-hot1",
        "bilbao-abando": "bilbao-hot2",
        **{town: f"{town}-hot1" for town in ("barcelona", "valencia", "berlin", "paris", "københavn", "wien")},
    },
)
PARTNERS = (ATLAS, COSTA, NORDLICHT, NANDU)
