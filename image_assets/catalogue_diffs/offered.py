"""Which catalogues lie in the store, and which is each partner's newest.

Belongs here: the listing of `catalogues/` read as partners and versions. Does not belong here: what is in a file.
"""

from __future__ import annotations

from dataclasses import dataclass

from image_assets.catalogue_diffs.formats import catalogue_file, newest_versions
from resources.ledger.catalogues import CatalogueVersion
from resources.object_store import ObjectStore


@dataclass(frozen=True)
class OfferedCatalogues:
    """Each partner's newest catalogue, and a message for every object that cannot be one."""

    newest: dict[str, CatalogueVersion]
    problems: list[str]


def offered_catalogues(store: ObjectStore) -> OfferedCatalogues:
    """One listing of `catalogues/`."""
    return _offered(store, "catalogues")


def newest_catalogue(store: ObjectStore, partner_id: str) -> CatalogueVersion | None:
    """The newest catalogue of one partner (the last version in name order); None when it offers none."""
    return _offered(store, f"catalogues/{partner_id}").newest.get(partner_id)


def _offered(store: ObjectStore, folder: str) -> OfferedCatalogues:
    # Hidden files are what uploading tools and desktops leave behind; they are not worth a message.
    etags = {item.key: item.etag for item in store.objects(folder) if not item.key.rpartition("/")[2].startswith(".")}
    newest, problems = newest_versions(etags)
    return OfferedCatalogues(
        {
            partner_id: CatalogueVersion(partner_id, catalogue_file(key)[1], key, etags[key])
            for partner_id, key in newest.items()
        },
        problems,
    )
