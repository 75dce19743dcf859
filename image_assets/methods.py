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
    """All choices that change results or gates.

    Choices of single partners are kept for those that partners.yaml lists; `trust`, `recheck_after` (days) and
    `obeying_robots_tag` only where they differ from the default.
    """

    recipes: tuple[Recipe, ...]
    limits: ScreeningLimits = field(default_factory=ScreeningLimits)
    algorithm: str = DEFAULT_ALGORITHM
    policy: Policy = DEFAULT_POLICY
    required: Requirements = field(default_factory=Requirements)
    trust: Mapping[str, float] = field(default_factory=dict)
    max_deleted_shares: Mapping[str, float] = field(default_factory=dict)
    max_failed_shares: Mapping[str, float] = field(default_factory=dict)
    recheck_after: Mapping[str, float] = field(default_factory=dict)
    obeying_robots_tag: frozenset[str] = frozenset()
    max_lost_hotels_share: float = 0.1
    placeholders: PlaceholderPolicy = field(default_factory=PlaceholderPolicy)

    def shrink_digest(self, catalogue: CatalogueVersion) -> str:
        """Names a catalogue file and the limit that its gate `deleted_share` measures it by."""
        return f"{catalogue.digest}:{self.max_deleted_share(catalogue.partner_id)}"

    def max_deleted_share(self, partner_id: str) -> float:
        """The share of a known partner's URLs that one catalogue may delete."""
        return self.max_deleted_shares.get(partner_id, PartnerSettings.max_deleted_share)

    def failed_digest(self, partner_id: str, version: str | None, etag: str | None) -> str:
        """Names a partner's applied catalogue and the limit that its gate `failed_share` measures it by."""
        limit = self.max_failed_shares.get(partner_id, PartnerSettings.max_failed_share)
        return f"{version}:{etag}:{limit}"

    def screening_of(self, partner_id: str) -> str:
        """Changes when an image of the partner may be judged differently."""
        return self.screening + ("/obey_robots_tag" if partner_id in self.obeying_robots_tag else "")

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
