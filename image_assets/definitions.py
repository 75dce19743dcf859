"""The only place where everything is wired together: assets, jobs, sensors, resources, executor.

Does not belong here: any behaviour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from image_assets.catalogue_diffs.asset import catalogue_diffs
from image_assets.chosen_methods import read_methods
from image_assets.dedup_quality.asset import dedup_quality
from image_assets.fingerprints.asset import fingerprints
from image_assets.hotel_groups.asset import hotel_groups
from image_assets.image_groups.asset import image_groups
from image_assets.image_release.asset import image_release
from image_assets.jobs import JOBS
from image_assets.priorities.asset import priorities
from image_assets.raw_images.asset import raw_images
from image_assets.renditions.asset import renditions
from image_assets.supervision import follow_supervisor
from resources.environment import Environment, read_environment
from resources.ledger import Ledger
from resources.object_store import open_store
from resources.partners import load_partners
from sensors.catalogues import catalogue_sensor
from sensors.data_releases import data_release_sensor

ASSETS = [
    catalogue_diffs,
    raw_images,
    fingerprints,
    hotel_groups,
    dedup_quality,
    image_groups,
    priorities,
    renditions,
    image_release,
]


def ledger_of(environment: Environment) -> Ledger:
    """The ledger of DATABASE_URL, which our commands also set for the embedded server."""
    if environment.database_url is None:
        raise dg.DagsterInvariantViolationError(
            "DATABASE_URL is not set. Start with `image-assets dev` or `image-assets run`, which run an embedded "
            "PostgreSQL, or set it to your own server."
        )
    return Ledger(environment.database_url)


def default_resources() -> dict[str, Any]:
    """The outside world by the environment. Each is made when a run or tick first needs it, never at import."""
    return {
        "ledger": dg.ResourceDefinition(lambda _: ledger_of(read_environment())),
        "store": dg.ResourceDefinition(lambda _: open_store(read_environment().store_url)),
        "partners": dg.ResourceDefinition(lambda _: load_partners(read_environment().partners_file)),
        "methods": dg.ResourceDefinition(lambda _: read_methods(read_environment())),
    }


def build_defs(resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The whole house; `resources` replaces some of the default ones (tests, other deployments)."""
    return dg.Definitions(
        assets=ASSETS,
        jobs=JOBS,
        sensors=[catalogue_sensor, data_release_sensor],
        resources={**default_resources(), **(resources or {})},
        # A process per step costs about 2 s; our steps are threads and SQL. Also what the UI's own materialise uses.
        executor=dg.in_process_executor,
    )


follow_supervisor()
defs = build_defs()
