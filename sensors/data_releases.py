"""The data release sensor: takes the newest release from its file to its publication, step by step."""

import dagster as dg

from image_assets.jobs import BUILD_HOTEL_SHARD, LOAD_DATA_RELEASE, PUBLISH_IMAGE_RELEASE
from image_assets.methods import Methods
from image_assets.partitions import RELEASES, SHARD_KEYS
from image_assets.pending_work import INGEST, notice_newest_release, pending_work
from resources.environment import read_environment
from resources.ledger import Ledger
from resources.object_store import ObjectStore
from sensors.requests import sensor_result


@dg.sensor(
    jobs=[LOAD_DATA_RELEASE, BUILD_HOTEL_SHARD, PUBLISH_IMAGE_RELEASE],
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Watches data-releases/ in the store; loads the newest release once its catalogues are settled, then "
    "builds its shards and publishes it.",
)
def data_release_sensor(
    context: dg.SensorEvaluationContext,
    ledger: dg.ResourceParam[Ledger],
    store: dg.ResourceParam[ObjectStore],
    methods: dg.ResourceParam[Methods],
) -> dg.SensorResult:
    """One tick: the next steps of the newest release, as run requests."""
    newest = notice_newest_release(store, ledger)
    environment = read_environment()
    pending = pending_work(store, ledger, methods, SHARD_KEYS, environment.release_wait, environment.rechecks_by)
    known = context.instance.get_dynamic_partitions(str(RELEASES.name))
    new = [newest] if newest is not None and newest not in known else []
    work = [item for item in pending.work if item.job != INGEST]
    return sensor_result(context, pending, work, RELEASES.build_add_request(new) if new else None)
