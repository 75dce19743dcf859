"""Deduplicating: which images of a hotel show the same picture, and the groups that follow from it.

`similarity` holds the rule for two images, `grouping` the groups of many, `hamming` the compiled loop
between them. Nothing here knows partners, URLs or which image of a group is best: see `priorities`.
"""

from image_assets.image_groups.grouping import group_hashes, group_images, image_group_id
from image_assets.image_groups.similarity import DEFAULT_POLICY, TALK_POLICY, Match, Policy, same_picture

__all__ = [
    "DEFAULT_POLICY",
    "TALK_POLICY",
    "Match",
    "Policy",
    "group_hashes",
    "group_images",
    "image_group_id",
    "same_picture",
]
