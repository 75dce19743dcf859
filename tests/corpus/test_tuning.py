"""`corpus tune`: a threshold from the tuning half, and what it would change in the hotels before anybody accepts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from corpus.stock import METHODS, load_hotels, write_photographs
from end_to_end.fresh_worlds import fresh_world
from end_to_end.world import World
from partner_site import partner_site
from pictures import centre_crop, drawn, jpeg

from image_assets.corpus.building import build_corpus
from image_assets.corpus.evaluating import NoPairs
from image_assets.corpus.lines import proposal_lines
from image_assets.corpus.tuning import propose_policy
from image_assets.dedup_quality.tuning import Wanted
from image_assets.image_groups import TALK_POLICY
from resources.ledger import Ledger

# Calls nearly everything the same picture: whatever is proposed takes groups apart.
GREEDY = replace(METHODS, policy=replace(TALK_POLICY, threshold=30.0))


@pytest.fixture(scope="module")
def world(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A hotel with two pictures and a copy of the first, and a corpus of other photographs."""
    with fresh_world(postgres_url) as world, partner_site() as site:
        copy = centre_crop(drawn(1), 0.1)
        load_hotels(world, site, {"h1": [jpeg(drawn(1)), jpeg(drawn(2)), jpeg(copy)]})
        folder = write_photographs(tmp_path_factory.mktemp("stock") / "photos", 12, first=30)
        build_corpus(world.ledger, world.store, METHODS, folder, 100, 0, print, (62, 60))
        yield world


def test_a_stricter_threshold_is_proposed_and_shows_which_groups_come_apart(world: World) -> None:
    proposal = propose_policy(world.ledger, GREEDY, Wanted(max_false_merge_rate=0.3), 100)
    assert proposal.best is not None
    assert proposal.now is not None
    assert proposal.best.threshold < GREEDY.policy.threshold
    assert proposal.best.false_merges.upper <= 0.3 < proposal.now.false_merges.upper
    assert proposal.changes is not None
    changes = proposal.changes
    assert (changes.hotels, changes.hotels_changed, changes.groups_joined, changes.groups_split) == (1, 1, 0, 1)
    (example,) = changes.examples
    assert (example.hotel_id, example.joins, len(example.urls)) == ("h1", False, 3)
    told = "\n".join(proposal_lines(proposal))
    assert f"grouping: {{rule: talk, threshold: {proposal.best.threshold:g}, mirrored: false}}" in told
    assert "corpus evaluate" in told


def test_what_the_policy_does_already_changes_nothing(world: World) -> None:
    methods = replace(METHODS, policy=TALK_POLICY)
    proposal = propose_policy(world.ledger, methods, Wanted(max_false_merge_rate=0.3), 100)
    assert proposal.changes is not None
    assert (proposal.changes.hotels_changed, proposal.changes.examples) == (0, ())


def test_what_no_pairs_can_prove_is_not_proposed(world: World) -> None:
    proposal = propose_policy(world.ledger, GREEDY, Wanted(max_false_merge_rate=1e-6), 100)
    assert (proposal.best, proposal.changes) == (None, None)
    assert "No threshold meets that" in "\n".join(proposal_lines(proposal))


def test_precision_needs_hotels_that_are_grouped(world: World) -> None:
    proposal = propose_policy(world.ledger, GREEDY, Wanted(precision=0.5), 100)
    assert proposal.best is None
    assert "No hotel is grouped yet" in "\n".join(proposal_lines(proposal))


def test_without_pairs_it_says_what_to_do(ledger: Ledger) -> None:
    with pytest.raises(NoPairs, match="image-assets corpus build"):
        propose_policy(ledger, GREEDY, Wanted(max_false_merge_rate=0.3), 100)
