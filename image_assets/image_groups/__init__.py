"""Deduplicating: which images of a hotel show the same picture, and the groups that follow from it.

`similarity` holds the policies and the verdict on two images, `grouping` the groups of many, `wholes` what becomes of
chains. The compiled loops beneath: `hamming` for the talk's rule; `windows` and `aligned_loops`, with `alignment`
around them, for the aligned one. `decided` is what follows from people's decisions, `linked_pairs` draws links for
people. Nothing here knows partners or URLs, or which image of a group is best: see `priorities`.
"""

from image_assets.image_groups.certificate import Certificate, Requirements
from image_assets.image_groups.grouping import Grouping, Link, group_images, group_pictures, image_group_id, pair_scores
from image_assets.image_groups.similarity import (
    ALIGNED_POLICY,
    DEFAULT_POLICY,
    TALK_POLICY,
    Match,
    Policy,
    same_picture,
)

__all__ = [
    "ALIGNED_POLICY",
    "DEFAULT_POLICY",
    "TALK_POLICY",
    "Certificate",
    "Grouping",
    "Link",
    "Match",
    "Policy",
    "Requirements",
    "group_images",
    "group_pictures",
    "image_group_id",
    "pair_scores",
    "same_picture",
]
