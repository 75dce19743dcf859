"""The gates before a release becomes current: what must hold, as pure rules over counted facts.

Each rule returns whether it holds, and a message with the figures. Does not belong here: counting (ledger and store),
and what a closed gate stops (the asset).
"""

from __future__ import annotations

from collections.abc import Sequence

from resources.ledger.gates import RENDITIONS_IN_STORE, Gate

EVERY_HOTEL_HAS_A_PICTURE = "every_hotel_has_a_picture"
FEW_HOTELS_LOST = "few_hotels_lost"
SHARD_GATES_OPEN = "shard_gates_open"

_ACCEPT = (
    "When closed, nothing is published and `current` stays. If it is meant, let it through with "
    "`image-assets accept-release RELEASE`; otherwise mend the catalogues or the data release."
)

DESCRIPTIONS = {
    EVERY_HOTEL_HAS_A_PICTURE: "Every hotel with an available image has at least one published image. " + _ACCEPT,
    RENDITIONS_IN_STORE: "Every rendition that the manifest lists is in the store. When closed, nothing is published "
    "and `current` stays: somebody deleted objects. Their shards are pending again and make them anew.",
    FEW_HOTELS_LOST: "Hotels that lost all pictures since the current release stay below a limit. " + _ACCEPT,
    SHARD_GATES_OPEN: "No gate of the release's shards is closed. When closed, see the checks of `image_groups` and "
    "`renditions`.",
}


def every_hotel_has_a_picture(without: Sequence[str]) -> tuple[bool, str]:
    """`without`: hotels with an available image that nothing is published of."""
    if not without:
        return True, "Every hotel with an available image has a published one."
    return False, f"{len(without):,} hotels with available images would show none: {_few(without)}."


def renditions_in_store(missing: Sequence[str], checked: int) -> tuple[bool, str]:
    """`missing`: keys of renditions that are not in the store, of `checked` ones."""
    if not missing:
        return True, f"All {checked:,} renditions are in the store."
    return False, f"{len(missing):,} of {checked:,} renditions are not in the store: {_few(missing)}."


def few_hotels_lost(current: str | None, lost: int, before: int, limit: float) -> tuple[bool, str]:
    """`lost` of the `before` hotels that show pictures in the `current` release would show none; `limit` is a share.

    `current` is None when nothing was published before, or when this release will not become current.
    """
    if current is None:
        return True, "No current release loses hotels by this one."
    share = lost / before if before else 0.0
    message = f"{lost:,} of {before:,} hotels lose all their pictures since {current} ({share:.1%}, limit {limit:.0%})."
    return share <= limit, message


def shard_gates_open(closed: Sequence[Gate]) -> tuple[bool, str]:
    """`closed`: the gates of the release's shards that are closed."""
    if not closed:
        return True, "All gates of the shards are open."
    return False, "Closed: " + _few([f"{gate.gate} of {gate.partition_key}" for gate in closed]) + "."


def _few(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
