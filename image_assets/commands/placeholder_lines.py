"""`image-assets placeholders`: the pictures that a release leaves out, as text.

Pure: what the ledger says goes in, lines come out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from resources.ledger.placeholders import Placeholder
from resources.ledger.releases import DataRelease

HOTELS_NAMED = 10


def placeholder_lines(
    release: DataRelease, placeholders: Sequence[Placeholder], without_others: Sequence[str]
) -> Iterator[str]:
    """The whole report; `without_others`: the first hotels that show nothing else."""
    yield (
        f"release {release.release_id}: {release.placeholder_images:,} of "
        f"{release.images + release.placeholder_images:,} available images are left out, they show placeholders"
    )
    for found in placeholders:
        yield (
            f"{found.sha256}  {found.reason:<11} {found.hotels:>9,} hotels {found.images:>10,} images "
            f"{found.contents:>7,} contents  {found.url}"
        )
    if without_others:
        more = release.only_placeholders - len(without_others)
        yield (
            f"{release.only_placeholders:,} hotels have no other picture: {', '.join(without_others)}"
            + (f" and {more:,} more" if more else "")
        )
