"""Pillow's own limits, for processes that open only files that passed the screening.

Does not belong here: the screening's limits, and what its workers set for strangers' files.
"""

from __future__ import annotations

from PIL import Image, PngImagePlugin


def trust_screened_files() -> None:
    """Let nothing be refused later that was accepted: only images within the user's `max_pixels` come here, and of the
    text in a PNG (editors leave megabytes there) all that the screening read.
    """
    Image.MAX_IMAGE_PIXELS = None
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
