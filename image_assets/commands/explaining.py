"""`image-assets explain HOTEL`: why the images of a hotel are grouped as they are, in words and as a picture.

Belongs here: what is told. Does not belong here: drawing (image_groups.linked_pairs), anything that decides.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image

from image_assets.fingerprints import Fingerprint, unpack_hashes, unpack_luma
from image_assets.image_groups import Policy, same_picture
from image_assets.image_groups.linked_pairs import WHOLE, LinkedPair, Side, draw_pairs
from image_assets.image_groups.similarity import Window
from image_assets.image_release.publishing import current_release
from image_assets.methods import Methods
from image_assets.renditions import Recipe, RenderingFailed, render
from image_assets.shards import whole_release
from resources.ledger import Connection, releases
from resources.ledger.explaining import Explanation, ShownImage, explanation, packed_fingerprints
from resources.ledger.grouping import LinkRow
from resources.object_store import ObjectStore, raw_image_key

PAIRS_DRAWN = 100
_DIGITS = 12  # of a sha256: enough to tell the images of a hotel apart, and for `image-assets decide`
_SEEN = Recipe("explain", 800, 800)
_MISSING = Image.new("RGB", (400, 300), "#8a8a8a")


class NothingToExplain(ValueError):
    """The release or the hotel is not there, or not grouped yet; the message says what to do."""


def explain(
    connection: Connection, store: ObjectStore, methods: Methods, hotel_id: str, release_id: str | None
) -> Explanation:
    """What the ledger knows of a hotel in a release; by default in the current one, else in the newest loaded.

    Raises NothingToExplain.
    """
    current = current_release(store)
    name = release_id or (current["release_id"] if current else releases.newest_loaded(connection))
    known = releases.data_release(connection, name) if name else None
    if known is None or known.frozen is None:
        raise NothingToExplain(f"Data release {name} is not loaded." if name else "No data release is loaded.")
    found = explanation(connection, whole_release(known.release_id, methods), hotel_id)
    if found is None:
        raise NothingToExplain(f"Release {known.release_id} has no hotel {hotel_id}.")
    if not found.grouped:
        raise NothingToExplain(
            f"The image groups of hotel {hotel_id} in release {known.release_id} are still to be made (or its policy "
            "changed since): materialise image_groups, or run image-assets run --until-idle."
        )
    return found


def explanation_lines(found: Explanation) -> Iterator[str]:
    """The whole report: each image group with its images and links, what was left out, what people decided."""
    groups: dict[str, list[ShownImage]] = {}
    for image in found.images:
        if image.image_group_id is not None:
            groups.setdefault(image.image_group_id, []).append(image)
    entries = sum(image.entries for image in found.images)
    yield (
        f"release {found.release_id}, hotel {found.hotel_id}: {entries:,} images of {len(found.images):,} contents "
        f"are {len(groups):,} image groups"
    )
    for group, images in groups.items():
        yield ""
        weak = "  WEAK: held together by a weak link or a chain" if group in found.weak else ""
        parted = "  PARTED: linked with an image that people put apart from another" if group in found.parted else ""
        yield f"image group {group}{weak}{parted}"
        for image in images:
            yield f"  {image.sha256[:_DIGITS]}  {_source(image)}"
        for link in found.links:
            if link.image_group_id == group:
                yield f"    {_link_line(link)}"
    left_out = [image for image in found.images if image.placeholder]
    if left_out:
        yield ""
        yield "left out as placeholders (image-assets placeholders)"
        for image in left_out:
            yield f"  {image.sha256[:_DIGITS]}  {_source(image)}"
    if found.decisions:
        yield ""
        yield "decided by people" + (f"; {found.disobeyed} could not be obeyed" if found.disobeyed else "")
        for a, b, same in found.decisions:
            yield f"  {'same' if same else 'different':<9} {a[:_DIGITS]} {b[:_DIGITS]}"
    if found.split:
        yield ""
        yield f"{found.split:,} weak links were not accepted: they would have joined two groups"


def draw_explanation(connection: Connection, store: ObjectStore, methods: Methods, found: Explanation) -> Image.Image:
    """The first PAIRS_DRAWN links of the hotel as a picture, each pair aligned and side by side."""
    links = found.links[:PAIRS_DRAWN]
    shown = {image.sha256: image for image in found.images}
    wanted = sorted({sha256 for link in links for sha256 in (link.a, link.b)})
    packed = packed_fingerprints(connection, wanted, methods.fingerprint)
    prints = {
        sha256: Fingerprint(unpack_hashes(hashes), unpack_luma(luma), width, height)
        for sha256, hashes, luma, width, height in packed
    }
    seen = {sha256: _picture(store, sha256) for sha256 in wanted}
    pairs = []
    for link in links:
        weak = "   WEAK" if link.image_group_id in found.weak else ""
        in_first = _seen_of_first(link, prints, methods.policy)
        pairs.append(
            LinkedPair(
                Side(seen[link.a], in_first, _names(shown[link.a]), link.mirrored),
                Side(seen[link.b], link.window or WHOLE, _names(shown[link.b])),
                f"{link.image_group_id}   {_link_line(link)}{weak}",
            )
        )
    more = f", the first {len(links)} of {len(found.links):,} links" if len(found.links) > len(links) else ""
    return draw_pairs(f"{found.hotel_id} in {found.release_id}: {len(found.links):,} links{more}", pairs)


def _seen_of_first(link: LinkRow, prints: dict[str, Fingerprint], policy: Policy) -> Window:
    """What b shows of a: the link keeps the other way round, the rule finds this one again."""
    if link.window is None or link.a not in prints or link.b not in prints:
        return WHOLE
    return same_picture(prints[link.b], prints[link.a], policy).window or WHOLE


def _picture(store: ObjectStore, sha256: str) -> Image.Image:
    """The image as renditions show it, small; grey where it is not in the store or cannot be read any more."""
    try:
        rendition = render(store.get(raw_image_key(sha256)), [_SEEN])[_SEEN.name]
    except (FileNotFoundError, RenderingFailed):
        return _MISSING
    return Image.open(io.BytesIO(rendition.data)).convert("RGB")


def _link_line(link: LinkRow) -> str:
    window = "" if link.window is None else "  window " + " ".join(f"{side:.2f}" for side in link.window)
    mirrored = "  mirrored" if link.mirrored else ""
    score = f" {link.score:.3f}" if link.score else ""  # pictures that only people see as one have none
    return f"{link.a[:_DIGITS]} = {link.b[:_DIGITS]}  {link.rule}{score}{window}{mirrored}"


def _names(image: ShownImage) -> list[str]:
    return [f"{image.sha256[:_DIGITS]}  {image.partner_id} / {image.accommodation_id}", image.url]


def _source(image: ShownImage) -> str:
    more = f" and {image.entries - 1:,} more" if image.entries > 1 else ""
    return f"{image.partner_id} / {image.accommodation_id}  {image.url}{more}"
