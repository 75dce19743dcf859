"""Reading a thumbnail between its pixels: all crossings of columns and rows at once give what single places give."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from image_assets.image_groups.aligned_loops.warps import bilinear, lattice

places = st.lists(st.floats(-5, 45), min_size=1, max_size=6)


@settings(deadline=None, derandomize=True)  # the first call compiles, which no deadline allows for
@given(xs=places, ys=places, seed=st.integers(0, 9))
def test_crossings_are_read_as_single_places_are_in_every_bit_also_beyond_the_edges(
    xs: list[float], ys: list[float], seed: int
) -> None:
    image = np.random.default_rng(seed).normal(0, 50, (40, 40)).astype(np.float32)
    values = np.empty((len(ys), len(xs)))
    lattice(image, np.array(xs), np.array(ys), values)
    assert values.tobytes() == np.array([[bilinear(image, x, y) for x in xs] for y in ys]).tobytes()
