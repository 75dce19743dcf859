"""Proposing a threshold: the one that finds most of those that confuse few enough, on the tuning half.

Pure. The held-out half stays out of it: `evaluation` judges there what was proposed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from image_assets.dedup_quality.evaluation import CurvePoint, Mix, precision_of


@dataclass(frozen=True)
class Wanted:
    """What a threshold must promise: at most so many false merges, or at least so much precision; None is no demand."""

    max_false_merge_rate: float | None = None
    precision: float | None = None

    def met_by(self, point: CurvePoint, mix: Mix | None) -> bool:
        """Whether the bounds at a threshold keep the promise. Precision can be promised only for a known mix."""
        if self.max_false_merge_rate is not None and point.false_merges.upper > self.max_false_merge_rate:
            return False
        if self.precision is None:
            return True
        return mix is not None and precision_of(point.recall, point.false_merges, mix).lower >= self.precision


@dataclass(frozen=True)
class GroupChange:
    """What other groups a hotel would have: index lists into its images."""

    merged: tuple[tuple[int, ...], ...]  # new groups made of images of several old ones
    split: tuple[tuple[int, ...], ...]  # old groups whose images come into several new ones

    @property
    def any(self) -> bool:
        """Whether anything changes."""
        return bool(self.merged or self.split)


def propose(curve: Sequence[CurvePoint], wanted: Wanted, mix: Mix | None) -> CurvePoint | None:
    """The point of `curve` (by rising threshold of the score) with the best recall of those that meet what is wanted.

    Of equal ones the last, which merges least. None when no threshold meets it.
    """
    able = [point for point in curve if wanted.met_by(point, mix)]
    return max(reversed(able), key=lambda point: point.recall.hits, default=None)


def group_change(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> GroupChange:
    """What becomes of a hotel's groups; both cover the same images."""
    return GroupChange(_joining(before, after), _joining(after, before))


def _joining(parts: Sequence[Sequence[int]], wholes: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    part_of = {image: number for number, part in enumerate(parts) for image in part}
    return tuple(tuple(whole) for whole in wholes if len({part_of[image] for image in whole}) > 1)
