"""A world to measure in: hotels whose pictures five partners show, each in a version of its own, on a local server.

Belongs here: the pictures, who shows which, and the server process. Does not belong here: what is done with them.
"""

from __future__ import annotations

import asyncio
import io
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from aiohttp import web
from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from renditions import drawn_photo

PICTURES_A_HOTEL = 7  # with five partners 35 images: an ordinary hotel

_SOURCE_WIDTH = 1280


@dataclass(frozen=True)
class Offer:
    """One catalogue entry. The accommodation's id is the hotel's: who belongs together is the data release's matter."""

    hotel: str
    partner: str
    url: str


def _as_it_is(image: Image.Image) -> bytes:
    return _jpeg(image, 1080, 88)


def _poorer(image: Image.Image) -> bytes:
    return _jpeg(image, 960, 70)


def _brighter(image: Image.Image) -> bytes:
    return _jpeg(ImageEnhance.Brightness(image).enhance(1.1), 1024, 80)


def _cropped(image: Image.Image) -> bytes:
    dx, dy = image.width // 20, image.height // 20
    return _jpeg(image.crop((dx, dy, image.width - dx, image.height - dy)), 1000, 85)


def _marked(image: Image.Image) -> bytes:
    marked = image.copy()
    ImageDraw.Draw(marked).text((20, image.height - 60), "a partner's mark", fill=(255, 255, 255), font_size=36)
    return _jpeg(marked, 1024, 82)


PARTNERS: dict[str, Callable[[Image.Image], bytes]] = {
    "original": _as_it_is,
    "poorer": _poorer,
    "brighter": _brighter,
    "cropped": _cropped,
    "marked": _marked,
}


def make_pictures(folder: Path, images: int, photos: Path | None) -> list[tuple[str, str, str]]:
    """Write about `images` JPEGs; (hotel, partner, file name) of each. Every file's content is different."""
    sources = max(1, images // len(PARTNERS))
    paths = sorted(photos.glob("*.jp*g")) if photos else []
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(_write_versions, folder, paths), range(sources), chunksize=4))
    return [
        (f"hotel-{number // PICTURES_A_HOTEL:04}", partner, f"{number:05}-{partner}.jpg")
        for number in range(sources)
        for partner in PARTNERS
    ]


def _write_versions(folder: Path, paths: Sequence[Path], number: int) -> None:
    image = _source(paths, number)
    for partner, version in PARTNERS.items():
        (folder / f"{number:05}-{partner}.jpg").write_bytes(version(image))


def _source(paths: Sequence[Path], number: int) -> Image.Image:
    if not paths:
        return Image.open(io.BytesIO(drawn_photo(number, _SOURCE_WIDTH)))
    turn, index = divmod(number, len(paths))
    image = Image.open(paths[index]).convert("RGB")
    # When there are not enough photographs, they come again in other hotels: mirrored, and cut a little.
    image = ImageOps.mirror(image) if turn % 2 else image
    image = image.crop((8 * turn, 0, image.width, image.height))
    return image.resize((_SOURCE_WIDTH, image.height * _SOURCE_WIDTH // image.width), Image.Resampling.LANCZOS)


def _jpeg(image: Image.Image, width: int, quality: int) -> bytes:
    scaled = image.resize((width, image.height * width // image.width), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    scaled.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@contextmanager
def picture_server(folder: Path) -> Iterator[str]:
    """The base URL of a server, in a process of its own, of the files in `folder`."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(folder, theirs), daemon=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        server.kill()
        server.join()


def _serve(folder: Path, answer: Connection) -> None:
    async def picture(request: web.Request) -> web.Response:
        return web.Response(body=(folder / request.match_info["name"]).read_bytes(), content_type="image/jpeg")

    async def forever() -> None:
        application = web.Application()
        application.router.add_get("/{name}", picture)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        answer.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(forever())
