"""The luma thumbnail and its packing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from image_assets.fingerprints import pack_luma, unpack_luma
from image_assets.fingerprints.luma import luma_thumbnail


@given(st.binary(min_size=1600, max_size=1600))
def test_a_packed_thumbnail_comes_back(packed: bytes) -> None:
    thumbnail = unpack_luma(memoryview(packed))
    assert (thumbnail.shape, thumbnail.dtype) == ((40, 40), np.uint8)
    assert thumbnail[1, 0] == packed[40]
    assert pack_luma(thumbnail) == packed


def test_another_shape_dtype_or_length_is_refused() -> None:
    with pytest.raises(ValueError, match="must be uint8"):
        pack_luma(np.zeros((40, 41), dtype=np.uint8))
    with pytest.raises(ValueError, match="must be uint8"):
        pack_luma(np.zeros((40, 40), dtype=np.int64))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be 1600"):
        unpack_luma(bytes(1601))


def test_rows_of_the_thumbnail_run_down_the_picture() -> None:
    upper_half_white = Image.new("L", (300, 200))
    upper_half_white.paste(255, (0, 0, 300, 100))
    thumbnail = luma_thumbnail(upper_half_white)
    assert thumbnail[:18].min() > 240
    assert thumbnail[22:].max() < 15


def test_the_thumbnail_hardly_depends_on_the_size_of_the_picture(draw) -> None:
    scene = draw(1200, 900, 3).convert("L")
    small = luma_thumbnail(scene.resize((400, 300), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(luma_thumbnail(scene) - small).mean() < 2
