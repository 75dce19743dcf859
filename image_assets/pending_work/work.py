"""A piece of work, and all that is pending: the values, and the names of the jobs.

Does not belong here: finding out what is pending (`catalogues`, `release`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

INGEST = "ingest_catalogue"
LOAD = "load_data_release"
BUILD = "build_hotel_shard"
PUBLISH = "publish_image_release"

AFTER_DIFF = ("raw_images", "fingerprints")
"""The assets of the ingest job that go on when the newest catalogue is held or unreadable."""


@dataclass(frozen=True)
class Work:
    """One partition that is not up to date. `size` orders the queue; `assets` empty means the whole job."""

    job: str
    partition_key: str
    input_digest: str
    size: int = 0
    assets: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Names this work: the same until it is done or its input changes."""
        return f"{self.job}:{self.partition_key}:{self.input_digest}"


@dataclass(frozen=True)
class PendingWork:
    """What can run now, what waits for something else (a line each), and what is stopped until somebody acts.

    problems: objects in the store that are neither a catalogue nor a data release. unnoticed: the sensor has not
    written down the newest release yet.
    """

    work: list[Work] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unnoticed: bool = False
