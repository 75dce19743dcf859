"""Bodies that a server compressed, although we ask for none: undone within the cap.

Does not belong here: reading the body (one_attempt).
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable

_GZIP_START = b"\x1f\x8b"
# Each inflates up to the cap, in the event loop's thread: a long chain would hold up all hosts. As in curl and urllib3.
_MOST_ENCODINGS = 5


def decompressed(body: bytes, encodings: Iterable[str], max_bytes: int) -> tuple[bytes | None, str | None]:
    """The body without its Content-Encodings, never inflated beyond the cap: (data, None) or (None, reason).

    Several (RFC 9110, 8.4), but no more than 5, were applied in their order. Those that nobody knows (`utf-8`, `none`,
    `aws-chunked` are common mistakes) are ignored, as browsers do.
    """
    data = body
    names = [name.strip() for name in ",".join(encodings).lower().split(",")]
    if len(names) > _MOST_ENCODINGS:
        return None, "bad_content_encoding"
    for name in reversed(names):
        match name:
            case "gzip" | "x-gzip":
                windows = [zlib.MAX_WBITS | 16]
            case "deflate":
                windows = [zlib.MAX_WBITS, -zlib.MAX_WBITS]  # with zlib's header, as it should be, or bare
            case "br" | "zstd" | "compress" | "x-compress":
                return None, "bad_content_encoding"
            case _:
                continue
        inflated = _inflated_by_any(data, windows, max_bytes)
        if inflated is None:
            return None, "bad_content_encoding"
        if len(inflated) > max_bytes:
            return None, "body_too_large"
        data = inflated
    return data, None


def _inflated_by_any(body: bytes, windows: Iterable[int], max_bytes: int) -> bytes | None:
    for window in windows:
        with contextlib.suppress(zlib.error):
            return _inflated(body, window, max_bytes)
    return None


def _inflated(body: bytes, window: int, max_bytes: int) -> bytes:
    """At most one byte more than the cap; gzip may be several members in a row, and what follows them is ignored.

    Raises zlib.error, cut short too.
    """
    inflated = bytearray()
    while body and len(inflated) <= max_bytes:
        stream = zlib.decompressobj(window)
        inflated += stream.decompress(body, max_bytes + 1 - len(inflated))
        if not stream.eof and len(inflated) <= max_bytes:
            raise zlib.error("the compressed body ends early")
        body = stream.unused_data if stream.unused_data.startswith(_GZIP_START) and window > zlib.MAX_WBITS else b""
    return bytes(inflated)
