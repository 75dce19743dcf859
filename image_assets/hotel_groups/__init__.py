"""The data release: which accommodations are one hotel.

`data_release` names and reads the files; `placeholders` tells pictures that say nothing of a hotel, `lookalikes` which
are one picture. The asset, and freezing what a release sees, are in `asset` and the ledger. Which pictures of a hotel
are the same: see `image_groups`.
"""

from image_assets.given_files import RejectedRow
from image_assets.hotel_groups.data_release import (
    HotelAccommodation,
    ReleaseBatch,
    UnreadableDataRelease,
    read_data_release,
    release_file,
)
from image_assets.hotel_groups.placeholders import PlaceholderPolicy

__all__ = [
    "HotelAccommodation",
    "PlaceholderPolicy",
    "RejectedRow",
    "ReleaseBatch",
    "UnreadableDataRelease",
    "read_data_release",
    "release_file",
]
