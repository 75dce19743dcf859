"""Publishing: write manifest, summary and gallery, check the gates, move `current`.

Belongs here: the asset. Rules are in `gates`, files in `manifest`, `summary` and `gallery`, keys in `publishing`.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from image_assets.certification import certification
from image_assets.hotel_groups.offered import offered_releases
from image_assets.image_release import gates
from image_assets.image_release.gallery import render_gallery
from image_assets.image_release.manifest import ManifestFacts, lost_hotels, write_manifest
from image_assets.image_release.publishing import (
    RELEASES_KEPT,
    current_release,
    is_current,
    point_to,
    release_keys,
)
from image_assets.image_release.release_tables import Tally, published_batches
from image_assets.image_release.summary import GateOutcome, ReleaseSummary, summary_json
from image_assets.methods import Methods
from image_assets.partitions import RELEASES, SHARD_KEYS
from image_assets.priorities import RANKING_VERSION
from image_assets.renditions.asset import renditions
from image_assets.shards import loaded_release, stage_digest, whole_release
from image_assets.stage_run import INFRASTRUCTURE_RETRIES, StageRun, stage_run
from image_assets.store_pages import page_url
from image_assets.ui_metadata import asset_table, check_result
from resources.ledger import Ledger, grouping, publishing, releases, rendering, shards, tombstones
from resources.ledger.gates import RENDITIONS_IN_STORE, Gate, all_gates, record_gate
from resources.ledger.publishing import PublishedPage
from resources.ledger.releases import DataRelease, Publication
from resources.object_store import ObjectStore


@dg.asset(
    partitions_def=RELEASES,
    deps=[dg.AssetDep(renditions, partition_mapping=dg.MultiToSingleDimensionPartitionMapping("release"))],
    group_name="release",
    kinds={"parquet", "s3"},
    owners=["team:images"],
    code_version="1",
    retry_policy=INFRASTRUCTURE_RETRIES,
    check_specs=[
        dg.AssetCheckSpec(name, asset="image_release", blocking=True, partitions_def=RELEASES, description=description)
        for name, description in gates.DESCRIPTIONS.items()
    ],
    metadata=asset_table(
        "image-releases/<release>/<manifest digest>/manifest.parquet",
        ("hotel_id", "text", "our hotel"),
        ("position", "int32", "in the hotel's gallery, from 1, best first"),
        ("image_group_id", "text", "the picture that the group's images show"),
        ("sha256", "text", "the published content, hex"),
        ("partner_id", "text", "who offers the published image"),
        ("accommodation_id", "text", "the partner's record of the hotel"),
        ("url", "text", "where it was fetched"),
        ("width", "int32", "of the original, pixels"),
        ("height", "int32", "of the original, pixels"),
        ("score", "float64", "why it is there, 0 to 1"),
        ("members", "list<struct>", "every catalogue entry it stands for"),
        ("renditions", "list<struct>", "recipe, key in the store, size, format"),
    ),
)
def image_release(
    context: dg.AssetExecutionContext,
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
    methods: dg.ResourceParam[Methods],
) -> dg.MaterializeResult:
    """The published galleries of a data release: manifest, summary, gallery page, and the pointer `current.json`.

    From all shards of the release; runs when they are built. Only the newest release becomes current, last of all,
    and only when every gate is open.
    """
    release_id = context.partition_key
    with (
        stage_run(context, ledger, "image_release", f"release:{release_id}") as run,
        tempfile.TemporaryDirectory() as folder,
    ):
        release = loaded_release(run.connection, release_id)
        whole = whole_release(release_id, methods)
        tombstones.keep_hotels(run.connection, whole)
        tombstones.keep_renditions(run.connection, whole, methods.recipe_digests)
        _require_built_shards(run, release, methods)
        manifest = Path(folder) / "manifest.parquet"
        facts, tally = _write_manifest(run, release, methods, manifest)
        outcomes = _check_gates(run, store, release, methods, manifest, tally)
        published = _publication(release, methods, facts)
        all_open = not any(gate.closed for gate, _ in outcomes)
        if all_open:
            summary = _summary(run, release, methods, facts, tally, [gate for gate, _ in outcomes])
            _publish(run, store, published, manifest, summary, tally)
        return dg.MaterializeResult(
            metadata={
                **(_links(store, published) if all_open else {}),
                "published": all_open,
                "current": all_open and is_current(store, published),
                "hotels": release.hotels,
                "hotels_with_images": facts.hotels,
                "published_images": facts.rows,
                "duplicates_removed": tally.entries - tally.groups,
                "withheld_groups": tally.withheld,
                "renditions": tally.renditions,
                "renditions_bytes": tally.rendition_bytes,
                "manifest_bytes": facts.bytes,
                **run.finish(),
            },
            check_results=[check_result(context, gate, violations=violations) for gate, violations in outcomes],
        )


def _links(store: ObjectStore, published: Publication) -> dict[str, dg.MetadataValue]:
    keys = {"gallery": published.gallery_key, "manifest": published.manifest_key, "summary": published.summary_key}
    return {name: dg.MetadataValue.url(page_url(store.url, key)) for name, key in keys.items()}


def _require_built_shards(run: StageRun, release: DataRelease, methods: Methods) -> None:
    built = shards.built_shards(run.connection, release.release_id)
    digest = stage_digest(release, methods, "renditions")
    missing = [shard for shard in SHARD_KEYS if built.get((shard, "renditions")) != digest]
    if missing:
        raise dg.Failure(
            f"{len(missing)} of {len(SHARD_KEYS)} shards of release {release.release_id} are not up to date "
            f"({', '.join(missing[:5])}): materialise image_groups, priorities and renditions for them first.",
            allow_retries=False,
        )


def _write_manifest(run: StageRun, release: DataRelease, methods: Methods, target: Path) -> tuple[ManifestFacts, Tally]:
    tally = Tally()
    run.expect(release.hotels)
    whole = whole_release(release.release_id, methods)
    pages = publishing.published_pages(run.connection, whole, methods.recipe_digests)
    facts = write_manifest(published_batches(_counted(run, pages), len(methods.recipes), tally), target)
    return facts, tally


def _counted(run: StageRun, pages: Iterator[PublishedPage]) -> Iterator[PublishedPage]:
    for page in pages:
        yield page
        run.advance(len(page.hotels))


def _check_gates(
    run: StageRun, store: ObjectStore, release: DataRelease, methods: Methods, manifest: Path, tally: Tally
) -> list[tuple[Gate, int]]:
    """Each gate's outcome, and how many things break its rule."""
    release_id = release.release_id
    without = tally.without_picture
    missing = _missing_renditions(run, store, release, methods, tally)
    # An older release, built by hand, takes no hotel from anybody: it does not become current.
    becomes_current = _becomes_current(store, release_id)
    current, lost, before = _lost_since_current(store, manifest) if becomes_current else (None, 0, 0)
    shards = {f"{release_id}|{shard}" for shard in SHARD_KEYS}
    closed = [gate for gate in all_gates(run.connection) if gate.closed and gate.partition_key in shards]
    verdicts = (
        (gates.EVERY_HOTEL_HAS_A_PICTURE, gates.every_hotel_has_a_picture(without), len(without)),
        (RENDITIONS_IN_STORE, gates.renditions_in_store(missing, tally.renditions), len(missing)),
        (gates.FEW_HOTELS_LOST, gates.few_hotels_lost(current, lost, before, methods.max_lost_hotels_share), lost),
        (gates.SHARD_GATES_OPEN, gates.shard_gates_open(closed), len(closed)),
    )
    digest = stage_digest(release, methods, "image_release")
    return [
        (record_gate(run.connection, Gate("image_release", release_id, name, digest, *verdict)), violations)
        for name, verdict, violations in verdicts
    ]


