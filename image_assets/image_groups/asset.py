"""Deduplicating: find the images of each hotel that show the same picture, where something changed.

Belongs here: the asset and its gate. The rule is `similarity`, the groups are `grouping`, people's decisions
are `decided`.
"""

from collections.abc import Iterable, Iterator

import dagster as dg
import numpy as np

from image_assets.certification import WHAT_TO_DO, certification
from image_assets.fingerprints.hashing import CROPS, unpack_hashes
from image_assets.fingerprints.luma import LUMA_SIDE, unpack_luma
from image_assets.hotel_groups.asset import hotel_groups
from image_assets.image_groups.decided import disobeyed
from image_assets.image_groups.grouping import group_pictures, image_group_id
from image_assets.image_groups.similarity import Policy
from image_assets.methods import Methods
from image_assets.partitions import RELEASE_SHARDS
from image_assets.shards import loaded_release, partition_shard, stage_digest
from image_assets.stage_run import INFRASTRUCTURE_RETRIES, stage_run
from image_assets.ui_metadata import asset_table, check_result
from resources.ledger import Ledger, grouping, shards, tombstones
from resources.ledger.gates import POLICY_CERTIFIED, Gate, record_gate
from resources.ledger.grouping import BY_DECISION, GroupedHotel, HotelContents, LinkRow

GATE = "every_image_grouped"
_NOT_ASKED = "Not asked: the policy is not certified, so nothing is grouped by it."
_HOTELS_A_BATCH = 500
_IMAGES_A_BATCH = 20_000  # 2 kB each and their groups, some 60 MB; a hotel of more is a batch of its own


@dg.asset(
    partitions_def=RELEASE_SHARDS,
    deps=[dg.AssetDep(hotel_groups, partition_mapping=dg.MultiToSingleDimensionPartitionMapping("release"))],
    group_name="release",
    kinds={"numba", "postgres"},
    owners=["team:images"],
    code_version="1",
    retry_policy=INFRASTRUCTURE_RETRIES,
    check_specs=[
        dg.AssetCheckSpec(
            GATE,
            asset="image_groups",
            blocking=True,
            partitions_def=RELEASE_SHARDS,
            description="Every image that the release sees is in exactly one image group of its hotel. When closed: "
            "fingerprints are missing; materialise `fingerprints` of the partners, then this shard again.",
        ),
        dg.AssetCheckSpec(
            POLICY_CERTIFIED,
            asset="image_groups",
            blocking=True,
            partitions_def=RELEASE_SHARDS,
            description="A certificate for the policy, its version and the fingerprints meets the required bounds on "
            f"false merges and recall. When closed, nothing is grouped. {WHAT_TO_DO}",
        ),
    ],
    metadata=asset_table(
        "image_ledger.image_groups",
        ("hotel_id", "text", "our hotel"),
        ("group_digest", "uuid", "of contents, people's decisions and policy"),
        ("image_group_id", "text", "digest of hotel and smallest member"),
        ("sha256", "bytea", "a content that shows the group's picture"),
    ),
)
def image_groups(
    context: dg.AssetExecutionContext,
    ledger: dg.ResourceParam[Ledger],
    methods: dg.ResourceParam[Methods],
) -> dg.MaterializeResult:
    """Which images of a hotel show the same picture: as the policy sees it.

    From `hotel_groups` (the release's frozen images) and their fingerprints; runs when the release is loaded, and only
    by a policy that a certificate speaks for. Only hotels whose images changed, or all when the policy did, are
    computed.
    """
    shard = partition_shard(context, methods)
    with stage_run(context, ledger, "image_groups", f"shard:{context.partition_key}") as run:
        digest = stage_digest(loaded_release(run.connection, shard.release_id), methods, "image_groups")
        tombstones.keep_hotels(run.connection, shard)
        certified = record_gate(
            run.connection, certification(run.connection, methods).gate(context.partition_key, digest)
        )
        if certified.closed:
            return dg.MaterializeResult(
                metadata=run.finish(),
                check_results=[
                    check_result(context, certified),
                    dg.AssetCheckResult(
                        check_name=GATE, passed=False, severity=dg.AssetCheckSeverity.WARN, description=_NOT_ASKED
                    ),
                ],
            )
        todo = grouping.ungrouped_hotels(run.connection, shard)
        run.expect(len(todo))
        for hotels in batches(todo):
            contents = grouping.hotel_contents(run.connection, shard, hotels, methods.fingerprint)
            # Groups of half the images would pass for the hotel's: it waits, and the gate below says so.
            complete = [hotel for hotel in contents if hotel.complete]
            grouping.record_groups(run.connection, [group_hotel(hotel, methods.policy) for hotel in complete])
            run.advance(len(hotels))
        counts = grouping.group_counts(run.connection, shard)
        ungrouped = grouping.ungrouped_images(run.connection, shard)
        gate = record_gate(
            run.connection,
            Gate(
                "image_groups",
                context.partition_key,
                GATE,
                digest,
                ungrouped == 0,
                f"{ungrouped:,} of the shard's catalogue entries are in no image group (their fingerprint is missing).",
            ),
        )
        if not gate.closed:
            shards.record_shard(run.connection, shard, "image_groups", digest, counts.hotels, len(todo))
        return dg.MaterializeResult(
            metadata={
                "hotels": counts.hotels,
                "hotels_computed": len(todo),
                "contents": counts.contents,
                "image_groups": counts.image_groups,
                "duplicate_contents": counts.contents - counts.image_groups,
                "links": counts.links,
                "weak_groups": counts.weak_groups,
                "parted_groups": counts.parted_groups,
                "split_links": counts.split_links,
                "decisions": counts.decisions,
                "decisions_disobeyed": counts.decisions_disobeyed,
                **run.finish(),
            },
            check_results=[
                check_result(context, certified),
                check_result(context, gate, ungrouped_entries=ungrouped),
            ],
        )


