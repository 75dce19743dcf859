"""A partner's server in a process of its own: real photographs after a latency, each URL its own content.

It notes when each request came, so that all clients are measured by the same clock. Its cost is small beside theirs.
"""

from __future__ import annotations

import asyncio
import importlib.util
import io
import multiprocessing
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from PIL import Image
from renditions import drawn_photo

_NUMBER = re.compile(rb"GET /(\d+)\.jpg ")
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_WANTED_BYTES = 100_000


def photo_bytes(photos: Sequence[bytes], number: int) -> bytes:
    """The file behind `/<number>.jpg`: a photograph, and behind its end what makes it a content of its own."""
    return photos[number % len(photos)] + number.to_bytes(8, "big")


def load_photos(folder: Path | None, many: int = 240) -> list[bytes]:
    """JPEGs of about 100 kB: those of a folder as they are, else photographs of a package or drawn ones, reduced."""
    if folder is not None:
        return [path.read_bytes() for path in sorted(folder.glob("*.jp*g"))[:many]]
    package = importlib.util.find_spec("interior_photos")
    if package is None or package.origin is None:
        return [_scaled(drawn_photo(seed, 1200)) for seed in range(24)]
    return [_scaled(path.read_bytes()) for path in sorted((Path(package.origin).parent / "images").glob("*.jpg"))]


def _scaled(data: bytes) -> bytes:
    """A JPEG brought below the wanted size, as partners' servers offer them."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    while len(data) > _WANTED_BYTES * 1.2:
        image = image.resize((image.width * 4 // 5, image.height * 4 // 5), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=85)
        data = file.getvalue()
    return data


class _Answering(asyncio.Protocol):
    """HTTP/1.1, kept alive unless the client closes; requests of one connection are answered in turn."""

    def __init__(self, photos: Sequence[bytes], latency: float, came: Any) -> None:
        self._photos, self._latency, self._came = photos, latency, came
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head, self._received = self._received[:end], self._received[end + 4 :]
            asyncio.get_running_loop().call_later(self._latency, self._answer, head, time.monotonic())

    def _answer(self, head: bytes, came: float) -> None:
        if self._transport.is_closing():
            return
        asked = _NUMBER.match(head)
        if asked is None:  # robots.txt
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        else:
            number = int(asked[1])
            self._came[number] = came
            body = photo_bytes(self._photos, number)
            start = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body)
            self._transport.write(start + body)
        if _CLOSES.search(head):
            self._transport.close()


def _serve(photos: Sequence[bytes], latency: float, came: Any, port: Connection) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Answering(photos, latency, came), "127.0.0.1", 0, backlog=4096)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def photo_server(photos: Sequence[bytes], latency: float, images: int) -> Iterator[tuple[int, Any]]:
    """(port, times): `times[number]` is when `/<number>.jpg` was asked for, by `time.monotonic`; 0 if it was not."""
    context = multiprocessing.get_context("spawn")
    came = context.Array("d", images, lock=False)
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(photos, latency, came, there), daemon=True)
    server.start()
    try:
        yield here.recv(), came
    finally:
        server.terminate()
        server.join()
