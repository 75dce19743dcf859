"""Generating: the renditions of every published image that are not in the store yet.

Belongs here: the asset and its gates. What a recipe means is `recipes`, how pixels are made is `rendering`, how much
goes on at once is `making`.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import islice

import dagster as dg

from image_assets.methods import Methods
from image_assets.partitions import RELEASE_SHARDS
from image_assets.pillow_limits import trust_screened_files
from image_assets.priorities.asset import priorities
from image_assets.renditions.making import Made, Wanted, made_of
from image_assets.renditions.recipes import Recipe, recipe_digest, rendition_key
from image_assets.renditions.sizes import jpeg_counterparts, size_metadata
from image_assets.shards import loaded_release, partition_shard, require_stage, stage_digest
from image_assets.stage_run import INFRASTRUCTURE_RETRIES, stage_run
from image_assets.ui_metadata import asset_table, check_result, shown_rows
from resources.ledger import Connection, Ledger, images, rendering, shards, tombstones
from resources.ledger.gates import RENDITIONS_IN_STORE, Gate, any_closed, forget_gate, record_gate
from resources.object_store import ObjectStore

RENDERABLE = "renderable"
DECODABLE = "every_rendition_decodes"
# What passed screening and fingerprinting was decoded twice; many failures mean that rendering itself is broken.
MAX_UNRENDERABLE = 10
MAX_UNRENDERABLE_SHARE = 0.01
_IMAGES_A_BATCH = 64
_TOO_LARGE_SHOWN = 20

trust_screened_files()


@dg.asset(
    partitions_def=RELEASE_SHARDS,
    deps=[priorities],
    group_name="release",
    kinds={"python", "s3", "postgres"},
    owners=["team:images"],
    code_version="1",
    retry_policy=INFRASTRUCTURE_RETRIES,
    check_specs=[
        dg.AssetCheckSpec(
            RENDERABLE,
            asset="renditions",
            blocking=True,
            partitions_def=RELEASE_SHARDS,
            description="At most 10, or one in a hundred, of the shard's published images cannot be rendered. When "
            "closed, rendering itself is probably broken: mend `renditions.yaml` or the installation, then materialise "
            "the shard again.",
        ),
        dg.AssetCheckSpec(
            DECODABLE,
            asset="renditions",
            blocking=True,
            partitions_def=RELEASE_SHARDS,
            description="Every rendition decodes, fits the box of its recipe and has its format: each is checked when "
            "it is made, and none that fails is stored. When closed, an encoder made it: mend the installation or the "
            "recipe, then materialise the shard again; or publish without these images by `image-assets accept-release "
            "RELEASE`.",
        ),
    ],
    metadata=asset_table(
        "image_ledger.renditions",
        ("sha256", "bytea", "the content it was made from"),
        ("recipe", "text", "its name in renditions.yaml"),
        ("recipe_digest", "text", "of all that changes the recipe's output"),
        ("key", "text", "where it lies in the store"),
        ("width", "int", "pixels"),
        ("height", "int", "pixels"),
        ("bytes", "int", "size of the object"),
        ("format", "text", "jpeg, webp or avif"),
        ("quality", "smallint", "it was encoded with; less than the recipe's for bytes"),
        ("too_large", "boolean", "above the recipe's max_bytes in the lowest quality"),
    ),
)
def renditions(
    context: dg.AssetExecutionContext,
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
    methods: dg.ResourceParam[Methods],
) -> dg.MaterializeResult:
    """Every published image in all recipes, made once per content and recipe.

    From `priorities`, the bytes of `raw_images` and `renditions.yaml`; runs after `priorities`. Only what is not in
    the store yet is made.
    """
    shard = partition_shard(context, methods)
    counts = Counter[str]()
    with stage_run(context, ledger, "renditions", f"shard:{context.partition_key}") as run:
        release = loaded_release(run.connection, shard.release_id)
        tombstones.keep_hotels(run.connection, shard)
        tombstones.keep_renditions(run.connection, shard, methods.recipe_digests)
        require_stage(run.connection, shard, release, methods, "priorities")
        digest = stage_digest(release, methods, "renditions")
        # What failed is not tried twice; but whoever materialises a closed shard has mended what it was closed for.
        mended = any_closed(run.connection, "renditions", context.partition_key)
        run.expect(rendering.find_unrendered(run.connection, shard, methods.recipe_digests, methods.rendering, mended))
        wanted = _claimed(run.connection, methods.recipes)
        with closing(made_of(wanted, store.get_original, store.put)) as results:
            while batch := list(islice(results, _IMAGES_A_BATCH)):
                counts += _record(run.connection, batch, methods.rendering)
                run.advance(len(batch))
        hotels = shards.count_hotels(run.connection, shard)
        published = rendering.count_published_contents(run.connection, shard)
        failures = rendering.rendition_failures(run.connection, shard, methods.rendering)
        gates = [
            record_gate(
                run.connection, Gate("renditions", context.partition_key, name, digest, *rule(published, failures))
            )
            for name, rule in _RULES.items()
        ]
        if not any(gate.closed for gate in gates):
            shards.record_shard(run.connection, shard, "renditions", digest, hotels, counts["made"])
        if counts["made"]:
            forget_gate(run.connection, "image_release", shard.release_id, RENDITIONS_IN_STORE)
        sizes = rendering.recipe_sizes(
            run.connection, shard, methods.recipe_digests, jpeg_counterparts(methods.recipes)
        )
        limits = [
            (recipe.name, recipe_digest(recipe), recipe.max_bytes) for recipe in methods.recipes if recipe.max_bytes
        ]
        too_large = rendering.renditions_too_large(run.connection, shard, limits, _TOO_LARGE_SHOWN) if limits else []
        return dg.MaterializeResult(
            metadata={
                "hotels": hotels,
                "published_images": published,
                "renditions_made": counts["made"],
                "renditions_made_bytes": counts["bytes"],
                "unrenderable_images": len(failures),
                "lost_originals": counts["lost"],
                **size_metadata(sizes, methods.recipes),
                **({"too_large": shown_rows(row._asdict() for row in too_large)} if too_large else {}),
                **run.finish(),
            },
            check_results=[check_result(context, gate, unrenderable_images=len(failures)) for gate in gates],
        )


def _claimed(connection: Connection, recipes: tuple[Recipe, ...]) -> Iterator[Wanted]:
    """The work that was found, whose objects are kept from `image-assets gc` before it is begun."""
    for found in rendering.unrendered_pages(connection, _IMAGES_A_BATCH):
        page = [Wanted(sha256, size, [recipes[number] for number in numbers]) for sha256, size, numbers in found]
        keys = [rendition_key(recipe, content.sha256) for content in page for recipe in content.recipes]
        tombstones.claim(connection, keys)
        yield from page


def _record(connection: Connection, batch: list[Made], recipes_digest: str) -> Counter[str]:
    """One micro-batch, all of whose objects are in the store."""
    rows = [row for made in batch for row in made.stored]
    failures = [(made.sha256, made.failure, made.flawed) for made in batch if made.failure is not None]
    rendering.record_renditions(connection, rows, failures, recipes_digest)
    lost = [made.sha256 for made in batch if made.lost]
    images.forget_contents(connection, lost)
    return Counter(made=len(rows), bytes=sum(row.bytes for row in rows), lost=len(lost))


def _renderable(published: int, failures: list[tuple[str, str, bool]]) -> tuple[bool, str]:
    message = f"{len(failures):,} of {published:,} published images cannot be rendered{_first(failures)}."
    return len(failures) <= max(MAX_UNRENDERABLE, MAX_UNRENDERABLE_SHARE * published), message


def _decodable(published: int, failures: list[tuple[str, str, bool]]) -> tuple[bool, str]:
    flawed = [failure for failure in failures if failure[2]]
    return not flawed, f"{len(flawed):,} of {published:,} published images have a flawed rendition{_first(flawed)}."


def _first(failures: list[tuple[str, str, bool]]) -> str:
    return f", the first: {failures[0][0]} ({failures[0][1]})" if failures else ""


_RULES = {RENDERABLE: _renderable, DECODABLE: _decodable}
