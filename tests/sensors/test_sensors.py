"""Both sensors' ticks on a real instance, store and ledger: partitions first, then runs, and reasons for none."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster import DagsterInstance

from image_assets.definitions import build_defs
from image_assets.methods import Methods
from image_assets.partitions import PARTNERS, RELEASES, SHARD_KEYS
from image_assets.pending_work import BUILD, INGEST, LOAD
from image_assets.renditions import load_recipes
from resources.environment import PROJECT
from resources.ledger import Ledger, catalogues, release_loading, releases
from resources.ledger.catalogues import CatalogueVersion
from resources.object_store import ObjectStore
from resources.partners import Partners
from sensors.catalogues import catalogue_sensor
from sensors.data_releases import data_release_sensor

METHODS = Methods(load_recipes(PROJECT / "renditions.yaml"))


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


class Ticks:
    """Evaluates sensors as the daemon does; keeps the partitions that a tick asks for, as the daemon does first."""

    def __init__(self, instance: DagsterInstance, store: ObjectStore, ledger: Ledger) -> None:
        self.instance, self.store, self.ledger = instance, store, ledger
        resources = {"store": store, "ledger": ledger, "methods": METHODS, "partners": Partners()}
        given = {name: resources[name] for name in ("store", "ledger", "methods")}
        self.resources = {name: dg.ResourceDefinition.hardcoded_resource(resource) for name, resource in given.items()}
        self.definitions = build_defs(resources)
        self.skipped: str | None = None

    def tick(self, sensor: dg.SensorDefinition) -> list[dg.RunRequest]:
        """The requests of one tick, each with the tags of its partition."""
        # `build_sensor_context` gives no reference to the instance, without which Dagster finds no dynamic partition.
        with dg.SensorEvaluationContext(
            instance_ref=self.instance.get_ref(),
            last_tick_completion_time=None,
            last_run_key=None,
            cursor=None,
            repository_name=None,
            instance=self.instance,
            definitions=self.definitions,
            resources=self.resources,
            sensor_name=sensor.name,
        ) as context:
            data = sensor.evaluate_tick(context)
        for request in data.dynamic_partitions_requests or []:
            assert isinstance(request, dg.AddDynamicPartitionsRequest)
            self.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
        self.skipped = data.skip_message
        return list(data.run_requests or [])

    def asked(self, sensor: dg.SensorDefinition) -> list[tuple[str | None, str]]:
        return [(request.job_name, request.tags["dagster/partition"]) for request in self.tick(sensor)]

    def partitions(self, definition: dg.DynamicPartitionsDefinition) -> list[str]:
        return sorted(self.instance.get_dynamic_partitions(str(definition.name)))

    def offer(self, partner_id: str, version: str = "w1") -> CatalogueVersion:
        key = f"catalogues/{partner_id}/{version}.jsonl"
        self.store.put(key, b"{}")
        return CatalogueVersion(
            partner_id, version, key, next(item.etag for item in self.store.objects("catalogues") if item.key == key)
        )

    def ingest(self, catalogue: CatalogueVersion) -> None:
        """Leave what an ingest run leaves of an empty catalogue."""
        with self.ledger.connect() as connection:
            catalogues.open_staging(connection, catalogue)
            catalogues.reject_duplicates(connection, catalogue, catalogue.object_key)
            catalogues.apply(connection, catalogue, catalogues.diff(connection, catalogue.partner_id))
            catalogues.close_staging(connection, catalogue.partner_id)
            connection.execute(
                "UPDATE partner_catalogues SET screening = %s, fingerprint_method = %s",
                [METHODS.screening, METHODS.fingerprint],
            )

    def load(self, release_id: str) -> None:
        """Leave what a run leaves of a release with one hotel that nobody has pictures of."""
        with self.ledger.connect() as connection:
            known = releases.data_release(connection, release_id)
            assert known is not None
            release_loading.open_staging(connection, release_id)
            release_loading.stage_accommodations(connection, release_id, [(2, "H1", "alpha", "1")])
            release_loading.reject_repeated_accommodations(connection, release_id, known.object_key)
            release_loading.freeze_images(connection, release_id, METHODS.fingerprint)
            release_loading.freeze_hotels(connection, release_id, known.etag)
            release_loading.close_staging(connection, release_id)


@pytest.fixture
def ticks(instance: DagsterInstance, store: ObjectStore, ledger: Ledger) -> Ticks:
    return Ticks(instance, store, ledger)


def test_a_new_catalogue_becomes_a_partition_and_a_run_of_it(ticks: Ticks) -> None:
    for partner_id in ("ünï", "$abc", "two words"):
        ticks.offer(partner_id)
    assert sorted(ticks.asked(catalogue_sensor)) == [(INGEST, "$abc"), (INGEST, "two words"), (INGEST, "ünï")]
    assert ticks.partitions(PARTNERS) == ["$abc", "two words", "ünï"]


def test_a_repeated_tick_asks_for_the_same_runs_under_the_same_run_keys_and_for_no_partition(ticks: Ticks) -> None:
    ticks.offer("alpha")
    first = [request.run_key for request in ticks.tick(catalogue_sensor)]
    assert [request.run_key for request in ticks.tick(catalogue_sensor)] == first
    assert len(first) == 1


def test_every_partner_becomes_a_partition_though_a_tick_asks_for_25_runs_only(ticks: Ticks) -> None:
    for number in range(30):
        ticks.offer(f"partner {number:02}")
    assert len(ticks.asked(catalogue_sensor)) == 25
    assert len(ticks.partitions(PARTNERS)) == 30


def test_a_tick_without_work_says_why(ticks: Ticks) -> None:
    assert (ticks.asked(catalogue_sensor), ticks.skipped) == ([], "nothing is pending")
    assert (ticks.asked(data_release_sensor), ticks.skipped) == ([], "nothing is pending")


def test_a_release_is_a_partition_as_soon_as_it_is_seen_and_waits_for_its_catalogues(ticks: Ticks) -> None:
    catalogue = ticks.offer("alpha")
    ticks.store.put("data-releases/r1.csv", b"x")
    assert ticks.asked(data_release_sensor) == []
    assert ticks.skipped == "release r1: waits for the catalogues of alpha"
    assert ticks.partitions(RELEASES) == ["r1"]
    ticks.ingest(catalogue)
    assert ticks.asked(data_release_sensor) == [(LOAD, "r1")]


def test_a_catalogue_that_arrives_after_the_release_was_seen_is_not_waited_for(ticks: Ticks) -> None:
    ticks.ingest(ticks.offer("alpha"))
    ticks.store.put("data-releases/r1.csv", b"x")
    ticks.asked(data_release_sensor)
    ticks.offer("beta")
    assert ticks.asked(data_release_sensor) == [(LOAD, "r1")]
    assert ticks.asked(catalogue_sensor) == [(INGEST, "beta")]


def test_after_release_wait_the_release_is_loaded_all_the_same(ticks: Ticks, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks.offer("alpha")
    ticks.store.put("data-releases/r1.csv", b"x")
    assert ticks.asked(data_release_sensor) == []
    monkeypatch.setenv("RELEASE_WAIT", "0s")
    assert ticks.asked(data_release_sensor) == [(LOAD, "r1")]


def test_only_the_newest_release_is_asked_for(ticks: Ticks) -> None:
    for release_id in ("2026-W44", "2026-W45"):
        ticks.store.put(f"data-releases/{release_id}.csv", b"x")
    assert ticks.asked(data_release_sensor) == [(LOAD, "2026-W45")]
    ticks.store.put("data-releases/2026-W46.csv", b"x")
    assert ticks.asked(data_release_sensor) == [(LOAD, "2026-W46")]
    ticks.store.put("data-releases/2026-W43.csv", b"x")
    assert ticks.asked(data_release_sensor) == [(LOAD, "2026-W46")]


def test_a_loaded_release_is_asked_for_shard_by_shard(ticks: Ticks) -> None:
    ticks.store.put("data-releases/Ünï 1.csv", b"x")
    ticks.asked(data_release_sensor)
    ticks.load("Ünï 1")
    requests = ticks.tick(data_release_sensor)
    assert [(r.job_name, r.tags["dagster/partition"]) for r in requests] == [
        (BUILD, f"Ünï 1|{shard}") for shard in SHARD_KEYS
    ]
    assert {r.tags["dagster/partition/release"] for r in requests} == {"Ünï 1"}


def test_objects_with_odd_names_do_not_keep_the_others_from_running(ticks: Ticks) -> None:
    ticks.offer("alpha")
    ticks.store.put("catalogues/a|b/w1.jsonl", b"{}")
    ticks.store.put("data-releases/a,b.csv", b"x")
    assert ticks.asked(catalogue_sensor) == [(INGEST, "alpha")]
    assert (ticks.asked(data_release_sensor), ticks.partitions(RELEASES)) == ([], [])
