"""The methods as the users' files choose them: `partners.yaml` and `renditions.yaml` over the defaults.

Does not belong here: what a method is and its version (methods), which keys the files may have (resources.partners,
renditions.recipes_file).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from image_assets.fingerprints import ALGORITHMS
from image_assets.hotel_groups import PlaceholderPolicy
from image_assets.image_groups import ALIGNED_POLICY, DEFAULT_POLICY, TALK_POLICY, Policy, Requirements
from image_assets.methods import DEFAULT_ALGORITHM, Methods
from image_assets.raw_images import ScreeningLimits
from image_assets.renditions import load_recipes
from resources.environment import Environment
from resources.partners import Partners, PartnersFileError, load_partners

POLICIES = {policy.rule: policy for policy in (ALIGNED_POLICY, TALK_POLICY)}
_REQUIREMENTS = ("max_false_merge_rate", "min_recall")


def read_methods(environment: Environment) -> Methods:
    """The methods of both files as they are now. Raises RecipesFileError or PartnersFileError."""
    return choose_methods(environment, load_partners(environment.partners_file))


def choose_methods(environment: Environment, partners: Partners) -> Methods:
    """The methods, given the partners file as it was read. Raises RecipesFileError, and PartnersFileError for a choice
    that does not exist.
    """
    recipes = load_recipes(environment.renditions_file)
    with _section("fingerprints", environment):
        algorithm = _algorithm(partners)
    with _section("grouping", environment):
        policy = _policy(partners)
    with _section("screening", environment):
        limits = replace(ScreeningLimits(), **partners.screening)
    return Methods(
        recipes=recipes,
        limits=limits,
        algorithm=algorithm,
        policy=policy,
        required=replace(
            Requirements(), **{key: partners.grouping[key] for key in _REQUIREMENTS if key in partners.grouping}
        ),
        partners=partners.listed,
        placeholders=replace(PlaceholderPolicy(), **partners.placeholders),
    )


@contextmanager
def _section(name: str, environment: Environment) -> Iterator[None]:
    """What is wrong in a section of the partners file is told with the file and the section."""
    try:
        yield
    except ValueError as mistake:
        file = environment.partners_file or Path("partners.yaml")
        raise PartnersFileError(file, [f"{name}: {mistake}"]) from None


def _algorithm(partners: Partners) -> str:
    algorithm = partners.algorithm or DEFAULT_ALGORITHM
    if algorithm not in ALGORITHMS:
        raise ValueError(f"expected one of {', '.join(ALGORITHMS)} as algorithm, found {algorithm!r}")
    return algorithm


def _policy(partners: Partners) -> Policy:
    """The default policy, or the rule that the file names, with what the file says of it."""
    chosen = {key: value for key, value in partners.grouping.items() if key not in _REQUIREMENTS}
    rule = chosen.pop("rule", DEFAULT_POLICY.rule)
    if rule not in POLICIES:
        raise ValueError(f"expected one of {', '.join(POLICIES)} as rule, found {rule!r}")
    return replace(POLICIES[rule], **chosen)
