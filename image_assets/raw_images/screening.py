"""The verdict on a stranger's bytes: accepted, or refused for a reason that people can act on.

Order: what kind of file it is (by content, never by name), the size its header claims, then a whole decode of the first
frame. The parsing and the decode are done by worker processes (`decoder_pool`), so that a codec's crash, hang or hunger
for memory costs that image only. Does not belong here: fetching and keeping.
"""

from __future__ import annotations

from image_assets.raw_images.decoder_pool import decode_in_worker
from image_assets.raw_images.signatures import recognise
from image_assets.raw_images.verdicts import LIMIT_REASONS, Reason, Screening, ScreeningLimits, refused_by_limits

__all__ = ["LIMIT_REASONS", "Reason", "Screening", "ScreeningLimits", "refused_by_limits", "screen"]

_DEFAULT_LIMITS = ScreeningLimits()


def screen(data: bytes, limits: ScreeningLimits = _DEFAULT_LIMITS) -> Screening:
    """Judge the bytes of one file. Safe to call from many threads; blocks while all workers are busy.

    Whatever the bytes are, there is a verdict, after at most twice `10 * decode_seconds + 3` seconds with a worker.
    Animated files and JPEGs with several pictures (MPO) are judged by their first.
    Errors: DecoderUnavailable when this machine cannot run a worker at all; never for anything in `data`.
    """
    if not data:
        return Screening(False, "not_an_image")
    kind = recognise(data)
    if kind == "not_an_image" or kind == "unsupported_format":
        return Screening(False, kind)
    if kind not in limits.formats:
        return Screening(False, "unsupported_format")
    return decode_in_worker(data, kind, limits)
