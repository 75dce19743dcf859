"""Downloading: fetch, screen and keep what a partner's catalogue entries still lack.

Belongs here: the asset. The fetcher is a resource; verdicts are `screening`; micro-batches are `downloading`.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from functools import partial
from typing import cast

import dagster as dg

from image_assets.catalogue_diffs.asset import catalogue_diffs
from image_assets.methods import Methods
from image_assets.outages import wait_out_async
from image_assets.partitions import PARTNERS
from image_assets.raw_images.downloading import Arrived, Judged, Said, judge, judged_batches
from image_assets.raw_images.drawing import FairDrawing
from image_assets.raw_images.failed_share import failed_share
from image_assets.raw_images.screening import LIMIT_REASONS
from image_assets.stage_run import INFRASTRUCTURE_RETRIES, StageRun, stage_run
from image_assets.ui_metadata import asset_table, check_result, shown_rows
from resources.environment import read_environment
from resources.image_fetcher import FetchRequest, HostReport, HostRow, Validators, fetch_all, waiting_places
from resources.ledger import Ledger, catalogues, fetch_queue, fetch_results, images, tombstones
from resources.ledger.fetch_queue import QueuedFetch
from resources.ledger.fetch_results import FetchResult
from resources.ledger.gates import FAILED_SHARE, Gate, record_gate
from resources.ledger.release_sources import last_passed
from resources.object_store import ObjectStore, raw_image_key
from resources.partners import Partners, PartnerSettings

_HOSTS_SHOWN = 20
_OUTCOMES = ("available", "rejected", "failed", "unchanged")
_PAGE = 1000
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
            description="More than `max_failed_share` (partners.yaml) of the partner's attempted images failed, from "
            "100 attempts up. Releases then see the partner's pictures of the last release it passed. Their reasons: "
            "`image-assets failures PARTNER`. It opens when the next round goes better, or by "
            "`image-assets accept-failures PARTNER`.",
        )
    ],
    metadata=asset_table(
        "image_ledger.fetch_results",
        ("partner_id", "text", "the partner that offers the picture"),
        ("fetch_key", "uuid", "digest of URL and entry version"),
        ("outcome", "text", "available, rejected (final) or failed"),
        ("reason", "text", "why it is not available"),
        ("attempts", "int", "requests made"),
        ("sha256", "bytea", "the content, stored under raw/<aa>/<sha256>"),
    ),
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
        run.ask(
            fetch_queue.requeue_for_screening,
            partner_id,
            methods.screening_of(partner_id),
            sorted(LIMIT_REASONS),
            methods.limits.minimum_short,
            methods.limits.minimum_long,
            methods.limits.max_pixels,
            methods.limits.formats,
            settings.obey_robots_tag,
        )
        run.ask(fetch_queue.queue_due_rechecks, partner_id, settings.recheck_after)
        run.expect(run.ask(fetch_queue.count_queued, partner_id))
        report = HostReport()
        tally = asyncio.run(_download(run, partner_id, settings, store, methods, report))
        outcomes = run.ask(fetch_results.outcomes, partner_id)
        totals = {
            outcome: sum(count for kind, _, count in outcomes if kind == outcome)
            for outcome in ("available", "rejected", "failed")
        }
        share, gate = _gate(run, partner_id, totals, settings, methods)
        hosts = report.rows(_HOSTS_SHOWN)
        ended = run.finish()
        return dg.MaterializeResult(
            metadata={
                **totals,
                "requests": sum(host.requests for host in hosts),
                "fetched_bytes": tally["bytes"],
                "fetched_bytes_per_second": round(tally["bytes"] / ended["seconds"]) if ended["seconds"] else 0,
                **{f"newly_{outcome}": tally[f"newly_{outcome}"] for outcome in _OUTCOMES},
                "newly_opted_out": tally["newly_opted_out"],
                "failed_rechecks": tally["failed_rechecks"],
                "newly_by_reason": dg.MetadataValue.json(
                    {
                        key.removeprefix("reason:"): count
                        for key, count in tally.most_common()
                        if key.startswith("reason:") and count
                    }
                ),
                "not_available_by_reason": dg.MetadataValue.json(
                    {f"{kind}: {why}": n for kind, why, n in outcomes if why}
                ),
                "hosts": _host_table(hosts),
                **ended,
            },
            check_results=[check_result(context, gate, failed_share=share)],
        )


def _gate(
    run: StageRun, partner_id: str, totals: dict[str, int], settings: PartnerSettings, methods: Methods
) -> tuple[float, Gate]:
    """The share of failed images, and whether the next release may see this partner's pictures."""
    share, passed, message = failed_share(totals["available"], totals["failed"], settings.max_failed_share)
    if not passed:
        earlier = run.ask(last_passed, partner_id)
        message += (
            f" Releases loaded now see its pictures of release {earlier}."
            if earlier
            else " It never passed before: releases loaded now see no picture of it."
        )
    digest = methods.failed_digest(partner_id, *(run.ask(catalogues.applied_catalogue, partner_id) or (None, None)))
    gate = Gate("raw_images", partner_id, FAILED_SHARE, digest, passed, message)
    return round(share, 6), run.ask(record_gate, gate)


