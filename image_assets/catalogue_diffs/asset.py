"""Triggering: bring a partner's entries in the ledger up to date with its newest catalogue.

Belongs here: the asset and its gate. Reading files is `formats`, the diff itself is SQL in the ledger.
"""

import tempfile
from pathlib import Path
from shlex import quote

import dagster as dg

from image_assets.catalogue_diffs.formats import UnreadableCatalogue, read_catalogue
from image_assets.catalogue_diffs.offered import newest_catalogue
from image_assets.methods import Methods
from image_assets.partitions import PARTNERS
from image_assets.stage_run import INFRASTRUCTURE_RETRIES, StageRun, stage_run
from image_assets.ui_metadata import asset_table, check_result, first_rejected
from resources.ledger import Ledger, catalogues
from resources.ledger.catalogues import CatalogueVersion, DiffCounts
from resources.ledger.gates import Gate, record_gate
from resources.object_store import ObjectStore

GATE = "deleted_share"


@dg.asset(
    partitions_def=PARTNERS,
    group_name="ingest",
    kinds={"postgres"},
    owners=["team:images"],
    code_version="1",
    retry_policy=INFRASTRUCTURE_RETRIES,
    check_specs=[
        dg.AssetCheckSpec(
            GATE,
            asset="catalogue_diffs",
            blocking=True,
            partitions_def=PARTNERS,
            description="A catalogue that deletes more than `max_deleted_share` (partners.yaml) of a known partner's "
            "URLs is held: nothing of it is applied. If the partner means it, let it through with "
            "`image-assets accept-shrink PARTNER VERSION`; otherwise wait for the partner's next catalogue.",
        )
    ],
    metadata=asset_table(
        "image_ledger.catalogue_entries",
        ("partner_id", "text", "the partner whose catalogue it is"),
        ("accommodation_id", "text", "the partner's own hotel id, kept as text"),
        ("url", "text", "where the partner offers the picture, kept exactly"),
        ("position", "int", "the partner's own order, when given"),
        ("version", "text", "changes when the picture behind the URL changes"),
    ),
)
def catalogue_diffs(
    context: dg.AssetExecutionContext,
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
    methods: dg.ResourceParam[Methods],
) -> dg.MaterializeResult:
    """The entries of each partner's newest catalogue, as new, updated, deleted and unchanged URLs.

    From `catalogues/<partner>/<version>.*` in the store; runs when a partner's newest catalogue changes. Running it
    again changes nothing unless there is a newer catalogue.
    """
    partner_id = context.partition_key
    with stage_run(context, ledger, "catalogue_diffs", f"partner:{partner_id}") as run:
        catalogue = newest_catalogue(store, partner_id)
        if catalogue is None:
            raise dg.Failure(
                f"There is no catalogue under catalogues/{partner_id}/ in {store.url}.", allow_retries=False
            )
        if catalogues.applied_catalogue(run.connection, partner_id) == (catalogue.version, catalogue.etag):
            message = f"{catalogue.version} is applied already."
            gate = record_gate(
                run.connection,
                Gate("catalogue_diffs", partner_id, GATE, methods.shrink_digest(catalogue), True, message),
            )
            known = catalogues.count_entries(run.connection, partner_id)
            return _result(context, run, catalogue, DiffCounts(0, 0, 0, known), gate)
        counts = _stage(run, store, catalogue)
        gate = record_gate(run.connection, _deleted_share_gate(catalogue, counts, methods))
        if gate.closed:
            catalogues.record_outcome(run.connection, catalogue, "held", counts, gate.message)
        else:
            catalogues.apply(run.connection, catalogue, counts)
        return _result(context, run, catalogue, counts, gate)


def _result(
    context: dg.AssetExecutionContext, run: StageRun, catalogue: CatalogueVersion, counts: DiffCounts, gate: Gate
) -> dg.MaterializeResult:
    rejected = catalogues.count_rejected(run.connection, catalogue.partner_id, catalogue.version)
    reasons = catalogues.reject_reasons(run.connection, catalogue.partner_id, catalogue.version)
    first = catalogues.first_rejects(run.connection, catalogue.partner_id, catalogue.version)
    deleted_share = round(counts.deleted_share, 6)
    return dg.MaterializeResult(
        metadata={
            "catalogue_version": catalogue.version,
            "applied": not gate.closed,
            "entries": counts.offered,
            "new": counts.new,
            "updated": counts.updated,
            "deleted": counts.deleted,
            "unchanged": counts.unchanged,
            "deleted_share": deleted_share,
            "rejected_rows": rejected,
            "rejected_by_reason": dg.MetadataValue.json(reasons),
            **first_rejected(first),
            **run.finish(),
        },
        check_results=[check_result(context, gate, deleted_share=deleted_share)],
    )


def _stage(run: StageRun, store: ObjectStore, catalogue: CatalogueVersion) -> DiffCounts:
    catalogues.open_staging(run.connection, catalogue)
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "catalogue"
        store.download(catalogue.object_key, local)
        try:
            with local.open("rb") as file:
                for batch in read_catalogue(file, catalogue.object_key):
                    catalogues.stage_entries(run.connection, catalogue.partner_id, batch.entries)
                    catalogues.stage_rejects(run.connection, catalogue, batch.rejects, row_kept=False)
                    catalogues.stage_rejects(run.connection, catalogue, batch.notices, row_kept=True)
                    run.advance(len(batch.entries))
        except UnreadableCatalogue as error:
            catalogues.record_outcome(run.connection, catalogue, "unreadable", message=str(error))
            raise dg.Failure(str(error), allow_retries=False) from error
    catalogues.reject_duplicates(run.connection, catalogue, catalogue.object_key)
    return catalogues.diff(run.connection, catalogue.partner_id)


def _deleted_share_gate(catalogue: CatalogueVersion, counts: DiffCounts, methods: Methods) -> Gate:
    limit = methods.partner(catalogue.partner_id).max_deleted_share
    passed = counts.deleted_share <= limit
    message = (
        f"Catalogue {catalogue.version} of {catalogue.partner_id} deletes {counts.deleted:,} of {counts.known:,} "
        f"known URLs ({counts.deleted_share:.0%}, limit {limit:.0%})."
    )
    if not passed:
        message += (
            f" Nothing was applied. If the partner means it: "
            f"image-assets accept-shrink {quote(catalogue.partner_id)} {quote(catalogue.version)}"
        )
    return Gate("catalogue_diffs", catalogue.partner_id, GATE, methods.shrink_digest(catalogue), passed, message)
