"""Fingerprinting: measure every available content once.

Belongs here: the asset. What is measured, and how, is in the room's other modules.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import dagster as dg

from image_assets.fingerprints.hashing import pack_hashes
from image_assets.fingerprints.luma import pack_luma
from image_assets.fingerprints.measuring import UnreadableImage, measure
from image_assets.methods import Methods
from image_assets.partitions import PARTNERS
from image_assets.pillow_limits import trust_screened_files
from image_assets.raw_images.asset import raw_images
from image_assets.stage_run import INFRASTRUCTURE_RETRIES, stage_run
from image_assets.ui_metadata import asset_table
from resources.ledger import Ledger, images, tombstones
from resources.ledger.images import FingerprintRow
from resources.object_store import ObjectStore

_PAGE = 200
_THREADS = os.cpu_count() or 1

trust_screened_files()


@dg.asset(
    partitions_def=PARTNERS,
    deps=[raw_images],
    group_name="ingest",
    kinds={"python", "postgres"},
    owners=["team:images"],
    code_version="1",
    retry_policy=INFRASTRUCTURE_RETRIES,
    metadata=asset_table(
        "image_ledger.fingerprints",
        ("sha256", "bytea", "the content"),
        ("method", "text", "version of the method that measured it"),
        ("crop_hashes", "bytea", "36 unsigned 64-bit hashes, big-endian"),
        ("luma", "bytea", "40 x 40 luma thumbnail"),
        ("width", "int", "pixels, EXIF orientation applied"),
        ("height", "int", "pixels, EXIF orientation applied"),
        ("sharpness", "float8", "variance of the Laplacian, 0 and up"),
        ("brightness", "float8", "mean luma, 0 to 255"),
        ("contrast", "float8", "standard deviation of the luma"),
        ("colourfulness", "float8", "Hasler and Suesstrunk's measure, 0 is grey"),
    ),
)
def fingerprints(
    context: dg.AssetExecutionContext,
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
    methods: dg.ResourceParam[Methods],
) -> dg.MaterializeResult:
    """What we keep of each available content to recognise and rank it: crop hashes, luma thumbnail, features.

    From the bytes of `raw_images`; runs when contents lack a fingerprint of the present method.
    """
    partner_id = context.partition_key
    failed = 0
    with (
        stage_run(context, ledger, "fingerprints", f"partner:{partner_id}") as run,
        ThreadPoolExecutor(_THREADS) as pool,
    ):
        tombstones.keep_method(run.connection, methods.fingerprint)
        images.requeue_for_method(run.connection, partner_id, methods.fingerprint)
        run.expect(images.count_queued_fingerprints(run.connection, partner_id))
        after = ""
        while page := images.queued_fingerprints(run.connection, partner_id, methods.fingerprint, _PAGE, after):
            after = page[-1]
            measured = list(pool.map(partial(_measure, store, methods.algorithm), page))
            rows: Sequence[FingerprintRow] = [row for row in measured if isinstance(row, FingerprintRow)]
            failures = [
                (sha256, str(row))
                for sha256, row in zip(page, measured, strict=True)
                if isinstance(row, UnreadableImage)
            ]
            images.record_fingerprints(run.connection, partner_id, methods.fingerprint, rows, failures)
            images.forget_contents(run.connection, [s for s, row in zip(page, measured, strict=True) if row is None])
            failed += len(failures)
            run.advance(len(page))
        images.record_method(run.connection, partner_id, methods.fingerprint)
        return dg.MaterializeResult(metadata={"method": methods.fingerprint, "newly_failed": failed, **run.finish()})


def _measure(store: ObjectStore, algorithm: str, sha256: str) -> FingerprintRow | UnreadableImage | None:
    """None: the original is not in the store any more, and must be fetched again."""
    try:
        measured = measure(store.get_original(sha256), algorithm)
    except UnreadableImage as trouble:
        return trouble
    except FileNotFoundError:
        return None
    features = measured.features
    return FingerprintRow(
        sha256,
        measured.fingerprint.width,
        measured.fingerprint.height,
        features.sharpness,
        features.brightness,
        features.contrast,
        features.colourfulness,
        pack_hashes(measured.fingerprint.crop_hashes),
        pack_luma(measured.fingerprint.luma),
    )