def _missing_renditions(
    run: StageRun, store: ObjectStore, release: DataRelease, methods: Methods, tally: Tally
) -> list[str]:
    """The keys of published renditions that are not in the store; they are forgotten, so that they are made again.

    All of them are counted in `tally`.
    """
    whole = whole_release(release.release_id, methods)
    missing: list[str] = []
    for page in rendering.published_renditions(run.connection, whole, methods.recipe_digests):
        missing.extend(store.missing([key for key, _ in page]))
        tally.renditions += len(page)
        tally.rendition_bytes += sum(size for _, size in page)
    if missing:
        store.require_there()
    rendering.forget_renditions(run.connection, release.release_id, missing)
    return missing


def _becomes_current(store: ObjectStore, release_id: str) -> bool:
    newest = offered_releases(store).newest
    return newest is None or newest.release_id == release_id


def _lost_since_current(store: ObjectStore, manifest: Path) -> tuple[str | None, int, int]:
    """The current release, the hotels of its manifest that the new one lacks, and the hotels of its manifest."""
    pointer = current_release(store)
    if pointer is None:
        return None, 0, 0
    before = manifest.with_name("current.parquet")
    try:
        store.download(pointer["manifest"], before)
    except FileNotFoundError:
        return None, 0, 0
    return pointer["release_id"], *lost_hotels(before, manifest)


