"""Why images are one group: kept with the groups, told by `image-assets explain`, and drawn for people to judge."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from end_to_end.fresh_worlds import fresh_world
from end_to_end.world import World
from partner_site import partner_site
from pictures import drawn, jpeg
from PIL import Image, ImageOps

from image_assets.commands.deciding import decide
from image_assets.commands.explaining import NothingToExplain, draw_explanation, explain, explanation_lines
from image_assets.image_groups import ALIGNED_POLICY
from image_assets.image_release.publishing import current_release
from resources.ledger.explaining import Explanation

SCENE = drawn(1, 800, 600)
PICTURES = {
    "scene": SCENE,
    "scene, left cut": SCENE.crop((160, 0, 800, 600)),
    "scene, mirrored": ImageOps.mirror(SCENE.crop((0, 0, 720, 600))),
    "pool": drawn(2),
    "garden": drawn(3),
    "blank": Image.new("RGB", (640, 480), "white"),
}
DATA = {name: jpeg(image) for name, image in PICTURES.items()}
SHA256 = {name: hashlib.sha256(data).hexdigest() for name, data in DATA.items()}


@pytest.fixture(scope="module")
def world(postgres_url: str) -> Iterator[World]:
    """One hotel with all the pictures; mirrored ones count. People said: pool and garden are the same, and no scene."""
    with fresh_world(postgres_url) as world, partner_site() as site:
        policy = replace(ALIGNED_POLICY, mirrored=True)
        world.methods = replace(world.methods, recipes=world.methods.recipes[:1], policy=policy)
        urls = [site.serve(f"/{number}.jpg", data) for number, data in enumerate(DATA.values())]
        world.offer("alpha", "w1", [{"accommodation_id": "1", "url": url} for url in urls])
        world.release("r1", [("H1", "alpha", "1")])
        world.settle()
        decide(world.ledger, True, SHA256["pool"], SHA256["garden"], None)
        decide(world.ledger, False, SHA256["pool"], SHA256["scene"], None)
        world.settle()
        yield world


def explained(world: World, hotel: str = "H1", release: str | None = None) -> Explanation:
    with world.ledger.connect() as connection:
        return explain(connection, world.store, world.methods, hotel, release)


def test_a_hotels_groups_are_told_with_the_links_that_made_them(world: World) -> None:
    found = explained(world)
    short = {name: sha256[:12] for name, sha256 in SHA256.items()}
    lines = list(explanation_lines(found))
    assert lines[0] == "release r1, hotel H1: 6 images of 6 contents are 2 image groups"
    assert sum(line.startswith("image group ") for line in lines) == 2
    linked = {frozenset((link.a, link.b)): link for link in found.links}
    scenes = [SHA256[name] for name in PICTURES if name.startswith("scene")]
    tied = {sha256 for pair in linked for sha256 in pair}
    assert tied == {*scenes, SHA256["pool"], SHA256["garden"]}
    decided = linked[frozenset((SHA256["pool"], SHA256["garden"]))]
    assert (decided.rule, decided.window) == ("decision", None)
    for link in found.links:
        if link is not decided:
            assert link.rule == "aligned"
            assert link.mirrored == (SHA256["scene, mirrored"] in (link.a, link.b))
            assert link.score > world.methods.policy.threshold
    assert all("  PARTED: " in line for line in lines if line.startswith("image group "))
    same, different = (" ".join(sorted((short["pool"], short[other]))) for other in ("garden", "scene"))
    assert lines[-3] == "decided by people"
    assert set(lines[-2:]) == {f"  same      {same}", f"  different {different}"}
    assert f"    {same.replace(' ', ' = ')}  decision" in lines
    left_out = lines[lines.index("left out as placeholders (image-assets placeholders)") + 1]
    assert left_out.startswith(f"  {short['blank']}  alpha / 1  http://")


def test_the_picture_shows_each_pair_aligned_side_by_side(world: World) -> None:
    found = explained(world)
    with world.ledger.connect() as connection:
        sheet = np.asarray(draw_explanation(connection, world.store, world.methods, found), dtype=float)
    rows = np.flatnonzero((sheet[:, 24:1180] == (0xDC, 0xD8, 0xD0)).all(axis=(1, 2)))  # a line above each pair
    assert len(rows) == len(found.links)
    for link, row in zip(found.links, rows, strict=True):
        first, second = (sheet[row + 40 : row + 250, left : left + 250] for left in (236, 608))
        # What is not aligned differs by more than 30 of 255 on these drawings.
        assert (np.abs(first - second).mean() < 15) == (link.rule == "aligned"), link


def test_the_summary_counts_what_made_the_groups(world: World) -> None:
    current = current_release(world.store)
    assert current is not None
    told = json.loads(world.store.get(current["summary"]))
    assert (told["links"], told["decisions"], told["decisions_disobeyed"]) == (len(explained(world).links), 2, 0)
    assert (told["weak_groups"], told["parted_groups"], told["split_links"]) == (0, 2, 0)


def test_what_cannot_be_explained_says_why(world: World) -> None:
    with pytest.raises(NothingToExplain, match="Release r1 has no hotel H9"):
        explained(world, "H9")
    with pytest.raises(NothingToExplain, match="Data release r0 is not loaded"):
        explained(world, release="r0")
    changed = replace(world, methods=replace(world.methods, policy=replace(world.methods.policy, threshold=0.8)))
    with pytest.raises(NothingToExplain, match="still to be made"):
        explained(changed)
