"""Which texts may be partner and release ids: they are folder names in the store and partition keys in Dagster.

Does not belong here: the partition definitions (partitions), or the ids inside users' files (given_files).
"""

from __future__ import annotations

import unicodedata

# Dagster joins dimensions with `|` and reads `,`, `[`, `]` and `...` in its selections; `/` ends a folder.
_FORBIDDEN = ("|", ",", "[", "]", "/", "...")


def id_problem(text: str) -> str | None:
    """Why `text` cannot be a partner or release id, as a message; None when it can.

    Any text is fine (`ünï`, `$abc`, `two words`) unless it is empty, `.` or `..`, or contains one of `| , [ ] /`,
    `...`, a control character, or half of a surrogate pair (which no file name in UTF-8 can hold).
    """
    if not text.strip():
        return "the id is empty; partner and release ids must have text"
    if text in (".", ".."):
        return f"the id {text!r} is a folder reference, not a name"
    for part in _FORBIDDEN:
        if part in text:
            return f"the id {text!r} contains {part!r}; partner and release ids must not contain | , [ ] / or ..."
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs"):
            return f"the id {text!r} contains the control character {character!r}"
    return None
