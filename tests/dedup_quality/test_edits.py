"""Edits as partners do them: each does what its name says, the same one every time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import drawn
from PIL import Image, ImageOps

from image_assets.dedup_quality.drawn_edits import EDITS, MIRRORED, edited
from image_assets.dedup_quality.edits import as_jpeg, bordered, cut, letterboxed

PICTURE = drawn(5)


def pixels(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image, dtype=np.float64)


@pytest.mark.parametrize("kind", EDITS)
def test_the_same_seed_gives_the_same_picture_and_changes_it(kind: str) -> None:
    once, again = edited(PICTURE, kind, seed=3), edited(PICTURE, kind, seed=3)
    assert (once.mode, once.size, once.tobytes()) == ("RGB", again.size, again.tobytes())
    assert once.tobytes() != PICTURE.tobytes()


@pytest.mark.parametrize("kind", sorted(set(EDITS) - {"grey"}))
def test_another_seed_gives_another_picture(kind: str) -> None:
    seen = {as_jpeg(edited(PICTURE, kind, seed)) for seed in range(12)}
    assert len(seen) >= 4


def test_off_centre_crops_take_their_share_of_both_sides_and_keep_the_centre_away() -> None:
    for seed in range(20):
        kept = edited(PICTURE, "off-centre crop 20 %", seed)
        assert kept.size == pytest.approx((640 * 0.8, 480 * 0.8), abs=1.5)
        centred = cut(PICTURE, 0.1, 0.1, 0.1, 0.1)
        difference = pixels(kept.resize((64, 48))) - pixels(centred.resize((64, 48)))
        assert np.abs(difference).mean() > 5


@pytest.mark.parametrize("side", ["bottom", "top", "left", "right"])
def test_a_cut_of_one_side_leaves_the_others_whole(side: str) -> None:
    kept = edited(PICTURE, f"cut 15 % off the {side}", seed=1)
    lost = (640 - kept.width) / 640 if side in ("left", "right") else (480 - kept.height) / 480
    assert 0.12 < lost < 0.18
    at = (640 - kept.width if side == "left" else 0, 480 - kept.height if side == "top" else 0)
    assert kept.tobytes() == PICTURE.crop((*at, at[0] + kept.width, at[1] + kept.height)).tobytes()


def test_a_border_surrounds_the_whole_picture() -> None:
    framed = bordered(PICTURE, 0.2, (255, 255, 255))
    assert framed.size == (640 + 2 * 128, 480 + 2 * 96)
    assert framed.crop((128, 96, 768, 576)).tobytes() == PICTURE.tobytes()
    assert set(framed.crop((0, 0, 896, 96)).get_flattened_data()) == {(255, 255, 255)}


@pytest.mark.parametrize("ratio", [16 / 9, 1.0])
def test_a_letterbox_brings_the_picture_to_the_ratio(ratio: float) -> None:
    boxed = letterboxed(PICTURE, ratio, (0, 0, 0))
    assert boxed.width / boxed.height == pytest.approx(ratio, abs=0.01)
    assert boxed.width == 640 or boxed.height == 480


def test_a_banner_covers_the_bottom_tenth_and_nothing_else() -> None:
    marked = edited(PICTURE, "banner over the bottom 10 %", seed=2)
    assert marked.crop((0, 0, 640, 432)).tobytes() == PICTURE.crop((0, 0, 640, 432)).tobytes()
    assert marked.getpixel((2, 470)) == marked.getpixel((637, 440))


@pytest.mark.parametrize(("kind", "share"), [("logo", 0.06), ("corner badge", 0.06), ("watermark", 0.25)])
def test_marks_cover_a_small_part(kind: str, share: float) -> None:
    for seed in range(8):
        changed = (pixels(edited(PICTURE, kind, seed)) != pixels(PICTURE)).any(axis=2).mean()
        assert 0.002 < changed < share


def test_a_mirrored_picture_is_near_the_mirror_image() -> None:
    mirrored = edited(PICTURE, MIRRORED, seed=4).resize((64, 48))
    near = np.abs(pixels(mirrored) - pixels(ImageOps.mirror(PICTURE).resize((64, 48)))).mean()
    assert near < 6 < np.abs(pixels(mirrored) - pixels(PICTURE.resize((64, 48)))).mean()


def test_an_unknown_edit_is_an_error() -> None:
    with pytest.raises(KeyError):
        edited(PICTURE, "sepia", seed=0)
