"""Where an image release lies, and the pointer to the current one."""

from __future__ import annotations

import json

import pytest

from image_assets.image_release.publishing import CURRENT, current_release, is_current, point_to, release_keys
from resources.ledger.releases import Publication
from resources.object_store import ObjectStore


def publication(release_id: str, digest: str = "d1") -> Publication:
    return Publication(release_id, "input", digest, *release_keys(release_id, digest))


def test_the_files_of_a_publication_lie_under_its_release_and_its_manifests_digest() -> None:
    assert release_keys("Ünï 1", "d1") == (
        "image-releases/Ünï 1/d1/manifest.parquet",
        "image-releases/Ünï 1/d1/summary.json",
        "image-releases/Ünï 1/d1/gallery.html",
    )


def test_before_the_first_publication_nothing_is_current(store: ObjectStore) -> None:
    assert current_release(store) is None
    assert not is_current(store, publication("r1"))


def test_the_pointer_names_release_manifest_summary_and_gallery(store: ObjectStore) -> None:
    point_to(store, publication("Ünï 1"))
    assert json.loads(store.get(CURRENT)) == {
        "release_id": "Ünï 1",
        "manifest": "image-releases/Ünï 1/d1/manifest.parquet",
        "summary": "image-releases/Ünï 1/d1/summary.json",
        "gallery": "image-releases/Ünï 1/d1/gallery.html",
    }
    assert "Ünï" in store.get(CURRENT).decode(), "readable as it is"


def test_only_the_publication_it_points_to_is_current(store: ObjectStore) -> None:
    point_to(store, publication("r1"))
    assert is_current(store, publication("r1"))
    assert not is_current(store, publication("r1", "d2"))
    assert not is_current(store, publication("r2"))
    point_to(store, publication("r2"))
    assert (is_current(store, publication("r1")), is_current(store, publication("r2"))) == (False, True)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"null", b"[]", b'"r1"', b"{}", b'{"release_id": "r1"}'])
def test_a_pointer_that_cannot_be_understood_points_nowhere(store: ObjectStore, content: bytes) -> None:
    store.put(CURRENT, content)
    assert current_release(store) is None
    assert not is_current(store, publication("r1"))
    point_to(store, publication("r1"))
    assert is_current(store, publication("r1"))
