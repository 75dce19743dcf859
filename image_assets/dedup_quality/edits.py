"""What partners do to a picture before they offer it: edits as pure functions of an RGB picture.

Does not belong here: how strong an edit is in the corpus (`drawn_edits`), which pairs a corpus holds (`making`).
"""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageFont, ImageOps

Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)


def as_jpeg(image: Image.Image, quality: int = 88) -> bytes:
    """The picture as a partner's server sends it."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    """The picture as it comes out of a JPEG file of this quality."""
    with Image.open(io.BytesIO(as_jpeg(image, quality))) as file:
        return file.convert("RGB")


def resized(image: Image.Image, across: float, down: float) -> Image.Image:
    """Width and height times a factor each, 8 pixels at least."""
    size = max(8, round(image.width * across)), max(8, round(image.height * down))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def cut(
    image: Image.Image, left: float = 0.0, top: float = 0.0, right: float = 0.0, bottom: float = 0.0
) -> Image.Image:
    """Shares of the width and the height cut off at each side."""
    return image.crop(
        (
            round(image.width * left),
            round(image.height * top),
            image.width - round(image.width * right),
            image.height - round(image.height * bottom),
        )
    )


def gamma_corrected(image: Image.Image, gamma: float) -> Image.Image:
    """Every channel to the power of `gamma`; below 1 is brighter."""
    table = [round(255 * (value / 255) ** gamma) for value in range(256)]
    return image.point(table * 3)


def white_balanced(image: Image.Image, red: float, blue: float) -> Image.Image:
    """The red and the blue channel times a factor each."""
    factors = (red, 1.0, blue)
    return image.point([min(255, round(value * factor)) for factor in factors for value in range(256)])


def grey(image: Image.Image) -> Image.Image:
    """The picture without colours."""
    return image.convert("L").convert("RGB")


def bordered(image: Image.Image, share: float, colour: Colour) -> Image.Image:
    """A frame that adds `share` of the width at the left and at the right, and of the height above and below."""
    return _padded(image, round(image.width * share), round(image.height * share), colour)


def letterboxed(image: Image.Image, ratio: float, colour: Colour) -> Image.Image:
    """Bars on two sides that bring the picture to `ratio` (width over height)."""
    return _padded(
        image,
        max(0, round((image.height * ratio - image.width) / 2)),
        max(0, round((image.width / ratio - image.height) / 2)),
        colour,
    )


def rotated(image: Image.Image, degrees: float) -> Image.Image:
    """Turned anticlockwise in its frame; the corners that fall open are black."""
    return image.rotate(degrees, Image.Resampling.BICUBIC)


def watermarked(
    image: Image.Image, text: str, centre: tuple[float, float], height: float, opacity: int, degrees: float = 0.0
) -> Image.Image:
    """Half transparent words: `centre` as shares of the size, `height` a share of the picture's, `opacity` of 255."""
    font = ImageFont.load_default(size=max(10, image.height * height))
    overlay = Image.new("RGBA", image.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(overlay)
    x, y = image.width * centre[0], image.height * centre[1]
    pen.text((x + 1.5, y + 1.5), text, font=font, anchor="mm", fill=(0, 0, 0, opacity // 2))
    pen.text((x, y), text, font=font, anchor="mm", fill=(255, 255, 255, opacity))
    if degrees:
        overlay = overlay.rotate(degrees, Image.Resampling.BICUBIC, center=(x, y))
    return Image.alpha_composite(image.convert("RGBA"), overlay).convert("RGB")


def with_logo(image: Image.Image, corner: int, share: float, text: str, colour: Colour) -> Image.Image:
    """A solid plate with a name in a corner (0 to 3, clockwise from the upper left), `share` of the width wide."""
    width = round(image.width * share)
    height = max(12, round(width * 0.38))
    left, top = _corner(image, corner, width, height, margin=round(image.width * 0.025))
    marked = image.copy()
    pen = ImageDraw.Draw(marked)
    pen.rounded_rectangle((left, top, left + width, top + height), radius=height // 5, fill=colour)
    font = ImageFont.load_default(size=max(8, width * 0.15))
    pen.text((left + width / 2, top + height / 2), text, font=font, anchor="mm", fill=_readable_on(colour))
    return marked


def with_badge(image: Image.Image, corner: int, share: float, text: str, colour: Colour) -> Image.Image:
    """A solid disc with few characters in a corner (as in `with_logo`), `share` of the short side across."""
    size = round(min(image.size) * share)
    left, top = _corner(image, corner, size, size, margin=round(size * 0.08))
    marked = image.copy()
    pen = ImageDraw.Draw(marked)
    pen.ellipse((left, top, left + size, top + size), fill=colour)
    font = ImageFont.load_default(size=max(8, size * 0.3))
    pen.text((left + size / 2, top + size / 2), text, font=font, anchor="mm", fill=_readable_on(colour))
    return marked


def with_banner(image: Image.Image, share: float, text: str, colour: Colour) -> Image.Image:
    """A solid bar over the bottom `share` of the height, with words."""
    height = round(image.height * share)
    top = image.height - height
    marked = image.copy()
    pen = ImageDraw.Draw(marked)
    pen.rectangle((0, top, image.width, image.height), fill=colour)
    font = ImageFont.load_default(size=max(8, height * 0.5))
    pen.text((image.width / 2, top + height / 2), text, font=font, anchor="mm", fill=_readable_on(colour))
    return marked


def _padded(image: Image.Image, across: int, down: int, colour: Colour) -> Image.Image:
    return ImageOps.expand(image, border=(across, down), fill=colour)


def _corner(image: Image.Image, corner: int, width: int, height: int, margin: int) -> tuple[int, int]:
    left = margin if corner in (0, 3) else image.width - width - margin
    top = margin if corner in (0, 1) else image.height - height - margin
    return left, top


def _readable_on(colour: Colour) -> Colour:
    return BLACK if sum(colour) > 3 * 140 else WHITE
