"""Generating: the renditions of every published image that are not in the store yet.

Belongs here: the asset and its gate. What a recipe means is `recipes`, how pixels are made is `rendering`.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import dagster as dg
from PIL import Image

from image_assets.methods import Methods
from image_assets.partitions import RELEASE_SHARDS
from image_assets.priorities.asset import priorities
from image_assets.renditions.recipes import Recipe, recipe_digest, rendition_key
from image_assets.renditions.rendering import RenderingFailed, render
from image_assets.shards import loaded_release, partition_shard, require_stage, stage_digest
from image_assets.stage_run import INFRASTRUCTURE_RETRIES, check_result, stage_run
from resources.ledger import Ledger, images, rendering, shards, tombstones
from resources.ledger.operations import RENDITIONS_IN_STORE, Gate, forget_gate, record_gate
from resources.ledger.rendering import RenditionRow
from resources.object_store import ObjectStore, raw_image_key

GATE = "renderable"
# What passed screening and fingerprinting was decoded twice; many failures mean that rendering itself is broken.
MAX_UNRENDERABLE = 10
MAX_UNRENDERABLE_SHARE = 0.01
_IMAGES_A_BATCH = 64
_THREADS = os.cpu_count() or 1

# Only images within the user's `max_pixels` come here; Pillow's own limit must not second-guess it.
Image.MAX_IMAGE_PIXELS = None


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
            GATE,
            asset="renditions",
            blocking=True,
            partitions_def=RELEASE_SHARDS,
            description="At most 10, or one in a hundred, of the shard's published images cannot be rendered. When "
            "closed, rendering itself is probably broken: mend `renditions.yaml` or the installation, then materialise "
            "the shard again.",
        )
    ],
    metadata={
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn("sha256", "bytea", description="the content it was made from"),
                dg.TableColumn("recipe", "text", description="its name in renditions.yaml"),
                dg.TableColumn("recipe_digest", "text", description="of all that changes the recipe's output"),
                dg.TableColumn("key", "text", description="where it lies in the store"),
                dg.TableColumn("width", "int", description="pixels"),
                dg.TableColumn("height", "int", description="pixels"),
                dg.TableColumn("bytes", "int", description="size of the object"),
                dg.TableColumn("format", "text", description="jpeg, webp or avif"),
            ]
        ),
        "dagster/table_name": "image_ledger.renditions",
    },
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
    made_count = made_bytes = lost_count = 0
    with (
        stage_run(context, ledger, "renditions", f"shard:{context.partition_key}") as run,
        ThreadPoolExecutor(_THREADS) as pool,
    ):
        release = loaded_release(run.connection, shard.release_id)
        tombstones.keep_hotels(run.connection, shard)
        tombstones.keep_renditions(run.connection, shard, methods.recipe_digests)
        require_stage(run.connection, shard, release, methods, "priorities")
        digest = stage_digest(release, methods, "renditions")
        todo = rendering.unrendered_contents(run.connection, shard, methods.recipe_digests, methods.rendering)
        run.expect(len(todo))
        for start in range(0, len(todo), _IMAGES_A_BATCH):
            page = todo[start : start + _IMAGES_A_BATCH]
            tombstones.claim(run.connection, _keys_to_write(methods.recipes, page))
            rendered = list(pool.map(partial(_render_and_store, store, methods.recipes), page))
            made = [row for result in rendered for row in result.made]
            failures = [(result.sha256, result.failure) for result in rendered if result.failure is not None]
            rendering.record_renditions(run.connection, made, failures, methods.rendering)
            lost = [result.sha256 for result in rendered if result.lost]
            images.forget_contents(run.connection, lost)
            lost_count += len(lost)
            made_count += len(made)
            made_bytes += sum(row.bytes for row in made)
            run.advance(len(page))
        hotels = shards.count_hotels(run.connection, shard)
        failed = rendering.rendition_failures(run.connection, shard, methods.rendering)
        published = rendering.count_published_contents(run.connection, shard)
        gate = record_gate(
            run.connection,
            Gate(
                "renditions",
                context.partition_key,
                GATE,
                digest,
                len(failed) <= max(MAX_UNRENDERABLE, MAX_UNRENDERABLE_SHARE * published),
                f"{len(failed):,} of {published:,} published images cannot be rendered"
                + (f", the first: {failed[0][0]} ({failed[0][1]})." if failed else "."),
            ),
        )
        if not gate.closed:
            shards.record_shard(run.connection, shard, "renditions", digest, hotels, made_count)
        if made_count:
            forget_gate(run.connection, "image_release", shard.release_id, RENDITIONS_IN_STORE)
        return dg.MaterializeResult(
            metadata={
                "hotels": hotels,
                "published_images": published,
                "renditions_made": made_count,
                "renditions_made_bytes": made_bytes,
                "unrenderable_images": len(failed),
                "lost_originals": lost_count,
                **run.finish(),
            },
            check_results=[check_result(context, gate, unrenderable_images=len(failed))],
        )


def _keys_to_write(recipes: tuple[Recipe, ...], page: list[tuple[str, list[str]]]) -> list[str]:
    by_name = {recipe.name: recipe for recipe in recipes}
    return [rendition_key(by_name[name], sha256) for sha256, names in page for name in names]


@dataclass(frozen=True)
class _Rendered:
    sha256: str
    made: list[RenditionRow]
    failure: str | None
    lost: bool = False  # the original is not in the store any more: it is fetched again, for the next release


def _render_and_store(store: ObjectStore, recipes: tuple[Recipe, ...], todo: tuple[str, list[str]]) -> _Rendered:
    """Make the missing recipes of one content and put them; the row follows once all its objects are durable."""
    sha256, names = todo
    wanted = [recipe for recipe in recipes if recipe.name in names]
    try:
        results = render(store.get(raw_image_key(sha256)), wanted)
    except RenderingFailed as trouble:
        return _Rendered(sha256, [], str(trouble))
    except FileNotFoundError:
        return _Rendered(sha256, [], None, lost=True)
    rows = []
    for recipe in wanted:
        rendition = results[recipe.name]
        key = rendition_key(recipe, sha256)
        store.put(key, rendition.data)
        rows.append(
            RenditionRow(
                sha256,
                recipe.name,
                recipe_digest(recipe),
                key,
                rendition.width,
                rendition.height,
                len(rendition.data),
                rendition.format,
            )
        )
    return _Rendered(sha256, rows, None)
