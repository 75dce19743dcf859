"""The aligned rule: lay two thumbnails on each other where they agree best, and say how well they agree there.

Three steps for a pair:

1. Candidates: windows of one picture whose hash is near the hash of a large part of the other (`windows`), both ways
   round. Those whose details do not agree at all are given up.
2. Alignment: the best candidates are refined to the affine map, with gain and offset, that leaves the smallest weighted
   squares (Lucas and Kanade, "An iterative image registration technique", IJCAI 1981; weights that are set anew in each
   step forgive what does not fit). First on the details, which are small beside a banner, then on the brightness.
3. Agreement: both pictures are read at the same 32 x 32 places of what they share, the one that shows it larger through
   the blur that the other has, and only the blocks count in which the brightness of either changes in two directions
   (Shi and Tomasi, "Good features to track", CVPR 1994). Details are the brightness less its means in the row, the
   column and the square around a place, by their mean size in the neighbourhood, so that a faint pattern counts as much
   as an edge. Ramps, horizons, the edges of walls and boards and lines of writing as such leave none: pale ceilings
   agree in brightness, sea views in their horizon and word marks in their line, but hardly any two in what is left. The
   fifth of the blocks whose brightness fits worst is left out, for a watermark, a banner or a badge covers a part of a
   copy. The score is the correlation of the details that are left, lowered where there are few of them, or few pixels,
   or the ground is plain (logos, floor plans).

Pictures without such blocks (cloudless skies, calm seas, bare walls) can be known by their brightness alone, which very
many share. They are the same only when it agrees everywhere, as it stands, within the noise of re-encoding: a copy that
is cut, brighter or covered is not found.

A border of one grey takes no part in the details. A pair is computed in an order that depends on its thumbnails alone,
so both orders give the same score.

Belongs here: numpy before and after the compiled loops, which are in `aligned_loops`. That imports Numba (0.5 s), so
import this module only where pictures are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_assets.fingerprints.luma import LUMA_SIDE
from image_assets.image_groups.aligned_loops.pairs import compare_listed
from image_assets.image_groups.aligned_loops.warps import Floats
from image_assets.image_groups.similarity import Match, Policy, Window
from image_assets.image_groups.windows import PROBES, SPANS, window_hashes

_REACH = 4  # pixels around one, whose mean is taken off and whose mean detail it is measured by
_NOISE = np.float32(2.0)  # grey values; details below are noise
_BORDER_RANGE = 4  # grey values that a border differs in
_LEAST_UNLIKE = 0.25  # of the line inside a border
_LEAST_INSIDE = 16  # pixels


@dataclass(frozen=True, eq=False)
class Pictures:
    """What comparing needs of n thumbnails.

    luma: (n, 40, 40) as they are. smooth: the same, smoothed against the pixel grid. details: evened, see the module.
    hashes: (n, 1849) of their windows. frames: (n, 4) what lies inside their borders, see `_inside_borders`.
    mirrored: the same of their mirror images, if they are to be compared as well.
    """

    luma: NDArray[np.uint8]
    smooth: Floats
    details: Floats
    hashes: NDArray[np.uint64]
    frames: NDArray[np.float64]
    mirrored: Pictures | None

    def __len__(self) -> int:
        return len(self.luma)


def describe(luma: NDArray[np.uint8], mirrored: bool = False) -> Pictures:
    """Prepare thumbnails, (n, 40, 40) uint8, for `align_pairs`; 30 kB a picture, twice that for mirrored ones."""
    luma = np.ascontiguousarray(luma)
    frames = _inside_borders(luma)
    smooth = _averaged(_continued(luma.astype(np.float32), frames, 1), 1)
    place = np.arange(LUMA_SIDE)
    columns = (place >= frames[:, 0, None]) & (place < frames[:, 2, None])
    rows = (place >= frames[:, 1, None]) & (place < frames[:, 3, None])
    shown = (rows[:, :, None] & columns[:, None, :]).astype(np.float32)
    details = (smooth - _averaged(_continued(smooth, frames, _REACH), _REACH)) * shown
    # Means of what is shown only: a border takes no part in its neighbours' details.
    around = ((0, 0), (_REACH, _REACH), (_REACH, _REACH))
    share = np.maximum(_averaged(np.pad(shown, around), _REACH), np.float32(1e-3))
    spread = _averaged(np.pad(np.abs(details), around), _REACH) / share
    return Pictures(
        luma=luma,
        smooth=smooth,
        details=(details / (spread + _NOISE)).astype(np.float32),
        hashes=window_hashes(luma),
        frames=frames,
        mirrored=describe(luma[:, :, ::-1]) if mirrored else None,
    )


def _inside_borders(luma: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Left, top, right and bottom of what lies inside borders of one grey, (n, 4) pixels; the mixed line is border."""
    frames = np.tile(np.array([0.0, 0.0, LUMA_SIDE, LUMA_SIDE]), (len(luma), 1))
    values = luma.astype(np.int16)
    for axis, lines in ((0, values.swapaxes(1, 2)), (1, values)):
        for side, edge in ((axis, lines), (axis + 2, lines[:, ::-1])):
            plain = np.abs(edge - edge[:, :1, :1]).max(axis=2) <= _BORDER_RANGE
            width = plain.cumprod(axis=1).sum(axis=1)
            # A picture differs from its border along the line where it begins; of a name on a ground, a few places do.
            begins = np.minimum(width + 1, LUMA_SIDE - 1)[:, None, None]
            first_line = np.take_along_axis(edge, begins, axis=1)[:, 0]
            unlike = (np.abs(first_line - edge[:, 0, :1]) > _BORDER_RANGE).mean(axis=1) >= _LEAST_UNLIKE
            width = np.where((width > 0) & unlike, width + 1, 0)
            frames[:, side] = width if side == axis else LUMA_SIDE - width
        # Hardly anything is left: the ground of a drawing, not a border.
        little = frames[:, axis + 2] - frames[:, axis] < _LEAST_INSIDE
        frames[little, axis], frames[little, axis + 2] = 0, LUMA_SIDE
    return frames


