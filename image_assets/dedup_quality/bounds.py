"""Exact bounds of a share that was counted.

Does not belong here: what is counted, and which bounds are good enough.
"""

from __future__ import annotations

import math

CONFIDENCE = 0.95


def clopper_pearson(hits: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact two-sided binomial interval of a rate of which `hits` of `trials` were seen; (0, 1) without trials.

    C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26 (1934): the rates whose chance of so few, or so many, hits is half of 1 - `confidence`.
    Raises ValueError unless 0 <= hits <= trials.
    """
    # scipy comes with imagehash, so it costs no dependency; `scipy.special` alone loads in a tenth of a second.
    from scipy.special import betaincinv

    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} hits of {trials} trials")
    tail = (1 - confidence) / 2
    lower = float(betaincinv(hits, trials - hits + 1, tail)) if hits else 0.0
    upper = float(betaincinv(hits + 1, trials - hits, 1 - tail)) if hits < trials else 1.0
    return lower, upper


def trials_for(rate: float, confidence: float = CONFIDENCE) -> int:
    """How many trials without a single hit put the upper bound at `rate` or below."""
    return math.ceil(math.log((1 - confidence) / 2) / math.log1p(-rate))
