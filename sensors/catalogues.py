"""The catalogue sensor: new catalogues become partner partitions and ingest runs."""

import dagster as dg

from image_assets.jobs import INGEST_CATALOGUE
from image_assets.methods import Methods
from image_assets.partitions import PARTNERS, SHARD_KEYS
from image_assets.pending_work import INGEST, pending_work
from resources.environment import read_environment
from resources.ledger import Ledger
from resources.object_store import ObjectStore
from sensors.requests import sensor_result


@dg.sensor(
    jobs=[INGEST_CATALOGUE],
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Watches catalogues/ in the store and the ledger's queues; asks for one ingest run per partner.",
)
def catalogue_sensor(
    context: dg.SensorEvaluationContext,
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
    methods: dg.ResourceParam[Methods],
) -> dg.SensorResult:
    """One tick: what is pending for partners, as run requests."""
    environment = read_environment()
    pending = pending_work(store, ledger, methods, SHARD_KEYS, environment.release_wait, environment.rechecks_by)
    work = [item for item in pending.work if item.job == INGEST]
    known = set(context.instance.get_dynamic_partitions(str(PARTNERS.name)))
    new = [item.partition_key for item in work if item.partition_key not in known]
    return sensor_result(context, pending, work, PARTNERS.build_add_request(new) if new else None)
