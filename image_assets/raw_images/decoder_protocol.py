"""What a decoder worker and its parent say to each other over two pipes.

A request is REQUEST (the lengths of what follows), a head in JSON, and the file's bytes. The answer is one or two
REPLYs: the size, as soon as the header is read, so that it is known even of a file that then crashes the codec; and the
verdict. A worker says READY once, when it has started.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict
from typing import get_args

from image_assets.raw_images.verdicts import ImageFormat, Reason, Screening, ScreeningLimits

REQUEST = struct.Struct("<IQ")
REPLY = struct.Struct("<BQQQ")
READY = b"ready"

_MEASURED = 255
_VERDICTS: tuple[Reason | None, ...] = (None, *get_args(Reason))


def wall_seconds(limits: ScreeningLimits) -> float:
    """How long one image may take by the clock, in seconds.

    What limits an image is CPU time, so that a busy machine refuses no good image. The clock only ends decodes that
    sleep or stand still, and is generous: with three times the CPU time, a machine of two cores that had work for
    thirteen refused a picture of 50 megapixels that needs 1.6 of its 4 seconds.
    """
    return 10 * limits.decode_seconds + 2


def request_head(data: bytes, image_format: ImageFormat, limits: ScreeningLimits) -> bytes:
    """REQUEST and the head; the bytes of the file follow."""
    head = json.dumps([image_format, asdict(limits)]).encode()
    return REQUEST.pack(len(head), len(data)) + head


def parse_head(head: bytes) -> tuple[ImageFormat, ScreeningLimits]:
    image_format, limits = json.loads(head)
    return image_format, ScreeningLimits(**{**limits, "formats": tuple(limits["formats"])})


def size_reply(width: int, height: int) -> bytes:
    return REPLY.pack(_MEASURED, width, height, 0)


def verdict_reply(screening: Screening) -> bytes:
    numbers = (screening.width, screening.height, screening.memory_needed)
    return REPLY.pack(_VERDICTS.index(screening.reason), *(number or 0 for number in numbers))


def parse_reply(reply: bytes, image_format: ImageFormat) -> tuple[bool, Screening]:
    """(whether it is the verdict, what is known so far).

    Errors: ValueError for anything but a well-formed reply; a worker that a codec corrupted may write what it likes.
    """
    if len(reply) != REPLY.size or not (reply[0] == _MEASURED or reply[0] < len(_VERDICTS)):
        raise ValueError("not a reply of a decoder worker")
    code, width, height, memory = REPLY.unpack(reply)
    final = code != _MEASURED
    reason = _VERDICTS[code] if final else None
    accepted = final and reason is None
    return final, Screening(accepted, reason, image_format, width or None, height or None, memory or None)
