"""From the ledger's pages to what is published: complete groups go on, incomplete ones are withheld; all is counted.

Pure over tables. Does not belong here: the manifest's format, the page's looks, the gates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

from image_assets.image_release.gallery import GALLERY_HOTELS, GalleryHotel, gallery_hotels
from image_assets.image_release.manifest import manifest_batch
from resources.ledger.publishing import PublishedPage


@dataclass
class Tally:
    """What goes by on the way into the manifest."""

    entries: int = 0
    groups: int = 0
    withheld: int = 0
    renditions: int = 0
    rendition_bytes: int = 0
    by_partner: Counter[str] = field(default_factory=Counter)
    without_picture: list[str] = field(default_factory=list)
    first_hotels: list[GalleryHotel] = field(default_factory=list)


def published_batches(pages: Iterable[PublishedPage], recipes: int, tally: Tally) -> Iterator[pa.RecordBatch]:
    """The manifest's batches of the pages; `tally` is filled on the way."""
    for page in pages:
        priorities = _complete(page.priorities, page.renditions, recipes)
        tally.entries += len(page.members)
        tally.groups += len(page.priorities)
        tally.withheld += len(page.priorities) - len(priorities)
        tally.by_partner.update(priorities["partner_id"])
        tally.without_picture.extend(sorted(set(page.hotels).difference(priorities["hotel_id"])))
        if len(tally.first_hotels) < GALLERY_HOTELS:
            hotels = sorted(priorities["hotel_id"].unique())[: GALLERY_HOTELS - len(tally.first_hotels)]
            tally.first_hotels.extend(gallery_hotels(hotels, priorities, page.members, page.renditions))
        yield manifest_batch(priorities, page.members, page.renditions)


def _complete(priorities: pd.DataFrame, renditions: pd.DataFrame, recipes: int) -> pd.DataFrame:
    """The groups whose picture has all its renditions, their positions counted anew from 1."""
    made = renditions.groupby("sha256").size()
    kept = priorities[priorities["sha256"].map(made).fillna(0) == recipes].sort_values(["hotel_id", "position"])
    return kept.assign(position=kept.groupby("hotel_id").cumcount() + 1)
