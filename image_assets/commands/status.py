"""`image-assets status`: queues, rates, time left and the state of each release, as text.

Pure: what the ledger and `pending_work` say goes in, lines come out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from image_assets.certification import Certification
from image_assets.commands.progress_lines import progress_lines
from image_assets.pending_work import PendingWork
from resources.ledger.overview import PartnerOverview, ReleaseOverview
from resources.ledger.progress import Progress


def status_lines(
    partners: Sequence[PartnerOverview],
    releases: Sequence[ReleaseOverview],
    running: Sequence[Progress],
    pending: PendingWork,
    shards: int,
    certified: Certification,
) -> Iterator[str]:
    """The whole report."""
    yield (
        f"{'partner':<20} {'catalogue':<16} {'entries':>10} {'available':>10} {'rejected':>9} "
        f"{'failed':>7} {'queued':>8}"
    )
    for p in partners:
        yield (
            f"{p.partner_id:<20} {p.version or '-':<16} {p.entries:>10,} {p.available:>10,} {p.rejected:>9,} "
            f"{p.failed:>7,} {p.queued_fetches + p.queued_fingerprints:>8,}"
        )
    yield ""
    for release in releases:
        yield f"release {release.release_id}: {_release_state(release, shards)}"
    yield f"same picture: {certified.line}"
    if running:
        yield ""
        yield from progress_lines(running)
    yield ""
    for item in pending.work:
        yield f"pending  {item.job} {item.partition_key}"
    for line in pending.waiting:
        yield f"waiting  {line}"
    for line in (*pending.stopped, *pending.problems):
        yield f"STOPPED  {line}"
    if not (pending.work or pending.waiting or pending.stopped or pending.problems or pending.unnoticed):
        yield "idle: nothing is left to do"


def _release_state(release: ReleaseOverview, shards: int) -> str:
    if release.outcome is None:
        return "waits to be loaded"
    if release.outcome == "unreadable":
        return f"unreadable: {release.message}"
    seen = f"{release.hotels:,} hotels, {release.images:,} images"
    if release.published_at is None:
        return f"{seen}; {release.shards_built} of {shards} shards built, not published"
    return f"{seen}; published {release.published_at} as {release.manifest_key}"
