"""Where a published image release lies, and the pointer to the current one.

Belongs here: the keys of an image release, `image-releases/current.json`, and how many releases are kept.
Does not belong here: making the files.
"""

from __future__ import annotations

import json

from resources.ledger.releases import Publication
from resources.object_store import ObjectStore

CURRENT = "image-releases/current.json"
# What older releases saw is dropped when a newer one is published; their files stay until `image-assets gc`.
RELEASES_KEPT = 3

_KEYS = {"release_id", "manifest", "summary", "gallery"}


def release_keys(release_id: str, manifest_digest: str) -> tuple[str, str, str]:
    """The keys of manifest, summary and gallery of one publication."""
    folder = f"image-releases/{release_id}/{manifest_digest}"
    return f"{folder}/manifest.parquet", f"{folder}/summary.json", f"{folder}/gallery.html"


def pointer(published: Publication) -> dict[str, str]:
    """The content of `current.json` for a publication."""
    return {
        "release_id": published.release_id,
        "manifest": published.manifest_key,
        "summary": published.summary_key,
        "gallery": published.gallery_key,
    }


def current_release(store: ObjectStore) -> dict[str, str] | None:
    """What `current.json` says; None before the first publication, and where the file is not ours to understand."""
    try:
        content = json.loads(store.get(CURRENT))
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) and content.keys() >= _KEYS else None


def is_current(store: ObjectStore, published: Publication) -> bool:
    """Whether `current.json` points to this publication."""
    return current_release(store) == pointer(published)


def point_to(store: ObjectStore, published: Publication) -> None:
    """Swap `current.json` in one write: readers see the old release or the new one."""
    store.put(CURRENT, json.dumps(pointer(published), ensure_ascii=False, indent=2).encode() + b"\n")