def _host_table(hosts: Sequence[HostRow]) -> dg.TableMetadataValue:
    """The busiest hosts of this run; latencies are milliseconds until an answer began, `state` is the last one."""
    return shown_rows({name: "" if value is None else value for name, value in asdict(host).items()} for host in hosts)


async def _download(
    run: StageRun, partner_id: str, settings: PartnerSettings, store: ObjectStore, methods: Methods, report: HostReport
) -> Counter[str]:
    """Everything that is queued, page by page, so that memory is flat however long the queue. What came of it."""
    tally: Counter[str] = Counter()
    for arrivals in (_stored(run, partner_id, store), _fetched(run, partner_id, settings, report)):
        async for batch in judged_batches(arrivals, partial(judge, limits=methods.limits), _JUDGED_AT_ONCE):
            kept = await _keep(run, partner_id, store, batch, methods.fingerprint)
            for judged in batch:
                tally["failed_rechecks" if judged.fetch_key in kept else f"newly_{judged.outcome}"] += 1
                tally[f"reason:{judged.reason}"] += judged.reason is not None
                tally["newly_opted_out"] += judged.said.robots_tag is not None
                tally["bytes"] += judged.arrived_bytes if judged.attempts else 0
            await asyncio.to_thread(run.advance, len(batch))
    return tally


async def _stored(run: StageRun, partner_id: str, store: ObjectStore) -> AsyncIterator[Arrived]:
    """What the store has already: only the limits changed."""
    after: str | None = None
    while page := await asyncio.to_thread(run.ask, fetch_queue.queued_in_store, partner_id, after, _PAGE):
        after = page[-1].fetch_key
        for queued in page:
            get = partial(store.get_original_async, str(queued.sha256))
            try:
                data = await wait_out_async("the store", get, _patience())
            except FileNotFoundError:
                await asyncio.to_thread(run.ask, fetch_queue.fetch_instead, partner_id, [queued.fetch_key])
            else:
                yield Arrived(queued.fetch_key, data, None, True, 0, None)


async def _fetched(
    run: StageRun, partner_id: str, settings: PartnerSettings, report: HostReport
) -> AsyncIterator[Arrived]:
    """What the partner's servers answer."""
    drawing = FairDrawing[QueuedFetch](
        hosts=lambda after, limit: asyncio.to_thread(run.ask, fetch_queue.queued_hosts, partner_id, after, limit),
        pages=lambda after, limits: asyncio.to_thread(run.ask, fetch_queue.queued_fetches, partner_id, after, limits),
        places=waiting_places(settings),
    )

    async def requests() -> AsyncIterator[FetchRequest]:
        async for queued in drawing.images():
            yield FetchRequest(queued, queued.url, Validators(queued.etag, queued.last_modified))

    async with aclosing(fetch_all(requests(), settings, report=report)) as fetching:
        async for fetched in fetching:
            queued = cast(QueuedFetch, fetched.key)
            drawing.ended(queued)
            yield Arrived(
                queued.fetch_key,
                fetched.data,
                fetched.reason,
                fetched.final,
                fetched.attempts,
                fetched.status,
                Said(fetched.validators.etag, fetched.validators.last_modified, fetched.robots_tag),
            )


async def _keep(run: StageRun, partner_id: str, store: ObjectStore, batch: list[Judged], method: str) -> set[str]:
    """Objects first, then the rows that refer to them. Returns what keeps its picture though its recheck failed."""
    contents = {judged.sha256: judged.data for judged in batch if judged.sha256 is not None}
    await asyncio.to_thread(run.ask, tombstones.claim, [raw_image_key(sha256) for sha256 in contents])
    known = await asyncio.to_thread(run.ask, images.known_contents, list(contents))
    new = [(raw_image_key(sha256), data) for sha256, data in contents.items() if sha256 not in known]
    async with asyncio.TaskGroup() as group:
        for share in store.shares(new):
            group.create_task(wait_out_async("the store", partial(store.put_share_async, share), _patience()))
    results = [_result(judged) for judged in batch]
    return await asyncio.to_thread(run.ask, fetch_results.record_fetches, partner_id, results, method)


def _patience() -> float:
    return read_environment().outage_wait.total_seconds()


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
        judged.said.etag,
        judged.said.last_modified,
        judged.said.robots_tag,
        judged.conclusive,
    )
