"""A small world to run the whole pipeline in: a store, a ledger, partners' sites, and a hand that drives the jobs.

The jobs run in this process, asked for by `pending_work` exactly as the sensors would; tests of daemon and sensors
use the command instead.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg
import pyarrow.parquet as pq

from image_assets.definitions import build_defs
from image_assets.image_release.publishing import current_release
from image_assets.methods import Methods
from image_assets.partitions import PARTNERS, RELEASES, SHARD_KEYS
from image_assets.pending_work import INGEST, PendingWork, Work, notice_newest_release, pending_work
from resources.environment import read_environment
from resources.ledger import Ledger
from resources.ledger.gates import all_gates
from resources.object_store import ObjectStore
from resources.partners import Partners

MAX_ROUNDS = 50


@dataclass
class World:
    """Everything outside the pipeline, and what it published."""

    store: ObjectStore
    ledger: Ledger
    partners: Partners
    methods: Methods
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)

    def offer(self, partner_id: str, version: str, entries: Iterable[Mapping[str, Any]]) -> None:
        """Drop a catalogue into the store."""
        lines = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
        self.store.put(f"catalogues/{partner_id}/{version}.jsonl", lines.encode() or b"\n")

    def release(self, release_id: str, rows: Sequence[tuple[str, str, str]]) -> None:
        """Drop a data release of (hotel, partner, accommodation) into the store."""
        lines = ["hotel_id,partner_id,accommodation_id", *(",".join(row) for row in rows)]
        self.store.put(f"data-releases/{release_id}.csv", "\n".join(lines).encode())

    def choose(self, partner_id: str, **choices: Any) -> None:
        """What partners.yaml says of a partner from now on."""
        settings = replace(self.partners.of(partner_id), **choices)
        self.partners = replace(self.partners, listed={**self.partners.listed, partner_id: settings})
        self.methods = replace(self.methods, partners=self.partners.listed)

    def pending(self) -> PendingWork:
        notice_newest_release(self.store, self.ledger)
        return pending_work(self.store, self.ledger, self.methods, SHARD_KEYS, read_environment().release_wait)

    def settle(self) -> list[Work]:
        """Do all pending work; what was done, in order. Work that fails is not tried again."""
        done: list[Work] = []
        for _ in range(MAX_ROUNDS):
            todo = [work for work in self.pending().work if work not in done]
            if not todo:
                return done
            for work in todo:
                self.materialise(work)
                done.append(work)
        raise AssertionError(f"not settled after {MAX_ROUNDS} rounds: {self.pending()}")

    def materialise(self, work: Work) -> dg.ExecuteInProcessResult:
        """Run one job for one partition, as the daemon would."""
        partition = PARTNERS if work.job == INGEST else RELEASES
        self.instance.add_dynamic_partitions(str(partition.name), [work.partition_key.split("|")[0]])
        defs = build_defs(
            {"store": self.store, "ledger": self.ledger, "partners": self.partners, "methods": self.methods}
        )
        return defs.resolve_job_def(work.job).execute_in_process(
            partition_key=work.partition_key,
            asset_selection=[dg.AssetKey(name) for name in work.assets] or None,
            instance=self.instance,
            raise_on_error=False,
        )

    def manifest(self) -> list[dict[str, Any]]:
        """The rows of the current image release; empty before the first."""
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(self.manifest_bytes())).to_pylist()
        return rows

    def manifest_bytes(self) -> bytes:
        current = current_release(self.store)
        assert current is not None, "nothing is published"
        return self.store.get(current["manifest"])

    def galleries(self) -> dict[str, list[str]]:
        """hotel -> published URLs in order."""
        found: dict[str, list[str]] = {}
        for row in self.manifest():
            found.setdefault(row["hotel_id"], []).append(row["url"])
        return found

    def closed_gates(self) -> list[str]:
        with self.ledger.connect() as connection:
            return [gate.gate for gate in all_gates(connection) if gate.closed]

    def outcomes(self, partner_id: str) -> list[tuple[str, str | None, int]]:
        """(outcome, reason, number) of what came of the partner's images."""
        with self.ledger.connect() as connection:
            return connection.execute(
                "SELECT outcome, reason, count(*) FROM fetch_results WHERE partner_id = %s GROUP BY 1, 2 ORDER BY 1, 2",
                [partner_id],
            ).fetchall()
