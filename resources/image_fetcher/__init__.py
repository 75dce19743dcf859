"""Fetching images from strangers' servers: many at once, safely, every outcome a value with a reason.

Belongs here: addresses that may be asked, requests, redirects, retries, limits. Does not belong here: what the bytes
are (screening), where they are kept (the object store), or which images are pending (the ledger).
"""

from resources.image_fetcher.fetching import fetch_all, limits_of
from resources.image_fetcher.host_report import HostReport, HostRow
from resources.image_fetcher.limits import FetchLimits
from resources.image_fetcher.one_attempt import Validators
from resources.image_fetcher.reasons import FETCH_REASONS, FetchReason, reason_entry
from resources.image_fetcher.request_and_outcome import Fetched, FetchRequest
from resources.image_fetcher.tries import waiting_places

__all__ = [
    "FETCH_REASONS",
    "FetchLimits",
    "FetchReason",
    "FetchRequest",
    "Fetched",
    "HostReport",
    "HostRow",
    "Validators",
    "fetch_all",
    "limits_of",
    "reason_entry",
    "waiting_places",
]
