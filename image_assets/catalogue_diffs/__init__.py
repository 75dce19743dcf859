"""Triggering: what partners offer now, read from their catalogues, against what the ledger knows.

`formats` names and reads files, `entries` holds the rules for a row. The asset is in `asset`; the diff itself is SQL
in the ledger. Nothing here fetches a picture: see `raw_images`.
"""

from image_assets.catalogue_diffs.entries import CatalogueBatch, CatalogueEntry
from image_assets.catalogue_diffs.formats import (
    UnreadableCatalogue,
    catalogue_file,
    catalogue_version,
    newest_versions,
    read_catalogue,
)
from image_assets.given_files import RejectedRow

__all__ = [
    "CatalogueBatch",
    "CatalogueEntry",
    "RejectedRow",
    "UnreadableCatalogue",
    "catalogue_file",
    "catalogue_version",
    "newest_versions",
    "read_catalogue",
]