def batches(
    hotels: Iterable[tuple[str, int]], most_hotels: int = _HOTELS_A_BATCH, most_images: int = _IMAGES_A_BATCH
) -> Iterator[list[str]]:
    """Hotels, given with their images, in the same order, as many at once as are read and written together."""
    batch: list[str] = []
    held = 0
    for hotel_id, images in hotels:
        if batch and (len(batch) == most_hotels or held + images > most_images):
            yield batch
            batch, held = [], 0
        batch.append(hotel_id)
        held += images
    if batch:
        yield batch


def group_hotel(hotel: HotelContents, policy: Policy) -> GroupedHotel:
    """The image groups of one hotel, and what made them; its contents all have their fingerprint."""
    place = {sha256: index for index, sha256 in enumerate(hotel.sha256s)}
    decided = {(place[a], place[b]): same for a, b, same in hotel.decisions if {a, b} <= place.keys()}
    together = [pair for pair, same in decided.items() if same]
    apart = [pair for pair, same in decided.items() if not same]
    found = group_pictures(
        np.array([unpack_hashes(packed) for packed in hotel.crop_hashes], np.uint64).reshape(-1, CROPS),
        np.array([unpack_luma(packed) for packed in hotel.lumas], np.uint8).reshape(-1, LUMA_SIDE, LUMA_SIDE),
        policy,
        together,
        apart,
    )
    members = [[hotel.sha256s[index] for index in group] for group in found.groups]
    ids = [image_group_id(hotel.hotel_id, sha256s) for sha256s in members]
    id_of = {index: ids[number] for number, group in enumerate(found.groups) for index in group}
    return GroupedHotel(
        hotel.hotel_id,
        hotel.group_digest,
        dict(zip(ids, members, strict=True)),
        [
            LinkRow(
                id_of[link.a],
                hotel.sha256s[link.a],
                hotel.sha256s[link.b],
                BY_DECISION if decided.get((link.a, link.b)) else policy.rule,
                link.score,
                link.window,
                link.mirrored,
            )
            for link in found.links
        ],
        [ids[number] for number in found.weak],
        [ids[number] for number in found.parted],
        found.split,
        disobeyed(found.groups, together, apart),
    )
