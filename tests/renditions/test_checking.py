"""A rendition is checked before it is stored: damage of any kind is found, what is sound passes."""

from __future__ import annotations

import io
import random
from dataclasses import replace

import pytest
from pictures import drawn, jpeg

from image_assets.renditions import Recipe, Rendition, render
from image_assets.renditions.checking import flaw_of

JPEG = Recipe("card", 400, 300)
RENDERED = render(jpeg(drawn(1, 400, 300)), [JPEG])["card"]


def encoded(format: str, width: int = 400, height: int = 300) -> bytes:
    buffer = io.BytesIO()
    drawn(1, width, height).save(buffer, format)
    return buffer.getvalue()


def rendition(data: bytes, format: str = "jpeg", width: int = 400, height: int = 300) -> Rendition:
    return replace(RENDERED, data=data, format=format, width=width, height=height)


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_a_sound_rendition_of_each_format_passes(format: str) -> None:
    assert flaw_of(rendition(encoded(format), format), [replace(JPEG, format=format)]) is None


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_a_rendition_cut_short_anywhere_does_not_decode(format: str) -> None:
    data = encoded(format)
    for end in (0, 1, 20, len(data) // 2, len(data) - 100):
        flaw = flaw_of(rendition(data[:end], format), [replace(JPEG, format=format)])
        assert flaw is not None, end
        assert flaw.startswith("does not decode: ")


def test_a_jpeg_of_which_a_stretch_was_overwritten_does_not_decode() -> None:
    data = encoded("jpeg")
    start = random.Random(1).randrange(1000, len(data) - 1000)
    assert flaw_of(rendition(data[:start] + b"\xff\xd0" * 100 + data[start + 200 :]), [JPEG]) is not None


def test_another_format_or_size_than_it_should_have_is_told() -> None:
    assert flaw_of(rendition(encoded("webp"), "webp"), [JPEG]) == "is webp, not jpeg"
    assert flaw_of(rendition(encoded("jpeg", 400, 299)), [JPEG]) == "has 400 x 299 pixels, not 400 x 300"
    larger = rendition(encoded("jpeg", 402, 300), width=402)
    assert flaw_of(larger, [replace(JPEG, width=500), JPEG]) == "has 402 x 300 pixels, more than the box of 400 x 300"
