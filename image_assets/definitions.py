"""The only place where everything is wired together: assets, jobs, sensors, resources, executor.

Does not belong here: any behaviour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg

from image_assets.catalogue_diffs.asset import catalogue_diffs
from image_assets.dedup_quality.asset import dedup_quality
from image_assets.fingerprints import ALGORITHMS
from image_assets.fingerprints.asset import fingerprints
from image_assets.hotel_groups import PlaceholderPolicy
from image_assets.hotel_groups.asset import hotel_groups
from image_assets.image_groups import ALIGNED_POLICY, DEFAULT_POLICY, TALK_POLICY, Policy, Requirements
from image_assets.image_groups.asset import image_groups
from image_assets.image_release.asset import image_release
from image_assets.jobs import JOBS
from image_assets.methods import DEFAULT_ALGORITHM, Methods
from image_assets.priorities.asset import priorities
from image_assets.raw_images.asset import raw_images
from image_assets.raw_images.screening import ScreeningLimits
from image_assets.renditions import load_recipes
from image_assets.renditions.asset import renditions
from image_assets.supervision import follow_supervisor
from resources.environment import Environment, read_environment
from resources.ledger import Ledger
from resources.object_store import open_store
from resources.partners import Partners, PartnersFileError, load_partners
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

POLICIES = {policy.rule: policy for policy in (ALIGNED_POLICY, TALK_POLICY)}
_REQUIREMENTS = ("max_false_merge_rate", "min_recall")


def read_methods(environment: Environment, partners: Partners) -> Methods:
    """The methods as the users' files choose them. Raises RecipesFileError or PartnersFileError."""
    algorithm = partners.algorithm or DEFAULT_ALGORITHM
    if algorithm not in ALGORITHMS:
        expected = f"fingerprints, key 'algorithm': expected one of {', '.join(ALGORITHMS)}, found {algorithm!r}"
        raise PartnersFileError(environment.partners_file or Path("partners.yaml"), [expected])
    return Methods(
        algorithm=algorithm,
        policy=_policy(environment, partners),
        required=replace(
            Requirements(), **{key: partners.grouping[key] for key in _REQUIREMENTS if key in partners.grouping}
        ),
        recipes=load_recipes(environment.renditions_file),
        limits=_limits(environment, partners),
        placeholders=replace(PlaceholderPolicy(), **partners.placeholders),
        max_deleted_shares={name: settings.max_deleted_share for name, settings in partners.listed.items()},
        max_failed_shares={name: settings.max_failed_share for name, settings in partners.listed.items()},
        recheck_after={
            name: settings.recheck_after
            for name, settings in partners.listed.items()
            if settings.recheck_after is not None
        },
        obeying_robots_tag=frozenset(n for n, settings in partners.listed.items() if settings.obey_robots_tag),
        trust={name: settings.trust for name, settings in partners.listed.items() if settings.trust != 1.0},
    )


def _policy(environment: Environment, partners: Partners) -> Policy:
    """The default policy, or the rule that the file names, with what the file says of it."""
    chosen = {key: value for key, value in partners.grouping.items() if key not in _REQUIREMENTS}
    rule = chosen.pop("rule", DEFAULT_POLICY.rule)
    try:
        if rule not in POLICIES:
            raise ValueError(f"expected one of {', '.join(POLICIES)} as rule, found {rule!r}")
        return replace(POLICIES[rule], **chosen)
    except ValueError as mistake:
        raise PartnersFileError(environment.partners_file or Path("partners.yaml"), [f"grouping: {mistake}"]) from None


def _limits(environment: Environment, partners: Partners) -> ScreeningLimits:
    """The default limits, with what the file says of them."""
    try:
        return replace(ScreeningLimits(), **partners.screening)
    except ValueError as mistake:
        raise PartnersFileError(environment.partners_file or Path("partners.yaml"), [f"screening: {mistake}"]) from None


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
        "methods": dg.ResourceDefinition(
            lambda _: read_methods(read_environment(), load_partners(read_environment().partners_file))
        ),
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
