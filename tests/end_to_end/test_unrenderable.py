"""What cannot be rendered: it is told, closes its gate where it is much, and is made once what broke it is mended."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from end_to_end.offers import entries, pictures
from end_to_end.world import World
from partner_site import PartnerSite
from pictures import drawn, jpeg

from image_assets.image_release.publishing import current_release
from image_assets.pending_work import BUILD, Work
from image_assets.renditions import Recipe, RenderingFailed, Rendition, making


def build_again(world: World, done: Sequence[Work]) -> None:
    """What somebody does by hand in the UI once something is mended: every shard is materialised again."""
    for work in done:
        if work.job == BUILD:
            world.materialise(work)
    world.settle()
    assert world.closed_gates() == []


def test_a_flawed_rendition_closes_the_gate_of_its_shard_until_the_encoder_is_mended(
    world: World, site: PartnerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage by an encoder cannot be had from outside: what it makes of one picture is cut off before it is checked."""
    spoilt, sound = pictures(site, "a", range(2))
    world.offer("alpha", "w1", entries("1", [spoilt, sound]))
    world.release("r1", [("H1", "alpha", "1")])
    bytes_of_spoilt = jpeg(drawn(0))
    render = making.render

    def damaged(data: bytes, recipes: Sequence[Recipe]) -> dict[str, Rendition]:
        made = render(data, recipes)
        last = recipes[-1].name
        return made | ({last: replace(made[last], data=made[last].data[:-50])} if data == bytes_of_spoilt else {})

    monkeypatch.setattr(making, "render", damaged)
    done = world.settle()
    assert world.closed_gates() == ["every_rendition_decodes"]
    [stopped] = world.pending().stopped
    assert "1 of 2 published images have a flawed rendition" in stopped
    assert "does not decode" in stopped
    assert current_release(world.store) is None
    written = {item.key.split("/")[3][:64] for item in world.store.objects("renditions")}
    assert written == {hashlib.sha256(jpeg(drawn(1))).hexdigest()}, "none of the spoilt picture is stored"

    monkeypatch.setattr(making, "render", render)
    build_again(world, done)
    assert [len(row["renditions"]) for row in world.manifest()] == [len(world.methods.recipes)] * 2


def test_pictures_that_an_installation_cannot_render_are_made_once_it_is_mended(
    world: World, site: PartnerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that is missing cannot be had in the one process of the tests: rendering fails as it would then."""
    world.offer("alpha", "w1", entries("1", pictures(site, "a", range(12))))
    world.release("r1", [("H1", "alpha", "1")])
    render, asked = making.render, list[bytes]()

    def without_a_library(data: bytes, recipes: Sequence[Recipe]) -> dict[str, Rendition]:
        asked.append(data)
        if data != jpeg(drawn(0)):
            raise RenderingFailed("cannot be decoded: No module named 'pyvips'")
        return render(data, recipes)

    monkeypatch.setattr(making, "render", without_a_library)
    done = world.settle()
    assert world.closed_gates() == ["renderable"]
    assert "11 of 12 published images cannot be rendered" in world.pending().stopped[0]
    assert current_release(world.store) is None
    assert len(asked) == 12

    monkeypatch.setattr(making, "render", render)
    build_again(world, done)
    assert len(world.manifest()) == 12
