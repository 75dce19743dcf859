"""Making the renditions of many images at once: reading ahead, rendering in threads, writing beside them.

Belongs here: how much goes on at the same time. Does not belong here: the pixels (rendering), the store and the ledger
(the asset hands `read` and `write` in).

Three bounds keep memory flat: images that are read ahead have together no more original bytes than a budget, or are one
image; images are rendered at the same time as far as what their decoders hold fits a budget, else one alone; and
rendered bytes wait for their upload in a budget of their own, at whose end rendering waits too.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from image_assets.renditions.checking import flaw_of
from image_assets.renditions.encoding import Rendition
from image_assets.renditions.recipes import Recipe, recipe_digest, rendition_key
from image_assets.renditions.rendering import RenderingFailed, memory_to_render, render
from resources.ledger.rendering import RenditionRow

RENDERERS = os.cpu_count() or 1
UPLOADS = 32
# What one image of 50 megapixels takes, or two of 12, for two processors.
MEMORY_AT_ONCE = 200_000_000 * max(2, RENDERERS)
ORIGINAL_BYTES_AT_ONCE = 32 * 2**20 * max(2, RENDERERS)
IMAGES_AT_ONCE = 16 * RENDERERS
UPLOAD_BYTES_AT_ONCE = 64 * 2**20


@dataclass(frozen=True)
class Wanted:
    """A content (sha256 in hex), its size in bytes, and the recipes that are still to be made of it."""

    sha256: str
    bytes: int
    recipes: Sequence[Recipe]


@dataclass(frozen=True)
class Made:
    """What came of one content: all its renditions, stored; or why there are none.

    lost: the original was not there. flawed: the failure is ours, a rendition did not pass its check.
    """

    sha256: str
    stored: tuple[RenditionRow, ...] = ()
    failure: str | None = None
    lost: bool = False
    flawed: bool = False


class ByteBudget:
    """Bytes that may be in flight. One piece may be larger than the budget: it then goes alone."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._given_back = threading.Condition()

    def take(self, amount: int) -> None:
        """Wait until there is room."""
        with self._given_back:
            self._given_back.wait_for(lambda: self._taken == 0 or self._taken + amount <= self._size)
            self._taken += amount

    def give_back(self, amount: int) -> None:
        """Make room for others."""
        with self._given_back:
            self._taken -= amount
            self._given_back.notify_all()


def made_of(
    wanted: Iterable[Wanted], read: Callable[[str], bytes], write: Callable[[str, bytes], None]
) -> Generator[Made, None, None]:
    """Make what is wanted, in its order. When a result comes out, all its objects have been written.

    `read` gets the original of a sha256 and raises FileNotFoundError where there is none; `write` puts bytes under a
    key. Both are called from many threads; what else they raise comes out here. `wanted` is taken from as room comes
    free.
    """
    uploading, decoding = ByteBudget(UPLOAD_BYTES_AT_ONCE), ByteBudget(MEMORY_AT_ONCE)
    window: deque[tuple[Wanted, Future[Made | tuple[list[RenditionRow], list[Future[None]]]]]] = deque()

    def upload(key: str, data: bytes) -> None:
        try:
            write(key, data)
        finally:
            uploading.give_back(len(data))

    def make(content: Wanted, reading: Future[bytes]) -> Made | tuple[list[RenditionRow], list[Future[None]]]:
        try:
            data = reading.result()
        except FileNotFoundError:
            return Made(content.sha256, lost=True)
        memory = memory_to_render(data, content.recipes)
        decoding.take(memory)
        try:
            results = render(data, content.recipes)
        except RenderingFailed as trouble:
            return Made(content.sha256, failure=str(trouble))
        finally:
            decoding.give_back(memory)
        if flaw := _first_flaw(content.recipes, results):
            return Made(content.sha256, failure=flaw, flawed=True)
        stored, uploads = [], []
        for recipe in content.recipes:
            rendition = results[recipe.name]
            stored.append(_stored(content.sha256, recipe, rendition))
            uploading.take(len(rendition.data))
            uploads.append(transfers.submit(upload, stored[-1].key, rendition.data))
        return stored, uploads

    def finish() -> Made:
        content, making = window.popleft()
        result = making.result()
        if isinstance(result, Made):
            return result
        stored, uploads = result
        for each in uploads:
            each.result()
        return Made(content.sha256, tuple(stored))

    # Rendering ends before the transfers it hands out.
    with ThreadPoolExecutor(UPLOADS) as transfers, ThreadPoolExecutor(RENDERERS) as renderers:
        for content in wanted:
            while window and not _fits(content, [other for other, _ in window]):
                yield finish()
            window.append((content, renderers.submit(make, content, transfers.submit(read, content.sha256))))
        while window:
            yield finish()


def _fits(content: Wanted, others: Sequence[Wanted]) -> bool:
    return (
        len(others) < IMAGES_AT_ONCE and sum(other.bytes for other in others) + content.bytes <= ORIGINAL_BYTES_AT_ONCE
    )


def _first_flaw(recipes: Sequence[Recipe], results: Mapping[str, Rendition]) -> str | None:
    # Several recipes may ask the same of a small image; what they have in common is decoded once.
    alike: dict[int, list[Recipe]] = {}
    for recipe in recipes:
        alike.setdefault(id(results[recipe.name]), []).append(recipe)
    for together in alike.values():
        if flaw := flaw_of(results[together[0].name], together):
            return f"its rendition {together[0].name} {flaw}"
    return None


def _stored(sha256: str, recipe: Recipe, rendition: Rendition) -> RenditionRow:
    return RenditionRow(
        sha256,
        recipe.name,
        recipe_digest(recipe),
        rendition_key(recipe, sha256),
        rendition.width,
        rendition.height,
        len(rendition.data),
        rendition.format,
        rendition.quality,
        rendition.too_large,
    )
