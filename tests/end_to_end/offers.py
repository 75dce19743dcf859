"""What a partner offers: pictures on its site, and the entries of its catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from partner_site import PartnerSite
from pictures import drawn, jpeg


def entries(accommodation: str, urls: Sequence[str], **fields: str) -> list[dict[str, str]]:
    """Entries of one accommodation, with the same further fields."""
    return [{"accommodation_id": accommodation, "url": url, **fields} for url in urls]


def pictures(site: PartnerSite, name: str, seeds: range) -> list[str]:
    """The URLs of as many pictures as seeds, now on the site."""
    return [site.serve(f"/{name}/{seed}.jpg", jpeg(drawn(seed))) for seed in seeds]
