"""What renditions take, in numbers that the UI plots: by recipe, and what a format saves.

Pure over counted sizes. Does not belong here: counting (the ledger).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from image_assets.renditions.recipes import Recipe
from resources.ledger.rendering import RecipeSizes

# Every number is a row of the event log for each materialisation.
RECIPES_PLOTTED = 40


def jpeg_counterparts(recipes: Sequence[Recipe]) -> dict[str, str]:
    """Recipes of other formats -> the first JPEG recipe that asks for the same picture in the same box."""
    jpegs: dict[object, str] = {}
    for recipe in recipes:
        if recipe.format == "jpeg":
            jpegs.setdefault(_box(recipe), recipe.name)
    return {recipe.name: jpegs[_box(recipe)] for recipe in recipes if recipe.format != "jpeg" and _box(recipe) in jpegs}


def _box(recipe: Recipe) -> object:
    return recipe.width, recipe.height, recipe.crop, recipe.enlarge


def size_metadata(sizes: Iterable[RecipeSizes], recipes: Sequence[Recipe]) -> dict[str, int | float]:
    """The numbers by name, of the sizes by these recipes.

    `<recipe>_count`, `<recipe>_bytes`, and of recipes with a `max_bytes` `<recipe>_too_large`, how many take more even
    so; for each format the bytes by which its files are smaller than the originals they were made from
    (`<format>_saved_on_originals_bytes`, and `…_share` of these), and than the JPEGs of the same box.
    """
    numbers: dict[str, int | float] = {}
    totals: dict[str, list[int]] = {}
    by_name = {recipe.name: recipe for recipe in recipes}
    for index, each in enumerate(sizes):
        recipe = by_name[each.recipe]
        if index < RECIPES_PLOTTED:
            numbers[f"{each.recipe}_count"] = each.number
            numbers[f"{each.recipe}_bytes"] = each.bytes
            if recipe.max_bytes is not None:
                numbers[f"{each.recipe}_too_large"] = each.too_large
        total = totals.setdefault(recipe.format, [0, 0, 0, 0])
        for place, amount in enumerate((each.originals, each.bytes, each.counterparts, each.compared)):
            total[place] += amount
    for name, (originals, bytes, counterparts, compared) in sorted(totals.items()):
        for than, before, after in (("originals", originals, bytes), ("jpeg", counterparts, compared)):
            if before:
                numbers[f"{name}_saved_on_{than}_bytes"] = before - after
                numbers[f"{name}_saved_on_{than}_share"] = round(1 - after / before, 6)
    return numbers
