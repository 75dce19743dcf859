"""The alignment: a candidate moved to the affine map, with gain and offset, that leaves the smallest weighted squares.

The method is Lucas's and Kanade's ("An iterative image registration technique", IJCAI 1981). Does not belong here:
where to begin (`candidates`), and what is called the same picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from image_assets.compiling import compiled
from image_assets.fingerprints.luma import LUMA_SIDE
from image_assets.image_groups.aligned_loops.warps import Floats, Frame, Warp, bilinear, shared_part

_NODES = 16  # a side, at which the pictures are compared
_STEPS = 6
_SETTLED = 0.06  # pixels
_SKEW = 0.08  # of the scale
_LONGEST = 2.0  # pixels of a step
_LEAST_GAIN = 0.02
_SCALES = (0.4, 2.5)  # of a side; a cut or a border of half the picture
_SHEAR = 0.15  # 5 degrees of rotation, and the stretch to a square


@compiled
def _solve(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> bool:
    """Cholesky's method on the lower half of a symmetric matrix; false when it is not positive definite."""
    size = vector.shape[0]
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= matrix[i, k] * matrix[j, k]
            if i > j:
                matrix[i, j] = rest / matrix[j, j]
            elif rest > 1e-9:
                matrix[i, i] = np.sqrt(rest)
            else:
                return False
    for i in range(size):
        for k in range(i):
            vector[i] -= matrix[i, k] * vector[k]
        vector[i] /= matrix[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            vector[i] -= matrix[k, i] * vector[k]
        vector[i] /= matrix[i, i]
    return True


@compiled
def refine(a: Floats, b: Floats, frame_a: Frame, frame_b: Frame, warp: Warp, floor: float) -> bool:
    """Move `warp`, in place, to where a = gain * b(warp) + offset fits best; false when it leaves what an edit can do.

    floor: grey values or details, added to what a node may be off without losing weight.
    """
    half = LUMA_SIDE / 2
    matrix, step, slope = np.empty((8, 8)), np.empty(8), np.empty(8)
    gain, offset, tolerance = 1.0, 0.0, 0.0
    for turn in range(_STEPS):
        left, top, right, bottom = shared_part(warp, frame_a, frame_b)
        middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
        matrix[:] = 0.0
        step[:] = 0.0
        errors, nodes = 0.0, 0
        for row in range(_NODES):
            y = top + (row + 0.5) * (bottom - top) / _NODES
            for column in range(_NODES):
                x = left + (column + 0.5) * (right - left) / _NODES
                u, v = warp[0] + warp[1] * x + warp[2] * y, warp[3] + warp[4] * x + warp[5] * y
                if u < frame_b[0] or v < frame_b[1] or u > frame_b[2] or v > frame_b[3]:
                    continue
                u, v = min(max(u - 0.5, 0.0), LUMA_SIDE - 1.001), min(max(v - 0.5, 0.0), LUMA_SIDE - 1.001)
                i, j = int(v), int(u)
                down, across = v - i, u - j
                above = b[i, j] + across * (b[i, j + 1] - b[i, j])
                below = b[i + 1, j] + across * (b[i + 1, j + 1] - b[i + 1, j])
                value = above + down * (below - above)
                rise_x = (1 - down) * (b[i, j + 1] - b[i, j]) + down * (b[i + 1, j + 1] - b[i + 1, j])
                rise_y = below - above
                target = bilinear(a, x, y)
                weight = 1.0
                if turn > 0:
                    error = target - gain * value - offset
                    errors += abs(error)
                    if tolerance > 0:
                        share = error / tolerance
                        weight = 1.0 / (1.0 + share * share)
                        weight *= weight
                nodes += 1
                du, dv = (x - middle_x) / half, (y - middle_y) / half
                slope[0], slope[1], slope[2] = rise_x, rise_x * du, rise_x * dv
                slope[3], slope[4], slope[5] = rise_y, rise_y * du, rise_y * dv
                slope[6], slope[7] = value, 1.0
                for p in range(8):
                    weighted = weight * slope[p]
                    step[p] += weighted * target
                    for q in range(p + 1):
                        matrix[p, q] += weighted * slope[q]
        if nodes < _NODES * _NODES // 2:
            return False
        for p in range(6):  # Levenberg's damping: flat pictures shall not run away
            matrix[p, p] = matrix[p, p] * 1.001 + 1e-5 * nodes
        matrix[7, 7] += 1e-9
        if not _solve(matrix, step):
            return False
        gain, offset = step[6], step[7]
        if gain <= _LEAST_GAIN:
            return False
        tolerance = 2.0 * errors / nodes + floor if turn > 0 else 0.0
        longest = 0.0
        for p in range(6):
            longest = max(longest, abs(step[p] / gain))
        shorten = (_LONGEST / longest if longest > _LONGEST else 1.0) / gain
        for axis in range(2):
            shift = step[3 * axis] * shorten
            du, dv = step[3 * axis + 1] * shorten / half, step[3 * axis + 2] * shorten / half
            warp[3 * axis] += shift - du * middle_x - dv * middle_y
            warp[3 * axis + 1] += du
            warp[3 * axis + 2] += dv
        if not (_SCALES[0] < warp[1] < _SCALES[1] and _SCALES[0] < warp[5] < _SCALES[1]):
            return False
        if abs(warp[2]) > _SHEAR or abs(warp[4]) > _SHEAR:
            return False
        if longest < _SETTLED:
            break
    # A rotation shears the two axes against each other; what shears one alone is no edit of a picture.
    return bool(abs(warp[2] + warp[4]) <= _SKEW * np.sqrt(warp[1] * warp[5]))
