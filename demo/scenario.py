"""The play: what each partner offers in week one and in week two, which trouble its server makes, who is one hotel.

Values only: nothing is fetched, written or counted here. Files are made by `catalogue_files`, answers by
`partner_server`, and what must come out of it all by `expectations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any
from urllib.parse import quote

from demo.edits import Edit
from demo.hotels import ATLAS, COSTA, HOTELS, NANDU, NORDLICHT, PARTNERS, Hotel, Partner
from demo.photographs import Picture


class Trouble(Enum):
    """What a partner's server does instead of sending the picture."""

    NOT_FOUND = "404"
    ONCE_500 = "500, then fine"
    ALWAYS_500 = "500 every time"
    HTML = "a web page instead of a picture"
    TRUNCATED = "a JPEG that breaks off"
    TOO_SMALL = "a thumbnail"
    BOMB = "a decompression bomb"


@dataclass(frozen=True)
class Offer:
    """One entry of a partner's catalogue, and what its URL answers. `path` is the URL without the host."""

    accommodation_id: str
    path: str
    picture: Picture
    edit: Edit
    position: int
    version: str | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True)
class Catalogue:
    """All that a partner offers.

    bad_rows: rows that cannot be used, as fields or as a raw line. A URL that starts with `/` is on the partner's
    server.
    """

    partner_id: str
    catalogue_format: str
    offers: tuple[Offer, ...]
    bad_rows: tuple[Mapping[str, Any] | str, ...] = ()


@dataclass(frozen=True)
class Week:
    """One week: the catalogues in force, the partners who handed in a new one, and the data release.

    hotels: hotel id -> its accommodations as (partner, accommodation id). unusable_rows: further rows of the release
    that must be refused.
    """

    week_id: str
    catalogues: Mapping[str, Catalogue]
    handed_in: frozenset[str]
    hotels: Mapping[str, tuple[tuple[str, str], ...]]
    unusable_rows: tuple[tuple[str, str, str], ...]


def two_weeks() -> tuple[Week, Week]:
    """Week one, in which all is new, and week two, in which a little has changed."""
    first = _week_one()
    return first, _week_two(first)


def _offers(partner: Partner, hotel: Hotel) -> list[Offer]:
    """What a partner has of a hotel: not all the pictures, and in an order of its own."""
    pictures = {
        COSTA.partner_id: hotel.pictures[:-1],
        NORDLICHT.partner_id: hotel.pictures[::-1],
        NANDU.partner_id: hotel.pictures[1:],
    }.get(partner.partner_id, hotel.pictures)
    return [_offer(partner, hotel, number, picture) for number, picture in enumerate(pictures, start=1)]


def _offer(partner: Partner, hotel: Hotel, number: int, picture: Picture, trouble: Trouble | None = None) -> Offer:
    return Offer(
        accommodation_id=partner.accommodations[hotel.town],
        path=_path(partner, hotel.town, number),
        picture=picture,
        edit=partner.edits[(number - 1) % len(partner.edits)],
        position=number,
        version="2026-10-28" if partner is ATLAS else None,
        trouble=trouble,
    )


def _path(partner: Partner, town: str, number: int) -> str:
    return "/" + quote(f"{partner.partner_id}/{partner.accommodations[town]}/{number:02d}.jpg")


def _hotel(town: str) -> Hotel:
    return next(hotel for hotel in HOTELS if hotel.town == town)


# Pictures nobody gets to see: (partner, town, number in its URL, trouble).
_LOST = (
    (ATLAS, "barcelona", 11, Trouble.NOT_FOUND),
    (ATLAS, "wien", 11, Trouble.ALWAYS_500),
    (COSTA, "lisboa", 11, Trouble.HTML),
    (COSTA, "porto", 11, Trouble.TOO_SMALL),
    (COSTA, "porto", 12, Trouble.NOT_FOUND),
    (NORDLICHT, "firenze", 11, Trouble.TRUNCATED),
    (NORDLICHT, "edinburgh", 11, Trouble.BOMB),
    (NANDU, "berlin", 11, Trouble.TRUNCATED),
)
# Pictures that are there, behind a server with a bad day: (partner, town, number, trouble in week one).
_SHAKY = (
    (ATLAS, "porto", 2, Trouble.ONCE_500),
    (COSTA, "valencia", 1, Trouble.ONCE_500),
    (NORDLICHT, "københavn", 3, Trouble.ONCE_500),
    (NANDU, "paris", 2, Trouble.ALWAYS_500),  # back in week two
)


def _week_one() -> Week:
    offers = {
        partner.partner_id: [offer for town in partner.accommodations for offer in _offers(partner, _hotel(town))]
        for partner in PARTNERS
    }
    for partner, town, number, trouble in _LOST:
        hotel = _hotel(town)
        offers[partner.partner_id].append(_offer(partner, hotel, number, hotel.pictures[0], trouble))
    for partner, town, number, trouble in _SHAKY:
        path = _path(partner, town, number)
        offers[partner.partner_id] = [
            replace(offer, trouble=trouble) if offer.path == path else offer for offer in offers[partner.partner_id]
        ]
    catalogues = {
        partner.partner_id: Catalogue(
            partner.partner_id,
            partner.catalogue_format,
            tuple(offers[partner.partner_id]),
            _BAD_ROWS.get(partner.partner_id, ()),
        )
        for partner in PARTNERS
    }
    hotels = {
        hotel.hotel_id: tuple(
            (partner.partner_id, partner.accommodations[hotel.town])
            for partner in PARTNERS
            if hotel.town in partner.accommodations
        )
        for hotel in HOTELS
    }
    # In week one the matching takes ñandú's second hotel in Bilbao for the first one.
    moved = (NANDU.partner_id, NANDU.accommodations["bilbao-abando"])
    hotels = _moved(hotels, moved, _hotel("bilbao-casco").hotel_id)
    # And it knows an accommodation that its partner has never offered.
    oltrarno = _hotel("firenze").hotel_id
    hotels[oltrarno] = (*hotels[oltrarno], (NORDLICHT.partner_id, "$firenze-annex"))
    return Week(
        week_id="2026-W45",
        catalogues=catalogues,
        handed_in=frozenset(catalogues),
        hotels=hotels,
        unusable_rows=(("", ATLAS.partner_id, "at-9999"),),
    )