def _publication(release: DataRelease, methods: Methods, facts: ManifestFacts) -> Publication:
    return Publication(
        release.release_id,
        stage_digest(release, methods, "image_release"),
        facts.digest,
        *release_keys(release.release_id, facts.digest),
    )


def _publish(
    run: StageRun, store: ObjectStore, published: Publication, manifest: Path, summary: ReleaseSummary, tally: Tally
) -> None:
    """Files first, then the pointer, then the row that says so."""
    gallery = render_gallery(published.release_id, tally.first_hotels, summary)
    tombstones.claim(run.connection, [published.manifest_key, published.summary_key, published.gallery_key])
    store.put_file(published.manifest_key, manifest)
    store.put(published.summary_key, summary_json(summary))
    store.put(published.gallery_key, gallery.encode())
    if _becomes_current(store, published.release_id):
        point_to(store, published)
    releases.record_publication(run.connection, published)
    if oldest := releases.kept_from(run.connection, RELEASES_KEPT):
        releases.drop_releases_before(run.connection, oldest)


def _summary(
    run: StageRun, release: DataRelease, methods: Methods, facts: ManifestFacts, tally: Tally, outcomes: list[Gate]
) -> ReleaseSummary:
    grouped = grouping.group_counts(run.connection, whole_release(release.release_id, methods))
    certified = certification(run.connection, methods)
    return ReleaseSummary(
        release_id=release.release_id,
        manifest_digest=facts.digest,
        hotels=release.hotels,
        hotels_with_images=facts.hotels,
        available_images=tally.entries,
        image_groups=tally.groups,
        published_images=facts.rows,
        duplicates_removed=tally.entries - tally.groups,
        renditions=tally.renditions,
        rendition_bytes=tally.rendition_bytes,
        links=grouped.links,
        weak_groups=grouped.weak_groups,
        parted_groups=grouped.parted_groups,
        split_links=grouped.split_links,
        decisions=grouped.decisions,
        decisions_disobeyed=grouped.decisions_disobeyed,
        placeholders=release.placeholders,
        placeholder_images=release.placeholder_images,
        hotels_with_placeholders_only=release.only_placeholders,
        published_by_partner=dict(sorted(tally.by_partner.items())),
        withheld={"renditions_missing": tally.withheld} if tally.withheld else {},
        rejected_rows=releases.reject_reasons(run.connection, release.release_id),
        gates=tuple(
            # The rule, not the message: that names the release that was current, and the summary names no history.
            GateOutcome(g.asset, g.partition_key, g.gate, g.passed, g.accepted, gates.DESCRIPTIONS[g.gate])
            for g in outcomes
        ),
        recipes=dict(methods.recipe_digests),
        certificate=certified.content,
        method_versions={
            "fingerprint": methods.fingerprint,
            "grouping": methods.grouping,
            "ranking": RANKING_VERSION,
            "screening": methods.screening,
        },
    )
