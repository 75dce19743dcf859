"""The certificates that the package brings: there for every default policy, and what their material gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.certificates import (
    DIFFERENT_PAIRS,
    ONE_SCENE,
    POLICIES,
    SAME_PAIRS,
    TARGET,
    built_in_corpus,
    certificates_json,
    certified,
    sources,
)
from demo.photographs import photograph_folder
from image_assets.fingerprints import method_version
from image_assets.image_groups import DEFAULT_POLICY, Requirements
from image_assets.image_groups.certificate import built_in_certificates, certificate_for, shortcoming
from image_assets.methods import DEFAULT_ALGORITHM

METHOD = method_version(DEFAULT_ALGORITHM)
FOLDER = photograph_folder()
needs_photographs = pytest.mark.skipif(FOLDER is None, reason="the demo's photographs are not installed")


def test_every_default_policy_has_one_of_its_present_version_on_the_present_fingerprints() -> None:
    assert [(known.policy, known.fingerprint) for known in built_in_certificates()] == [(p, METHOD) for p in POLICIES]


def test_the_default_policy_is_proven() -> None:
    known = certificate_for(DEFAULT_POLICY, METHOD, [])
    assert shortcoming(DEFAULT_POLICY, METHOD, known, Requirements()) is None


def test_the_page_on_the_guarantee_quotes_the_certificate_of_the_default_policy() -> None:
    known = certificate_for(DEFAULT_POLICY, METHOD, [])
    assert known is not None
    page = " ".join(Path("docs/same-picture-guarantee.md").read_text().split())
    same = sum(edit.pairs for edit in known.by_edit.values())
    assert f"{same:,} same and {known.false_merges.pairs:,} different pairs" in page
    assert f"the rate is at most {rate(known.false_merges.upper)}" in page
    assert f"{known.confused_pictures.pairs} pairs of photographs and their copies" in page
    assert f"if copies told nothing new it would be {rate(known.confused_pictures.upper)}" in page


def rate(share: float) -> str:
    return f"{share:.1e}".replace("e-0", "e-")


@needs_photographs
def test_a_part_of_the_material_gives_the_same_certificate_each_time() -> None:
    assert FOLDER is not None
    part = sources(FOLDER)[:12]
    once, again = (certified(built_in_corpus(part, 62, 120), DEFAULT_POLICY) for _ in range(2))
    assert once == again
    assert once.recall.hits > 50
    assert once.confused_pictures.pairs == 12 * 11 / 2


@needs_photographs
def test_every_two_photographs_are_compared_and_shots_of_one_scene_are_labelled_by_people() -> None:
    assert FOLDER is not None
    scene = [source for source in sources(FOLDER) if source.name in ONE_SCENE[1]]
    others = [source for source in sources(FOLDER) if source.name not in ONE_SCENE[1]][:3]
    shown = certified(built_in_corpus([*scene, *others], 62, 120), DEFAULT_POLICY)
    assert (len(scene), shown.confused_pictures.pairs, shown.decided.pairs) == (2, 9, 1)


@pytest.mark.long
@needs_photographs
def test_made_again_the_file_is_the_same_byte_for_byte() -> None:
    assert FOLDER is not None
    corpus = built_in_corpus(sources(FOLDER), SAME_PAIRS, DIFFERENT_PAIRS)
    assert certificates_json([certified(corpus, policy) for policy in POLICIES]) == TARGET.read_text()
