"""What the users' files choose: the methods that all stages work by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from image_assets.chosen_methods import read_methods
from image_assets.image_groups import ALIGNED_POLICY, DEFAULT_POLICY, TALK_POLICY, Requirements
from image_assets.methods import Methods
from resources.environment import read_environment
from resources.partners import PartnersFileError


def methods(tmp_path: Path, text: str) -> Methods:
    file = tmp_path / "partners.yaml"
    file.write_text(text)
    return read_methods(read_environment({"PARTNERS_FILE": str(file), "IMAGE_ASSETS_HOME": str(tmp_path)}))


def test_without_a_word_in_the_file_the_default_policy_and_bounds_hold(tmp_path: Path) -> None:
    chosen = methods(tmp_path, "partners: {}\n")
    assert (chosen.policy, chosen.required) == (DEFAULT_POLICY, Requirements())


def test_a_rule_comes_with_its_own_threshold(tmp_path: Path) -> None:
    assert methods(tmp_path, "grouping: {rule: talk}\n").policy == TALK_POLICY
    assert methods(tmp_path, "grouping: {rule: aligned}\n").policy == ALIGNED_POLICY


def test_threshold_mirrored_pictures_and_bounds_are_set_by_the_file(tmp_path: Path) -> None:
    chosen = methods(
        tmp_path,
        "grouping: {rule: talk, threshold: 3, mirrored: true, max_false_merge_rate: 0.001, min_recall: 0.5}\n",
    )
    assert (chosen.policy.threshold, chosen.policy.mirrored) == (3.0, True)
    assert chosen.required == Requirements(max_false_merge_rate=0.001, min_recall=0.5)


def test_another_threshold_groups_anew_and_another_bound_does_not(tmp_path: Path) -> None:
    now = methods(tmp_path, "grouping: {rule: talk}\n")
    assert methods(tmp_path, "grouping: {rule: talk, threshold: 3}\n").grouping != now.grouping
    assert methods(tmp_path, "grouping: {rule: talk, min_recall: 0.5}\n").grouping == now.grouping


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("grouping: {rule: phash}", "grouping: expected one of aligned, talk as rule, found 'phash'"),
        (
            "grouping: {rule: aligned, threshold: 4}",
            "grouping: policy aligned: threshold is 4, must be between 0 and 1",
        ),
        ("grouping: {rule: talk, threshold: 65}", "grouping: policy talk: threshold is 65, must be 1 to 64"),
        ("fingerprints: {algorithm: md5}", "fingerprints: expected one of dhash, "),
        ("screening: {formats: [heic]}", "screening: formats must be some of jpeg, "),
    ],
)
def test_a_choice_that_does_not_exist_is_an_error_that_names_file_and_section(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(PartnersFileError, match=re.escape(f"partners.yaml: {told}")):
        methods(tmp_path, text + "\n")
