"""`image-assets failures`: the images of a partner that are not available, a line each.

Belongs here: what is told of an image. Does not belong here: which images these are (ledger.fetch_results), the words
for it (docs/reasons.md).
"""

from __future__ import annotations

from typing import get_args

from image_assets.decoder_memory import memory_allowed
from image_assets.raw_images import ScreeningLimits, screen
from image_assets.raw_images.verdicts import ImageFormat
from resources.ledger.fetch_results import Failure
from resources.object_store import ObjectStore

_ANY_SIZE = ScreeningLimits(minimum_short=0, minimum_long=0, max_pixels=10**9, formats=get_args(ImageFormat))


def failure_line(failure: Failure, store: ObjectStore) -> str:
    """Outcome, reason, attempts, HTTP status, URL; and of what was refused for a limit its size, by tabs.

    How much memory a decode would need is told by the file itself, which is kept.
    """
    fields = [failure.outcome, failure.reason, str(failure.attempts), str(failure.status or "-"), failure.url]
    if failure.sha256 and failure.width and failure.height:
        size = f"{failure.width} x {failure.height} {failure.format}"
        needed = _memory_needed(store, failure.sha256) if failure.reason == "decoder_memory" else None
        allowed = memory_allowed(failure.width * failure.height)
        memory = f", needs {needed // 10**6} MB of memory, {allowed // 10**6} MB are allowed" if needed else ""
        fields.append(size + memory)
    return "\t".join(fields)


def _memory_needed(store: ObjectStore, sha256: str) -> int | None:
    try:
        return screen(store.get_original(sha256), _ANY_SIZE).memory_needed
    except FileNotFoundError:
        return None
