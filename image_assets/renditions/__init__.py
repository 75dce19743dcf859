"""Renditions: the published images in every size and encoding the recipes ask for.

Belongs here: what a recipe is, and turning one image's bytes into its renditions. Does not belong here: which images
are published (priorities), and what a release lists (image_release).
"""

from image_assets.renditions.encoding import Rendition
from image_assets.renditions.recipes import Recipe, recipe_digest, recipes_digest, rendition_key
from image_assets.renditions.recipes_file import RecipesFileError, load_recipes
from image_assets.renditions.rendering import RenderingFailed, render

__all__ = [
    "Recipe",
    "RecipesFileError",
    "RenderingFailed",
    "Rendition",
    "load_recipes",
    "recipe_digest",
    "recipes_digest",
    "render",
    "rendition_key",
]
