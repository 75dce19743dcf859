"""What a server says against the use of its pictures by machines: the `X-Robots-Tag` header.

Belongs here: reading the header. Does not belong here: obeying it (one_attempt, when the partner's settings say so).
"""

from __future__ import annotations

from collections.abc import Iterable

# `none` is `noindex, nofollow`. https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag;
# noai and noimageai are DeviantArt's, which others took over.
_OPT_OUTS = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none"})
# Directives that carry a colon of their own, so that it does not name a crawler.
_WITH_VALUES = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


def opt_out(values: Iterable[str], product: str) -> str | None:
    """The directives that opt out, in order and once each, as in `noai, noindex`; None when there are none.

    `values`: the headers, one a line of the answer. A directive for a named crawler (`otherbot: noindex`) counts when
    the name is `product`, whatever its case.
    """
    found: dict[str, None] = {}
    for value in values:
        crawler = ""
        for part in value.lower().split(","):
            name, colon, rest = part.partition(":")
            if colon and name.strip() not in _WITH_VALUES:
                crawler, part = name.strip(), rest
            if part.strip() in _OPT_OUTS and crawler in ("", product.lower()):
                found[part.strip()] = None
    return ", ".join(found) or None