def _continued(images: Floats, frames: NDArray[np.float64], reach: int) -> Floats:
    """What is in the frames, and beyond each edge as it rises towards it: the mean of an even ramp is the ramp."""
    place = np.arange(-reach, LUMA_SIDE + reach)
    for axis, (first, last) in ((1, (1, 3)), (2, (0, 2))):
        edges = np.clip(place, frames[:, first, None], frames[:, last, None] - 1).astype(np.int64)
        opposite = np.clip(2 * edges - place, 0, LUMA_SIDE - 1)
        edges, opposite = (np.expand_dims(each, 3 - axis) for each in (edges, opposite))
        images = 2 * np.take_along_axis(images, edges, axis) - np.take_along_axis(images, opposite, axis)
    return images


def _averaged(padded: Floats, reach: int) -> Floats:
    """Weighted means of the neighbours up to `reach` pixels away, the weights falling evenly; (n, 40, 40)."""
    weights = np.concatenate([np.arange(1, reach + 2), np.arange(reach, 0, -1)]).astype(np.float32) / (reach + 1) ** 2
    down = sum(weight * padded[:, shift : shift + LUMA_SIDE] for shift, weight in enumerate(weights))
    across: Floats = sum(weight * down[:, :, shift : shift + LUMA_SIDE] for shift, weight in enumerate(weights))
    return across


@dataclass(frozen=True, eq=False)
class Alignments:
    """For each of m pairs: score (m,), warp from the first to the second (m, 6), whether the first is mirrored (m,)."""

    scores: NDArray[np.float64]
    warps: NDArray[np.float64]
    mirrored: NDArray[np.bool_]

    def window(self, pair: int) -> Window:
        """The part of the second picture that the first shows, as fractions of the second."""
        warp = self.warps[pair]
        corners = np.array([(1.0, x, y) for x in (0.0, LUMA_SIDE) for y in (0.0, LUMA_SIDE)])
        x, y = corners @ warp[:3] / LUMA_SIDE, corners @ warp[3:] / LUMA_SIDE
        # The middles of the two corners of a side: a small rotation leaves the window as large as it is.
        left, right = sorted((float(x[:2].mean()), float(x[2:].mean())))
        top, bottom = float(y[::2].mean()), float(y[1::2].mean())
        return (max(0.0, left), max(0.0, top), min(1.0, right), min(1.0, bottom))

    def match(self, pair: int, policy: Policy) -> Match:
        """The verdict on a pair."""
        same = bool(self.scores[pair] > policy.threshold)
        return Match(
            same=same,
            score=float(self.scores[pair]),
            window=self.window(pair) if same else None,
            mirrored=same and bool(self.mirrored[pair]),
        )


def align_pairs(pictures: Pictures, pairs: NDArray[np.int64]) -> Alignments:
    """Compare pictures pair by pair on one thread; pairs: (m, 2) indices into `pictures`.

    Without a candidate the score is 0. Mirrored pictures are looked for when they were described.
    """
    pairs = np.ascontiguousarray(pairs, dtype=np.int64).reshape(-1, 2)
    scores, warps = np.zeros(len(pairs)), np.zeros((len(pairs), 6))
    mirrored = np.zeros(len(pairs), dtype=np.bool_)
    turned = pictures.mirrored or pictures
    compare_listed(
        (pictures.luma, pictures.smooth, pictures.details, pictures.hashes, pictures.frames),
        (turned.luma, turned.smooth, turned.details, turned.hashes, turned.frames),
        pictures.mirrored is not None,
        pairs,
        (SPANS, PROBES),
        scores,
        warps,
        mirrored,
    )
    return Alignments(scores, warps, mirrored)
