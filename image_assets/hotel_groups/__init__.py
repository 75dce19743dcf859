"""The data release: which accommodations are one hotel.

`data_release` names and reads the files. The asset, and freezing what a release sees, are in `asset` and the ledger.
Nothing here looks at pictures: see `image_groups`.
"""

from image_assets.given_files import RejectedRow
from image_assets.hotel_groups.data_release import (
    HotelAccommodation,
    ReleaseBatch,
    UnreadableDataRelease,
    read_data_release,
    release_file,
)

__all__ = [
    "HotelAccommodation",
    "RejectedRow",
    "ReleaseBatch",
    "UnreadableDataRelease",
    "read_data_release",
    "release_file",
]
