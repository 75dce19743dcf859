"""The four jobs: which assets run together for one partition.

Does not belong here: when they run (sensors).
"""

from __future__ import annotations

import dagster as dg

from image_assets.pending_work import BUILD, INGEST, LOAD, PUBLISH

INGEST_CATALOGUE = dg.define_asset_job(
    INGEST,
    selection=["catalogue_diffs", "raw_images", "fingerprints"],
    description="Take in one partner's newest catalogue: diff, download, fingerprint.",
)
LOAD_DATA_RELEASE = dg.define_asset_job(
    LOAD, selection=["hotel_groups"], description="Load a data release and freeze what it sees."
)
BUILD_HOTEL_SHARD = dg.define_asset_job(
    BUILD,
    selection=["image_groups", "priorities", "renditions"],
    description="Group, rank and render the hotels of one shard of a release, where something changed.",
)
PUBLISH_IMAGE_RELEASE = dg.define_asset_job(
    PUBLISH, selection=["image_release"], description="Check the gates, write the manifest, move `current`."
)

JOBS = [INGEST_CATALOGUE, LOAD_DATA_RELEASE, BUILD_HOTEL_SHARD, PUBLISH_IMAGE_RELEASE]
