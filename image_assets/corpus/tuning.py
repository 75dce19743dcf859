"""`image-assets corpus tune`: propose a threshold, and show what it would change before anybody accepts it.

Belongs here: reading corpus and hotels, grouping some of them both ways. Does not belong here: choosing from the curve
(`dedup_quality.tuning`). Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import numpy as np

from image_assets.corpus.evaluating import NoPairs, read_corpus, read_mix
from image_assets.dedup_quality.evaluation import CurvePoint, Mix, tuning_curve, with_threshold
from image_assets.dedup_quality.tuning import Wanted, group_change, propose
from image_assets.fingerprints import unpack_hashes, unpack_luma
from image_assets.image_groups import Policy, group_pictures
from image_assets.methods import Methods
from resources.ledger import Ledger, corpus
from resources.ledger.corpus import HotelPicture
from resources.ledger.decisions import pair_decisions

_EXAMPLES = 10


@dataclass(frozen=True)
class Example:
    """One group that would be made of several, or taken apart: the URLs of its pictures."""

    hotel_id: str
    joins: bool
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Changes:
    """What another policy would change in the hotels that were looked at."""

    hotels: int
    hotels_changed: int
    groups_joined: int
    groups_split: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Proposal:
    """now: the present policy on the tuning half. best: what is proposed; None when nothing meets what is wanted."""

    policy: Policy
    now: CurvePoint | None
    best: CurvePoint | None
    mix: Mix | None
    changes: Changes | None


def propose_policy(ledger: Ledger, methods: Methods, wanted: Wanted, pictures: int) -> Proposal:
    """The threshold that meets what is wanted with the best recall on the tuning half of the corpus.

    pictures: of how many pictures, in whole hotels of the newest release, to show the change. Raises NoPairs when the
    tuning half lacks same pairs or different ones.
    """
    with ledger.connect() as connection:
        known = read_corpus(connection, methods)
        mix = read_mix(connection, methods)
    if set(known.same[known.tuning].tolist()) != {True, False}:
        raise NoPairs("the corpus holds no same and different pairs for tuning: image-assets corpus build makes some")
    curve = tuning_curve(known, methods.policy)
    now = next((point for point in curve if point.threshold == methods.policy.threshold), None)
    best = propose(curve, wanted, mix)
    if best is None:
        return Proposal(methods.policy, now, None, mix, None)
    changes = _changes(ledger, methods, with_threshold(methods.policy, best.threshold), pictures)
    return Proposal(methods.policy, now, best, mix, changes)


def _changes(ledger: Ledger, methods: Methods, policy: Policy, pictures: int) -> Changes:
    with ledger.connect() as connection:
        shown = corpus.pictures_of_hotels(connection, methods.fingerprint, pictures, seed=0)
        decided = {(decision.a, decision.b): decision.same for decision in pair_decisions(connection)}
    hotels = changed = joined = split = 0
    examples: list[Example] = []
    for hotel_id, group in groupby(shown, key=attrgetter("hotel_id")):
        of_hotel = list(group)
        change = group_change(*(_groups(of_hotel, each, decided) for each in (methods.policy, policy)))
        hotels += 1
        changed += change.any
        joined += len(change.merged)
        split += len(change.split)
        examples += [
            Example(hotel_id, joins, tuple(of_hotel[i].url for i in images))
            for joins, groups in ((True, change.merged), (False, change.split))
            for images in groups
        ]
    return Changes(hotels, changed, joined, split, tuple(examples[:_EXAMPLES]))


def _groups(pictures: Sequence[HotelPicture], policy: Policy, decided: dict[tuple[str, str], bool]) -> list[list[int]]:
    place = {picture.sha256: index for index, picture in enumerate(pictures)}
    here = {(place[a], place[b]): same for (a, b), same in decided.items() if a in place and b in place}
    return group_pictures(
        np.array([unpack_hashes(picture.crop_hashes) for picture in pictures]),
        np.array([unpack_luma(picture.luma) for picture in pictures]),
        policy,
        together=[pair for pair, same in here.items() if same],
        apart=[pair for pair, same in here.items() if not same],
    ).groups
