"""The parts of the worlds that end-to-end tests run in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from end_to_end.world import World
from partner_site import PartnerSite, partner_site

from image_assets.methods import Methods
from image_assets.renditions import load_recipes
from resources.environment import PROJECT
from resources.ledger import Ledger
from resources.object_store import ObjectStore
from resources.partners import load_partners


@pytest.fixture
def site() -> Iterator[PartnerSite]:
    with partner_site() as site:
        yield site


@pytest.fixture
def world(store: ObjectStore, ledger: Ledger, tmp_path: Path) -> World:
    """An empty world whose partners may live on this machine."""
    file = tmp_path / "partners.yaml"
    file.write_text(
        "partners:\n"
        + "".join(f"  '{name}': {{allow_private_addresses: true}}\n" for name in ("alpha", "beta", "$gamma", "Ünï"))
    )
    return World(store, ledger, load_partners(file), Methods(load_recipes(PROJECT / "renditions.yaml")))
