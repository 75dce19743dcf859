"""The data release: load which accommodations are one hotel, and freeze what the release sees.

Belongs here: the asset. Reading files is `data_release`, what pictures look like is `placeholders` and `lookalikes`;
rejects, joins and digests are SQL in the ledger.
"""

import tempfile
from pathlib import Path

import dagster as dg
import numpy as np

from image_assets.fingerprints.asset import fingerprints
from image_assets.fingerprints.luma import unpack_luma
from image_assets.hotel_groups.data_release import UnreadableDataRelease, read_data_release
from image_assets.hotel_groups.lookalikes import lookalikes
from image_assets.hotel_groups.offered import ReleaseFile, offered_releases
from image_assets.hotel_groups.placeholders import LOOKS_VERSION, looks
from image_assets.methods import Methods
from image_assets.partitions import RELEASES
from image_assets.stage_run import INFRASTRUCTURE_RETRIES, StageRun, stage_run
from image_assets.ui_metadata import asset_table, first_rejected
from resources.ledger import Connection, Ledger, placeholders, release_loading, releases
from resources.ledger.decisions import decisions_digest
from resources.ledger.release_sources import held_partners
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
    metadata=asset_table(
        "image_ledger.release_images",
        ("release_id", "text", "the data release"),
        ("hotel_id", "text", "our hotel"),
        ("partner_id", "text", "the partner that offers the picture"),
        ("accommodation_id", "text", "the partner's record of the hotel"),
        ("url", "text", "a picture that was available when the release was frozen"),
        ("sha256", "bytea", "its content"),
        ("placeholder", "bool", "no picture of the hotel: left out of its gallery"),
    ),
)
def hotel_groups(
    context: dg.AssetExecutionContext,
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
    methods: dg.ResourceParam[Methods],
) -> dg.MaterializeResult:
    """The hotels of a data release with the images available when it was frozen; later changes wait for the next one.

    From `data-releases/<release>.csv` and the fingerprinted images; runs once the catalogues that were there when the
    release was first seen are settled. Running it again changes nothing unless the file changed, or people decided on
    pairs of its pictures.
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
            _load(run, store, file, methods)
        elif known.decisions != decisions_digest(run.connection):
            release_loading.apply_decisions(run.connection, release_id)
        known = releases.data_release(run.connection, release_id)
        assert known is not None
        return dg.MaterializeResult(
            metadata={
                "hotels": known.hotels,
                "accommodations": known.accommodations,
                "images": known.images,
                "placeholders": known.placeholders,
                "placeholder_images": known.placeholder_images,
                "hotels_with_placeholders_only": known.only_placeholders,
                "rejected_rows": known.rejected,
                "rejected_by_reason": dg.MetadataValue.json(releases.reject_reasons(run.connection, release_id)),
                **first_rejected(releases.first_rejects(run.connection, release_id)),
                "partners_held_by_failed_share": dg.MetadataValue.json(held_partners(run.connection, release_id)),
                "unknown_partner_rows": known.unknown_partners,
                "unknown_accommodation_rows": known.unknown_accommodations,
                **run.finish(),
            }
        )


def _load(run: StageRun, store: ObjectStore, file: ReleaseFile, methods: Methods) -> None:
    release_id = file.release_id
    release_loading.open_staging(run.connection, release_id)
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "release"
        store.download(file.object_key, local)
        try:
            with local.open("rb") as opened:
                for batch in read_data_release(opened, file.object_key):
                    release_loading.stage_accommodations(run.connection, release_id, batch.entries)
                    release_loading.stage_rejects(run.connection, release_id, batch.rejects)
                    run.advance(len(batch.entries))
        except UnreadableDataRelease as error:
            release_loading.record_unreadable(run.connection, release_id, file.etag, str(error))
            raise dg.Failure(str(error), allow_retries=False) from error
    release_loading.reject_repeated_accommodations(run.connection, release_id, file.object_key)
    release_loading.freeze_images(run.connection, release_id, methods.fingerprint)
    mark_placeholders(run.connection, release_id, methods)
    release_loading.freeze_hotels(run.connection, release_id, file.etag)


def mark_placeholders(connection: Connection, release_id: str, methods: Methods) -> None:
    """Find which of the release's pictures many hotels show, or are blank: they are left out."""
    method = f"{methods.fingerprint}|{LOOKS_VERSION}"
    for page in placeholders.lumas_without_looks(connection, release_id, methods.fingerprint, method):
        seen = looks(np.stack([unpack_luma(luma) for _, luma in page]))
        rows = [
            (sha256, first, second, blank)
            for (sha256, _), (first, second), blank in zip(page, seen.keys.tolist(), seen.blank.tolist(), strict=True)
        ]
        placeholders.record_looks(connection, method, rows)
    most = methods.placeholders.most_hotels(placeholders.count_staged_hotels(connection, release_id))
    popular = placeholders.popular_looks(connection, release_id, methods.fingerprint, method, most)
    alike = lookalikes((sha256s, np.stack([unpack_luma(luma) for luma in lumas])) for sha256s, lumas in popular)
    placeholders.mark_placeholders(connection, release_id, alike, most)
