"""What changed recipes cost, and what is told of the renditions they make."""

from __future__ import annotations

from dataclasses import replace

from end_to_end.offers import entries, pictures
from end_to_end.world import World
from partner_site import PartnerSite

from image_assets.renditions import Recipe
from image_assets.shards import whole_release
from resources.ledger.rendering import recipe_sizes


def test_changing_one_recipe_renders_only_that_recipe_and_publishes_again(world: World, site: PartnerSite) -> None:
    world.offer("alpha", "w1", entries("1", pictures(site, "a", range(2))))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    before = {item.key: item.etag for item in world.store.objects("renditions")}

    first, *rest = world.methods.recipes
    world.methods = replace(world.methods, recipes=(replace(first, quality=first.quality - 5), *rest))
    done = world.settle()
    after = {item.key: item.etag for item in world.store.objects("renditions")}
    assert {key.split("/")[1] for key in after.keys() - before.keys()} == {first.name}
    assert before.items() <= after.items(), "existing renditions are not written again"
    assert "publish_image_release" in [work.job for work in done]
    assert sum(site.requests.values()) == 2


def test_adding_a_recipe_renders_only_that_recipe_and_tells_what_its_format_saves(
    world: World, site: PartnerSite
) -> None:
    world.offer("alpha", "w1", entries("1", pictures(site, "a", range(2))))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    before = {item.key: item.etag for item in world.store.objects("renditions")}

    base = world.methods.recipes[3]
    added = replace(base, name="added", quality=base.quality - 20)
    world.methods = replace(world.methods, recipes=(*world.methods.recipes, added))
    built = [world.materialise(work) for work in world.pending().work]
    world.settle()
    after = {item.key: item.etag for item in world.store.objects("renditions")}
    assert {key.split("/")[1] for key in after.keys() - before.keys()} == {"added"}
    assert before.items() <= after.items(), "existing renditions are not written again"
    assert [len(row["renditions"]) for row in world.manifest()] == [15, 15]

    numbers = [run.asset_materializations_for_node("renditions")[0].metadata for run in built]
    made = [rendition for row in world.manifest() for rendition in row["renditions"] if rendition["recipe"] == "added"]
    [shard] = [each for each in numbers if each["published_images"].value]
    assert shard["added_count"].value == 2
    assert shard["added_bytes"].value == sum(rendition["bytes"] for rendition in made)
    assert shard["jpeg_saved_on_originals_share"].value
    with world.ledger.connect() as connection:
        sizes = recipe_sizes(
            connection, whole_release("r1", world.methods), world.methods.recipe_digests, {"added": base.name}
        )
    assert (sizes[-1].recipe, sizes[-1].number, sizes[-1].compared) == ("added", 2, shard["added_bytes"].value)
    assert sizes[-1].counterparts == sizes[3].bytes > sizes[-1].bytes
    assert sizes[-1].originals == sum(item.size for item in world.store.objects("raw"))


def test_renditions_above_their_bytes_are_told_with_the_quality_they_came_to(world: World, site: PartnerSite) -> None:
    world.offer("alpha", "w1", entries("1", pictures(site, "a", range(3))))
    world.release("r1", [("H1", "alpha", "1")])
    world.settle()
    tight = Recipe("tight", 400, 300, quality=85, max_bytes=1000, min_quality=60)
    roomy = replace(tight, name="roomy", max_bytes=1_000_000)
    world.methods = replace(world.methods, recipes=(tight, roomy))
    built = [world.materialise(work) for work in world.pending().work]
    with world.ledger.connect() as connection:
        rows = connection.execute(
            """SELECT recipe, quality, too_large, count(*) FROM renditions WHERE recipe IN ('tight', 'roomy')
               GROUP BY 1, 2, 3 ORDER BY 1"""
        ).fetchall()
    assert rows == [("roomy", 85, False, 3), ("tight", 60, True, 3)]
    numbers = [run.asset_materializations_for_node("renditions")[0].metadata for run in built]
    [shard] = [each for each in numbers if each["published_images"].value]
    assert (shard["tight_too_large"].value, shard["roomy_too_large"].value) == (3, 0)
    told = [record.data for record in shard["too_large"].records]
    assert [(row["recipe"], row["max_bytes"], row["quality"]) for row in told] == [("tight", 1000, 60)] * 3
    sizes = [int(row["bytes"]) for row in told]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] > 1000
