"""The gallery page: what a person looks at to judge an image release.

Belongs here: what the page shows and its links. Does not belong here: which hotels it shows in full (the asset), and
the looks (gallery.html.j2).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

import jinja2
import pandas as pd

from image_assets.image_release.summary import ReleaseSummary
from resources.object_store import raw_image_key

GALLERY_HOTELS = 200
"""How many hotels the page shows."""

_PICTURE_WIDTH = 640  # pixels: a card on a dense screen
_THUMBNAIL_WIDTH = 150
_COPIES_SHOWN = 3  # beneath a picture; further ones unfold


@dataclass(frozen=True)
class GalleryRendition:
    """A rendition of a published picture: its recipe, key in the store, size in pixels and bytes, and format."""

    recipe: str
    key: str
    width: int
    height: int
    bytes: int
    format: str


@dataclass(frozen=True)
class GalleryCopy:
    """A catalogue entry that a published picture stands for; `sha256` in hex."""

    sha256: str
    partner_id: str
    accommodation_id: str
    url: str


@dataclass(frozen=True)
class GalleryPicture:
    """A published picture: where it stands and why, its renditions, and the copies it stands for.

    `width` and `height` are the original's, in pixels; `score` and the values of `score_parts` lie between 0 and 1.
    """

    position: int
    image_group_id: str
    published: GalleryCopy
    width: int
    height: int
    score: float
    score_parts: tuple[tuple[str, float], ...]
    renditions: tuple[GalleryRendition, ...]
    copies: tuple[GalleryCopy, ...]


@dataclass(frozen=True)
class GalleryHotel:
    """A hotel and its published pictures in order."""

    hotel_id: str
    pictures: tuple[GalleryPicture, ...]


def gallery_hotels(
    hotel_ids: Sequence[str], priorities: pd.DataFrame, members: pd.DataFrame, renditions: pd.DataFrame
) -> list[GalleryHotel]:
    """The hotels of the page from the manifest's tables (see `manifest_batch`), which may hold many others.

    The columns of `priorities` whose names begin with `part_` are the parts of the score, in the order of the table.
    """
    priorities = priorities[priorities["hotel_id"].isin(hotel_ids)]
    members = members[members["hotel_id"].isin(hotel_ids)]
    renditions = renditions[renditions["sha256"].isin(priorities["sha256"])]
    parts = [str(column) for column in priorities.columns if str(column).startswith("part_")]
    renditions_of: dict[str, list[GalleryRendition]] = {}
    for row in renditions.sort_values("recipe", kind="stable").to_dict("records"):
        rendition = GalleryRendition(
            row["recipe"], row["key"], row["width"], row["height"], row["bytes"], row["format"]
        )
        renditions_of.setdefault(row["sha256"], []).append(rendition)
    copies_of: dict[tuple[str, str], list[GalleryCopy]] = {}
    for row in members.sort_values(["partner_id", "accommodation_id", "url"], kind="stable").to_dict("records"):
        copies_of.setdefault((row["hotel_id"], row["image_group_id"]), []).append(_copy(row))
    pictures_of: dict[str, list[GalleryPicture]] = {}
    for row in priorities.sort_values("position", kind="stable").to_dict("records"):
        picture = GalleryPicture(
            position=row["position"],
            image_group_id=row["image_group_id"],
            published=_copy(row),
            width=row["width"],
            height=row["height"],
            score=row["score"],
            score_parts=tuple((part.removeprefix("part_"), row[part]) for part in parts),
            renditions=tuple(renditions_of.get(row["sha256"], ())),
            copies=tuple(copies_of.get((row["hotel_id"], row["image_group_id"]), ())),
        )
        pictures_of.setdefault(row["hotel_id"], []).append(picture)
    return [GalleryHotel(hotel_id, tuple(pictures_of.get(hotel_id, ()))) for hotel_id in hotel_ids]


def render_gallery(
    release_id: str, hotels: Sequence[GalleryHotel], summary: ReleaseSummary, image_prefix: str = "../../../"
) -> str:
    """The page as HTML: the first `GALLERY_HOTELS` of `hotels`, without scripts or anything from elsewhere.

    `image_prefix` is the relative URL from the page to the root of the store. Copies that are published show a
    rendition, the others their raw image (browsers recognise its format by its content). The contact sheet at the end
    shows the first picture in all its renditions, from small to large.
    """
    return _template().render(
        release_id=release_id,
        hotels=hotels[:GALLERY_HOTELS],
        summary=summary,
        prefix=image_prefix,
        copies_shown=_COPIES_SHOWN,
        worth_a_look=_worth_a_look(summary),
        sheet=next((picture for hotel in hotels for picture in hotel.pictures if picture.renditions), None),
    )


def _worth_a_look(summary: ReleaseSummary) -> dict[str, int]:
    """What no gate stops and a person should know of, where there is any."""
    counts = {
        "images left out as placeholders": summary.placeholder_images,
        "hotels with placeholders only": summary.hotels_with_placeholders_only,
        "image groups held together weakly": summary.weak_groups,
        "decisions that could not be obeyed": summary.decisions_disobeyed,
    }
    return {what: count for what, count in counts.items() if count}


def _copy(row: Mapping[Hashable, Any]) -> GalleryCopy:
    return GalleryCopy(row["sha256"], row["partner_id"], row["accommodation_id"], row["url"])


def _store_url(prefix: str, key: str) -> str:
    return prefix + quote(key, safe="/")


def _nearest(picture: GalleryPicture, width: int) -> GalleryRendition | None:
    """The smallest rendition at least so wide, else the largest; None when there is none."""
    by_size = _by_size(picture)
    return next((rendition for rendition in by_size if rendition.width >= width), by_size[-1] if by_size else None)


def _by_size(picture: GalleryPicture) -> list[GalleryRendition]:
    return sorted(picture.renditions, key=lambda rendition: (rendition.width, rendition.height, rendition.key))


def _picture_key(picture: GalleryPicture) -> str:
    rendition = _nearest(picture, _PICTURE_WIDTH)
    return rendition.key if rendition else raw_image_key(picture.published.sha256)


def _largest_key(picture: GalleryPicture) -> str:
    rendition = _nearest(picture, 1_000_000)
    return rendition.key if rendition else raw_image_key(picture.published.sha256)


def _thumbnail_key(copy: GalleryCopy, picture: GalleryPicture) -> str:
    rendition = _nearest(picture, _THUMBNAIL_WIDTH) if copy.sha256 == picture.published.sha256 else None
    return rendition.key if rendition else raw_image_key(copy.sha256)


def _is_web_address(url: str) -> bool:
    """Whether the URL may become a link; `javascript:` and the like stay text."""
    return url.lower().startswith(("http://", "https://"))


def _grouped_digits(number: int) -> str:
    return f"{number:,}"


def _file_size(bytes: int) -> str:
    size = float(bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("image_assets.image_release", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(digits=_grouped_digits, file_size=_file_size)
    environment.globals.update(
        store_url=_store_url,
        picture_key=_picture_key,
        largest_key=_largest_key,
        thumbnail_key=_thumbnail_key,
        by_size=_by_size,
        is_web_address=_is_web_address,
    )
    return environment.get_template("gallery.html.j2")
