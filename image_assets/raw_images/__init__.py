"""Downloading: from a queue of URLs to original bytes that are known to be whole pictures.

`screening` gives the verdict on bytes, `downloading` turns fetched bytes into batches of verdicts, `asset` connects
them with fetcher, store and ledger. Workers of `decoder_pool` import this package: keep it light.
"""

from image_assets.raw_images.screening import screen
from image_assets.raw_images.verdicts import LIMIT_REASONS, Screening, ScreeningLimits, refused_by_limits

__all__ = ["LIMIT_REASONS", "Screening", "ScreeningLimits", "refused_by_limits", "screen"]