# Rows that cannot be used: a line cut short, no URL, a URL that is not HTTP, no accommodation, a row given twice.
_BAD_ROWS: Mapping[str, tuple[Mapping[str, Any] | str, ...]] = {
    ATLAS.partner_id: ('{"accommodation_id": "at-1001", "url": "http://127',),
    COSTA.partner_id: (
        {"accommodation_id": "0123", "url": ""},
        {"accommodation_id": "0130", "url": "ftp://costa.example/lobby.jpg"},
    ),
    NORDLICHT.partner_id: ({"accommodation_id": None, "url": "http://127.0.0.1/nowhere.jpg"},),
    NANDU.partner_id: ({"accommodation_id": "bilbao-hot1", "url": _path(NANDU, "bilbao-casco", 1)},),
}


def _moved(
    hotels: Mapping[str, tuple[tuple[str, str], ...]], accommodation: tuple[str, str], hotel_id: str
) -> dict[str, tuple[tuple[str, str], ...]]:
    """The same hotels with one accommodation in another hotel."""
    without = {
        other: tuple(known for known in accommodations if known != accommodation)
        for other, accommodations in hotels.items()
    }
    return {**without, hotel_id: (*without[hotel_id], accommodation)}


def _week_two(first: Week) -> Week:
    """nordlicht sends nothing new; ñandú's hotel in Bilbao moves to where it belongs; the rest see below."""
    berlin = replace(COSTA, accommodations={**COSTA.accommodations, "berlin": "0200"})
    catalogues = {
        **first.catalogues,
        ATLAS.partner_id: _atlas_week_two(first.catalogues[ATLAS.partner_id]),
        COSTA.partner_id: _with_offers(
            first.catalogues[COSTA.partner_id], added=_offers(berlin, _hotel("berlin")), dropped=frozenset()
        ),
        NANDU.partner_id: _nandu_week_two(first.catalogues[NANDU.partner_id]),
    }
    hotels = _moved(
        first.hotels,
        (NANDU.partner_id, NANDU.accommodations["bilbao-abando"]),
        _hotel("bilbao-abando").hotel_id,
    )
    spreeufer = _hotel("berlin").hotel_id
    hotels[spreeufer] = (*hotels[spreeufer], (COSTA.partner_id, "0200"))
    return Week(
        week_id="2026-W46",
        catalogues=catalogues,
        handed_in=frozenset((ATLAS.partner_id, COSTA.partner_id, NANDU.partner_id)),
        hotels=hotels,
        unusable_rows=first.unusable_rows,
    )


def _atlas_week_two(catalogue: Catalogue) -> Catalogue:
    """Two new pictures of Porto; three pictures taken anew, behind their old URLs."""
    porto = _hotel("porto")
    retaken = {
        _path(ATLAS, "barcelona", 1): Picture("white-arch", mirrored=True),
        _path(ATLAS, "paris", 1): Picture("lilac-bedroom", mirrored=True),
        _path(ATLAS, "paris", 2): Picture("guitar-bedroom", mirrored=True),
    }
    offers = tuple(
        replace(offer, picture=retaken[offer.path], version="2026-11-04") if offer.path in retaken else offer
        for offer in catalogue.offers
    )
    added = [
        _offer(ATLAS, porto, 5, Picture("orange-flowers", mirrored=True)),
        _offer(ATLAS, porto, 6, Picture("pink-terrace", mirrored=True)),
    ]
    return _with_offers(replace(catalogue, offers=offers), added=added, dropped=frozenset())


def _nandu_week_two(catalogue: Catalogue) -> Catalogue:
    """Its pictures of Valencia are gone, and one of Barcelona; the server that always failed has recovered."""
    valencia = NANDU.accommodations["valencia"]
    barcelona = _path(NANDU, "barcelona", 3)
    dropped = frozenset(
        offer.path for offer in catalogue.offers if offer.accommodation_id == valencia or offer.path == barcelona
    )
    offers = tuple(
        replace(offer, trouble=None) if offer.trouble is Trouble.ALWAYS_500 else offer for offer in catalogue.offers
    )
    return _with_offers(replace(catalogue, offers=offers), added=[], dropped=dropped)


def _with_offers(catalogue: Catalogue, added: list[Offer], dropped: frozenset[str]) -> Catalogue:
    """The catalogue without the offers at the `dropped` paths, with the `added` ones, and with no bad rows."""
    kept = tuple(offer for offer in catalogue.offers if offer.path not in dropped)
    return replace(catalogue, offers=(*kept, *added), bad_rows=())
