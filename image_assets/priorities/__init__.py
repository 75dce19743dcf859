"""Prioritising: the best image of each image group, and the order of a hotel's groups.

`ranking` holds the score and its weights. Which images are one group is decided in `image_groups`; how the
chosen images are rendered, in `renditions`.
"""

from image_assets.priorities.ranking import RANKING_VERSION, WEIGHTS, Weights, rank

__all__ = ["RANKING_VERSION", "WEIGHTS", "Weights", "rank"]
