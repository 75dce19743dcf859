"""Which data releases lie in the store, and which is the newest.

Belongs here: the listing of `data-releases/`. Does not belong here: what is in a file.
"""

from __future__ import annotations

from dataclasses import dataclass

from image_assets.hotel_groups.data_release import release_file
from image_assets.partition_keys import id_problem
from resources.object_store import ObjectStore


@dataclass(frozen=True)
class ReleaseFile:
    """One data release as it lies in the store."""

    release_id: str
    object_key: str
    etag: str


@dataclass(frozen=True)
class OfferedReleases:
    """The releases in name order (the newest last), and a message for every object that cannot be one."""

    releases: list[ReleaseFile]
    problems: list[str]

    @property
    def newest(self) -> ReleaseFile | None:
        """The last release in name order."""
        return self.releases[-1] if self.releases else None


def offered_releases(store: ObjectStore) -> OfferedReleases:
    """One listing of `data-releases/`; of two files for one release the last in name order counts."""
    found: dict[str, ReleaseFile] = {}
    problems = []
    for item in sorted(store.objects("data-releases"), key=lambda stored: stored.key):
        if item.key.rpartition("/")[2].startswith("."):
            continue
        release_id = release_file(item.key)
        if release_id is None:
            problems.append(f"{item.key}: not a data release; expected data-releases/<release>.csv or .csv.gz")
        elif problem := id_problem(release_id):
            problems.append(f"{item.key}: {problem}")
        else:
            found[release_id] = ReleaseFile(release_id, item.key, item.etag)
    return OfferedReleases([found[release_id] for release_id in sorted(found)], problems)
