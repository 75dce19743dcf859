"""The methods that results depend on, and their versions: what is compared when asking what is still to do.

Belongs here: the one object that carries limits, algorithm, policy, trust and recipes through the house, and the
version strings made of them. Does not belong here: the methods themselves (each lives in its room).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from image_assets.fingerprints import method_version
from image_assets.hotel_groups import PlaceholderPolicy
from image_assets.image_groups import DEFAULT_POLICY, Policy, Requirements
from image_assets.priorities import RANKING_VERSION
from image_assets.raw_images import ScreeningLimits
from image_assets.renditions import Recipe, recipe_digest, recipes_digest
from resources.ledger.catalogues import CatalogueVersion
from resources.partners import PartnerSettings

DEFAULT_ALGORITHM = "dhash"


@dataclass(frozen=True)
class Methods:
    """All choices that change results or gates; `partners` are those that partners.yaml lists."""

    recipes: tuple[Recipe, ...]
    limits: ScreeningLimits = field(default_factory=ScreeningLimits)
    algorithm: str = DEFAULT_ALGORITHM
    policy: Policy = DEFAULT_POLICY
    required: Requirements = field(default_factory=Requirements)
    partners: Mapping[str, PartnerSettings] = field(default_factory=dict)
    max_lost_hotels_share: float = 0.1
    placeholders: PlaceholderPolicy = field(default_factory=PlaceholderPolicy)

    def partner(self, partner_id: str) -> PartnerSettings:
        """The settings of a partner; the defaults when partners.yaml does not list it."""
        return self.partners.get(partner_id) or PartnerSettings(partner_id)

    @property
    def trust(self) -> dict[str, float]:
        """How much each partner is trusted, where it is not the default."""
        default = PartnerSettings.trust
        return {name: settings.trust for name, settings in self.partners.items() if settings.trust != default}

    @property
    def recheck_after(self) -> dict[str, float]:
        """After how many days the pictures of each partner are checked again, where they are."""
        days = {name: settings.recheck_after for name, settings in self.partners.items()}
        return {name: after for name, after in days.items() if after is not None}

    def shrink_digest(self, catalogue: CatalogueVersion) -> str:
        """Names a catalogue file and the limit that its gate `deleted_share` measures it by."""
        return f"{catalogue.digest}:{self.partner(catalogue.partner_id).max_deleted_share}"

    def failed_digest(self, partner_id: str, version: str | None, etag: str | None) -> str:
        """Names a partner's applied catalogue and the limit that its gate `failed_share` measures it by."""
        return f"{version}:{etag}:{self.partner(partner_id).max_failed_share}"

    def screening_of(self, partner_id: str) -> str:
        """Changes when an image of the partner may be judged differently."""
        return self.screening + ("/obey_robots_tag" if self.partner(partner_id).obey_robots_tag else "")

    @property
    def screening(self) -> str:
        """Changes when an image may be judged differently."""
        limits = self.limits
        sizes = f"{limits.minimum_short}/{limits.minimum_long}/{limits.max_pixels}"
        return f"{sizes}/{'+'.join(sorted(limits.formats))}"

    @property
    def fingerprint(self) -> str:
        """Changes when a fingerprint may come out differently."""
        return method_version(self.algorithm)

    @property
    def grouping(self) -> str:
        """Changes when image groups may come out differently."""
        return f"{self.fingerprint}|{self.policy}"

    @property
    def ranking(self) -> str:
        """Changes when priorities may come out differently."""
        trust = ",".join(f"{partner}={self.trust[partner]!r}" for partner in sorted(self.trust))
        return f"{self.grouping}|{RANKING_VERSION}|{trust}"

    @property
    def rendering(self) -> str:
        """Changes when a rendition may come out differently."""
        return recipes_digest(self.recipes)

    @property
    def recipe_digests(self) -> list[tuple[str, str]]:
        """(name, digest) of each recipe."""
        return [(recipe.name, recipe_digest(recipe)) for recipe in self.recipes]


def input_digest(*parts: str) -> str:
    """One digest of all that a partition's result depends on."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]
