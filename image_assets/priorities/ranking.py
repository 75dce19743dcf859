"""The score of a picture, the best image of each image group, and the order of the groups.

The score is a weighted sum of parts, each from 0 to 1:

| part | 1 means | how |
|---|---|---|
| resolution | 2 megapixels or more | logarithm of the pixels, 0 at 0.06 megapixels |
| sharpness | crisp edges | s / (s + 250), s the variance of the Laplacian |
| exposure | neither dark nor blown out, with contrast and colour | 0.5 brightness + 0.35 contrast + 0.15 colour |
| partner_position | first in the partner's own list | 1, 0.83, 0.71, …; 0.5 when the partner gave no order |
| partners | very many partners show the picture | 1 − 1/n for n partners |
| trust | a fully trusted partner | the partner's setting, limited to 0 to 1 |

All but `partners` belong to one catalogue entry and choose the published entry of its group; `partners` belongs
to the group and helps to order the groups. The features give no sign of a watermark; partners known to stamp
their pictures get a lower `trust`.

Parts are rounded before they are summed, and equal scores are decided by text, so the outcome depends neither on
the order of the rows nor on the machine, and anyone can recompute a score from its stored parts.

Measuring images is the business of `fingerprints`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """How much each part counts; they sum to 1, so that scores lie between 0 and 1."""

    resolution: float = 0.30
    sharpness: float = 0.20
    exposure: float = 0.15
    partner_position: float = 0.15
    partners: float = 0.10
    trust: float = 0.10


WEIGHTS = Weights()

# Part of every hotel's input digest. Raise the number when a part is computed differently.
RANKING_VERSION: str = f"1 {WEIGHTS}"

_DIGITS = 6
_PARTS = list(asdict(WEIGHTS))
_OWN_PARTS = [part for part in _PARTS if part != "partners"]

_GROUP = ["hotel_id", "image_group_id"]
# Text that tells two entries apart, in the order in which it decides ties. Python compares code points, which is
# the order of UTF-8 bytes and so of Postgres' COLLATE "C".
_IDENTITY = ["sha256", "partner_id", "accommodation_id", "url"]
_TEXT = [*_GROUP, *_IDENTITY]
_FEATURES = ["position", "trust", "width", "height", "sharpness", "brightness", "contrast", "colourfulness"]
_COLUMNS = [
    *_GROUP,
    "position",
    *_IDENTITY,
    "width",
    "height",
    "score",
    *(f"part_{part}" for part in _PARTS),
]

_FEWEST_PIXELS = 60_000.0  # the smallest image that screening accepts by default, 200 × 300
_ENOUGH_PIXELS = 2_000_000.0  # more cannot be seen in a gallery
_MEDIUM_SHARPNESS = 250.0  # the median of a few hundred listing photographs; gives half of the part
_GOOD_BRIGHTNESS = (90.0, 170.0)  # mean luma, of 255
_GOOD_CONTRAST = 50.0  # standard deviation of luma
_GOOD_COLOUR = 33.0  # Hasler and Süsstrunk call this "moderately colourful"
_HALFWAY_RANK = 5.0  # places behind the first that halve the part
_NO_POSITION = 0.5


def rank(candidates: pd.DataFrame) -> pd.DataFrame:
    """Choose the best entry of each image group and order the groups of each hotel.

    candidates: one row for each catalogue entry (partner, accommodation, URL) of an image group. Text columns
    hotel_id, image_group_id, sha256, partner_id, accommodation_id, url; numbers position (NaN when the partner
    gave none; only the order of a partner's own positions counts, so they may start anywhere), trust, width,
    height, sharpness, brightness, contrast, colourfulness. All entries of a hotel must be present.

    Returns one row for each (hotel_id, image_group_id), sorted by hotel_id and position: text columns str,
    position, width and height int64, score and the parts (`part_…`) float64 rounded to 6 digits.
    """
    entries = candidates[[*_TEXT, *_FEATURES]].astype(dict.fromkeys(_FEATURES, "float64"))
    entries = entries.assign(**_own_parts(entries))
    best = _best_entries(entries).merge(_partner_counts(entries), on=_GROUP, how="left", validate="one_to_one")
    best["part_partners"] = (1.0 - 1.0 / best["partners"]).round(_DIGITS)
    best["score"] = _weighted_sum(best, _PARTS)
    best = best.sort_values(
        ["hotel_id", "score", *_IDENTITY, "image_group_id"],
        ascending=[True, False, *([True] * len(_IDENTITY)), True],
        kind="stable",
        ignore_index=True,
    )
    best["position"] = best.groupby("hotel_id", sort=False).cumcount() + 1
    dtypes = {**dict.fromkeys(_TEXT, "str"), **dict.fromkeys(["position", "width", "height"], "int64")}
    return best[_COLUMNS].astype(dtypes)


def _own_parts(entries: pd.DataFrame) -> dict[str, Floats]:
    """The parts that belong to one entry, as columns."""
    values = {name: entries[name].to_numpy() for name in _FEATURES}
    parts = {
        "resolution": _resolution(values["width"], values["height"]),
        "sharpness": values["sharpness"] / (values["sharpness"] + _MEDIUM_SHARPNESS),
        "exposure": _exposure(values["brightness"], values["contrast"], values["colourfulness"]),
        "partner_position": _partner_position(entries),
        "trust": np.clip(values["trust"], 0.0, 1.0),
    }
    return {f"part_{name}": np.round(part, _DIGITS) for name, part in parts.items()}


def _resolution(width: Floats, height: Floats) -> Floats:
    pixels = np.clip(width * height, _FEWEST_PIXELS, _ENOUGH_PIXELS)
    share: Floats = np.log(pixels / _FEWEST_PIXELS) / np.log(_ENOUGH_PIXELS / _FEWEST_PIXELS)
    return share


def _exposure(brightness: Floats, contrast: Floats, colourfulness: Floats) -> Floats:
    darkest, brightest = _GOOD_BRIGHTNESS
    well_lit = np.clip(np.minimum(brightness / darkest, (255.0 - brightness) / (255.0 - brightest)), 0.0, 1.0)
    return (
        0.5 * well_lit
        + 0.35 * np.minimum(contrast / _GOOD_CONTRAST, 1.0)
        + 0.15 * np.minimum(colourfulness / _GOOD_COLOUR, 1.0)
    )


def _partner_position(entries: pd.DataFrame) -> Floats:
    # Partners count from 0, from 1 or in tens; the place among their own entries means the same for all.
    lists = entries.groupby(["hotel_id", "partner_id", "accommodation_id"], sort=False)["position"]
    place = lists.rank(method="dense").to_numpy() - 1.0
    return np.where(np.isnan(place), _NO_POSITION, _HALFWAY_RANK / (_HALFWAY_RANK + place))


def _best_entries(entries: pd.DataFrame) -> pd.DataFrame:
    """The entry of each image group with the highest sum of its own parts."""
    own = _weighted_sum(entries, _OWN_PARTS)
    highest = own.groupby([entries[name] for name in _GROUP], sort=False).transform("max")
    # Text is compared only where the numbers leave a tie: sorting whole shards by URL takes most of the time.
    tied = entries[own == highest]
    return tied.sort_values(_IDENTITY, kind="stable").drop_duplicates(_GROUP)


def _partner_counts(entries: pd.DataFrame) -> pd.DataFrame:
    """How many partners show the picture of each group, as column `partners`."""
    return (
        entries.drop_duplicates([*_GROUP, "partner_id"]).groupby(_GROUP, sort=False).size().reset_index(name="partners")
    )


def _weighted_sum(entries: pd.DataFrame, parts: list[str]) -> pd.Series[float]:
    total = pd.Series(0.0, index=entries.index)
    for part in parts:  # always in this order: sums of floats depend on it
        total = total + entries[f"part_{part}"] * getattr(WEIGHTS, part)
    return total.round(_DIGITS)
