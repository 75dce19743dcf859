"""The data release: load which accommodations are one hotel, and freeze what the release sees.

Belongs here: the asset. Reading files is `data_release`; rejects, joins and digests are SQL in the ledger.
"""

import tempfile
from pathlib import Path

import dagster as dg

from image_assets.fingerprints.asset import fingerprints
from image_assets.hotel_groups.data_release import UnreadableDataRelease, read_data_release
from image_assets.hotel_groups.offered import ReleaseFile, offered_releases
from image_assets.methods import Methods
from image_assets.partitions import RELEASES
from image_assets.stage_run import INFRASTRUCTURE_RETRIES, StageRun, stage_run
from resources.ledger import Ledger, releases
from resources.object_store import ObjectStore


@dg.asset(
    partitions_def=RELEASES,
    # A release reads what all partners have; Dagster would silently assume identity otherwise.
    deps=[dg.AssetDep(fingerprints, partition_mapping=dg.AllPartitionMapping())],
    group_name="release",
    kinds={"postgres"},
    owners=["team:images"],
    code_version="1",
    retry_policy=INFRASTRUCTURE_RETRIES,
    metadata={
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn("release_id", "text", description="the data release"),
                dg.TableColumn("hotel_id", "text", description="our hotel"),
                dg.TableColumn("partner_id", "text", description="the partner that offers the picture"),
                dg.TableColumn("accommodation_id", "text", description="the partner's record of the hotel"),
                dg.TableColumn("url", "text", description="a picture that was available when the release was frozen"),
                dg.TableColumn("sha256", "bytea", description="its content"),
            ]
        ),
        "dagster/table_name": "image_ledger.release_images",
    },
)
def hotel_groups(
    context: dg.AssetExecutionContext,
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
    methods: dg.ResourceParam[Methods],
) -> dg.MaterializeResult:
    """The hotels of a data release with the images available when it was frozen; later changes wait for the next one.

    From `data-releases/<release>.csv` and the fingerprinted images; runs once the catalogues that were there when the
    release was first seen are settled. Running it again changes nothing unless the file changed.
    """
    release_id = context.partition_key
    with stage_run(context, ledger, "hotel_groups", f"release:{release_id}") as run:
        offered = offered_releases(store)
        file = next((r for r in offered.releases if r.release_id == release_id), None)
        if file is None:
            raise dg.Failure(
                f"There is no data-releases/{release_id}.csv or .csv.gz in {store.url}.", allow_retries=False
            )
        known = releases.data_release(run.connection, release_id)
        if known is not None and known.etag != file.etag and file == offered.newest:
            raise dg.Failure(
                f"{file.object_key} changed since it was first seen. The data release sensor takes up the new file, "
                "and asks for it once the catalogues that lie there now are settled.",
                allow_retries=False,
            )
        releases.notice_release(run.connection, release_id, file.object_key, file.etag, {})
        known = releases.data_release(run.connection, release_id)
        if known is None or known.outcome != "loaded" or known.decided_etag != file.etag:
            _load(run, store, file, methods.fingerprint)
            known = releases.data_release(run.connection, release_id)
        assert known is not None
        return dg.MaterializeResult(
            metadata={
                "hotels": known.hotels,
                "accommodations": known.accommodations,
                "images": known.images,
                "rejected_rows": known.rejected,
                "rejected_by_reason": dg.MetadataValue.json(releases.reject_reasons(run.connection, release_id)),
                "unknown_partner_rows": known.unknown_partners,
                "unknown_accommodation_rows": known.unknown_accommodations,
                **run.finish(),
            }
        )


def _load(run: StageRun, store: ObjectStore, file: ReleaseFile, method: str) -> None:
    release_id = file.release_id
    releases.open_staging(run.connection, release_id)
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "release"
        store.download(file.object_key, local)
        try:
            with local.open("rb") as opened:
                for batch in read_data_release(opened, file.object_key):
                    releases.stage_accommodations(run.connection, release_id, batch.entries)
                    releases.stage_rejects(run.connection, release_id, batch.rejects)
                    run.advance(len(batch.entries))
        except UnreadableDataRelease as error:
            releases.record_unreadable(run.connection, release_id, file.etag, str(error))
            raise dg.Failure(str(error), allow_retries=False) from error
    releases.reject_repeated_accommodations(run.connection, release_id, file.object_key)
    releases.freeze(run.connection, release_id, file.etag, method)
