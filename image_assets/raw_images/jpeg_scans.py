"""Whether a JPEG brings all the scans that make its picture: libjpeg says nothing about those that are not there.

A progressive file that was cut between two scans and given an end is a blur, one with a scan a colour is grey.
Belongs here: the markers of ITU-T T.81. Safe on any bytes. Does not belong here: what is in a scan (libjpeg says that).
"""

from __future__ import annotations

import re

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_BARE = {0x01, *range(0xD0, 0xD9)}  # markers without content (B.1.1.3)
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # those that libjpeg decodes
_PROGRESSIVE = {0xC2, 0xCA}
_COEFFICIENTS = frozenset(range(64))
# Within a scan a marker is what is neither a stuffed byte nor a restart; 0xff may be repeated before it.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


def misses_scans(data: bytes) -> bool:
    """Whether a colour has no scan at all, or the first one lacks some of its coefficients.

    Less than that hides nothing: what further scans add to precision is hardly seen.
    """
    known: dict[int, set[int]] = {}
    progressive = False
    at = 2
    while (found := _NEXT_MARKER.search(data, at)) and (marker := data[found.end() - 1]) != _END_OF_IMAGE:
        at = found.end()
        if marker in _BARE:
            continue
        content = data[at + 2 : at + int.from_bytes(data[at : at + 2], "big")]
        at += 2 + len(content)
        if marker in _FRAMES and len(content) >= 6:
            progressive = marker in _PROGRESSIVE
            known = {component: set() for component in content[6 : 6 + 3 * content[5] : 3]}
        elif marker == _START_OF_SCAN and len(content) >= 4:
            coefficients = range(content[-3], content[-2] + 1) if progressive else _COEFFICIENTS
            for component in content[1 : 1 + 2 * content[0] : 2]:
                known.setdefault(component, set()).update(coefficients)
            if _is_whole(known):
                return False
    return not _is_whole(known)


def _is_whole(known: dict[int, set[int]]) -> bool:
    return all(known.values()) and next(iter(known.values()), _COEFFICIENTS) >= _COEFFICIENTS
