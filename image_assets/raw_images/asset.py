"""Downloading: fetch, screen and keep what a partner's catalogue entries still lack.

Belongs here: the asset. The fetcher is a resource; verdicts are `screening`; micro-batches are `downloading`.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import dagster as dg

from image_assets.catalogue_diffs.asset import catalogue_diffs
from image_assets.methods import Methods
from image_assets.partitions import PARTNERS
from image_assets.raw_images.downloading import Arrived, Judged, judged_batches
from image_assets.raw_images.screening import LIMIT_REASONS
from image_assets.stage_run import INFRASTRUCTURE_RETRIES, StageRun, stage_run
from resources.image_fetcher import FetchLimits, FetchRequest, fetch_all
from resources.ledger import Ledger, images, tombstones
from resources.ledger.images import FetchResult, QueuedFetch
from resources.object_store import ObjectStore, raw_image_key
from resources.partners import Partners, PartnerSettings

FAILED_SHARE = "failed_share"
FAILED_SHARE_FROM = 100  # attempts; below this a share says little

_PAGE = 5000
_JUDGED_AT_ONCE = 2 * (os.cpu_count() or 1)


@dg.asset(
    partitions_def=PARTNERS,
    deps=[catalogue_diffs],
    group_name="ingest",
    kinds={"s3", "postgres"},
    owners=["team:images"],
    code_version="1",
    retry_policy=INFRASTRUCTURE_RETRIES,
    check_specs=[
        dg.AssetCheckSpec(
            FAILED_SHARE,
            asset="raw_images",
            partitions_def=PARTNERS,
            description="A warning, not a gate: more than `max_failed_share` (partners.yaml) of the partner's images "
            "failed. Their reasons are in the metadata; the partner's next catalogue tries them again.",
        )
    ],
    metadata={
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn("partner_id", "text", description="the partner that offers the picture"),
                dg.TableColumn("fetch_key", "uuid", description="digest of URL and entry version"),
                dg.TableColumn("outcome", "text", description="available, rejected (final) or failed"),
                dg.TableColumn("reason", "text", description="why it is not available"),
                dg.TableColumn("attempts", "int", description="requests made"),
                dg.TableColumn("sha256", "bytea", description="the content, stored under raw/<aa>/<sha256>"),
            ]
        ),
        "dagster/table_name": "image_ledger.fetch_results",
    },
)
def raw_images(
    context: dg.AssetExecutionContext,
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
    partners: dg.ResourceParam[Partners],
    methods: dg.ResourceParam[Methods],
) -> dg.MaterializeResult:
    """The original bytes of every picture a partner offers, once per content; a reason where there are none.

    From the URLs in `catalogue_diffs`; runs when pictures wait to be fetched, or to be judged by changed limits.
    """
    partner_id = context.partition_key
    settings = partners.of(partner_id)
    with stage_run(context, ledger, "raw_images", f"partner:{partner_id}") as run:
        images.requeue_for_limits(
            run.connection,
            partner_id,
            methods.screening,
            sorted(LIMIT_REASONS),
            methods.limits.minimum_short,
            methods.limits.minimum_long,
            methods.limits.max_pixels,
        )
        run.expect(images.count_queued_fetches(run.connection, partner_id))
        tally = asyncio.run(_download(run, partner_id, settings, store, methods))
        outcomes = images.outcomes(run.connection, partner_id)
        totals = {
            outcome: sum(count for kind, _, count in outcomes if kind == outcome)
            for outcome in ("available", "rejected", "failed")
        }
        return dg.MaterializeResult(
            metadata={
                **totals,
                "requests": tally["requests"],
                "fetched_bytes": tally["bytes"],
                "newly_available": tally["available"],
                "newly_rejected": tally["rejected"],
                "newly_failed": tally["failed"],
                "not_available_by_reason": dg.MetadataValue.json(
                    {f"{kind}: {why}": n for kind, why, n in outcomes if why}
                ),
                **run.finish(),
            },
            check_results=[_failed_share(totals["available"], totals["failed"], settings)],
        )


def _failed_share(available: int, failed: int, settings: PartnerSettings) -> dg.AssetCheckResult:
    """Refused content is not counted: it says nothing about the partner's servers."""
    attempted = available + failed
    share = failed / attempted if attempted else 0.0
    return dg.AssetCheckResult(
        check_name=FAILED_SHARE,
        passed=attempted < FAILED_SHARE_FROM or share <= settings.max_failed_share,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{failed:,} of {attempted:,} attempted images failed "
        f"({share:.0%}, limit {settings.max_failed_share:.0%} from {FAILED_SHARE_FROM} attempts up).",
        metadata={"failed_share": round(share, 6)},
    )


async def _download(
    run: StageRun, partner_id: str, settings: PartnerSettings, store: ObjectStore, methods: Methods
) -> dict[str, int]:
    tally = dict.fromkeys(("requests", "bytes", "available", "rejected", "failed"), 0)
    after: str | None = None
    # Page by page, so that memory is flat however long the queue.
    while page := await asyncio.to_thread(images.queued_fetches, run.connection, partner_id, after, _PAGE):
        after = page[-1].fetch_key
        async for batch in judged_batches(_arrivals(page, settings, store), methods.limits, _JUDGED_AT_ONCE):
            await _keep(run, partner_id, store, batch, methods.fingerprint)
            for judged in batch:
                tally[judged.outcome] += 1
                tally["requests"] += judged.attempts
                tally["bytes"] += len(judged.data)
            run.advance(len(batch))
    return tally


async def _arrivals(page: list[QueuedFetch], settings: PartnerSettings, store: ObjectStore) -> AsyncIterator[Arrived]:
    """What the store has already (only the limits changed), then what the partner's servers answer."""
    requests = []
    for queued in page:
        if queued.sha256 is not None:
            with contextlib.suppress(FileNotFoundError):
                data = await store.get_async(raw_image_key(queued.sha256))
                yield Arrived(queued.fetch_key, data, None, True, 0, None)
                continue
        requests.append(FetchRequest(queued.fetch_key, queued.url))
    async for fetched in fetch_all(requests, settings, FetchLimits()):
        yield Arrived(str(fetched.key), fetched.data, fetched.reason, fetched.final, fetched.attempts, fetched.status)


async def _keep(run: StageRun, partner_id: str, store: ObjectStore, batch: list[Judged], method: str) -> None:
    """Objects first, then the rows that refer to them."""
    contents = {judged.sha256: judged.data for judged in batch if judged.sha256 is not None}
    await asyncio.to_thread(tombstones.claim, run.connection, [raw_image_key(sha256) for sha256 in contents])
    known = await asyncio.to_thread(images.known_contents, run.connection, list(contents))
    async with asyncio.TaskGroup() as group:
        for sha256, data in contents.items():
            if sha256 not in known:
                group.create_task(store.put_async(raw_image_key(sha256), data))
    results = [_result(judged) for judged in batch]
    await asyncio.to_thread(images.record_fetches, run.connection, partner_id, results, method)


def _result(judged: Judged) -> FetchResult:
    screening = judged.screening if judged.sha256 is not None else None
    return FetchResult(
        judged.fetch_key,
        judged.outcome,
        judged.reason,
        judged.attempts,
        judged.status,
        judged.sha256,
        screening.format if screening else None,
        screening.width if screening else None,
        screening.height if screening else None,
        len(judged.data),
    )
