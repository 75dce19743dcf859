"""The partners' web server: the pictures, the troubles of the play, and a count of the requests.

One real HTTP server on 127.0.0.1 for all partners and both weeks, in a thread of the demo. Does not belong here:
which picture is where (scenario).
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from demo.edits import Edit, edited
from demo.photographs import Picture, photograph
from demo.scenario import Offer, Trouble, Week

_LOGIN_PAGE = b"<!doctype html><html><head><title>Log in</title></head><body>Please log in.</body></html>"
_BOMB_SIDE = 20_000  # pixels; 400 megapixels in 50 kB


class Answer(NamedTuple):
    """What goes over the wire."""

    status: int
    content_type: str
    body: bytes


# Every file of both weeks, 40 MB.
@lru_cache(maxsize=512)
def picture_file(picture: Picture, edit: Edit, folder: Path | None) -> bytes:
    """The JPEG file of a picture as a partner has it; the same arguments always give the same bytes."""
    return edited(photograph(picture, folder), edit)


def answer(offer: Offer, earlier_requests: int, folder: Path | None) -> Answer:
    """What the server sends for an offer that was asked for `earlier_requests` times this week."""
    trouble = offer.trouble
    if trouble is Trouble.NOT_FOUND:
        return Answer(404, "text/plain", b"gone\n")
    if trouble is Trouble.ALWAYS_500 or (trouble is Trouble.ONCE_500 and earlier_requests == 0):
        return Answer(500, "text/plain", b"try again later\n")
    if trouble is Trouble.HTML:
        return Answer(200, "text/html", _LOGIN_PAGE)
    if trouble is Trouble.BOMB:
        return Answer(200, "image/png", decompression_bomb())
    if trouble is Trouble.TOO_SMALL:
        return Answer(200, "image/jpeg", picture_file(offer.picture, Edit(long_side=160), folder))
    body = picture_file(offer.picture, offer.edit, folder)
    if trouble is Trouble.TRUNCATED:
        body = body[: len(body) * 3 // 5]
    return Answer(200, "image/jpeg", body)


@lru_cache(maxsize=1)
def decompression_bomb() -> bytes:
    """A valid black PNG of 400 megapixels in few bytes."""
    row = bytes(1 + _BOMB_SIDE // 8)
    packer = zlib.compressobj(9)
    pixels = b"".join([*(packer.compress(row) for _ in range(_BOMB_SIDE)), packer.flush()])
    header = struct.pack(">IIBBBBB", _BOMB_SIDE, _BOMB_SIDE, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


class PartnerServer:
    """The running server. It plays one week at a time and counts the requests of that week, by path."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._offers: Mapping[str, Offer] = {}
        self._requests: Counter[str] = Counter()
        self._lock = threading.Lock()

    @cached_property
    def _server(self) -> ThreadingHTTPServer:
        play = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Without it, a reply in two packets waits 40 ms for the client's delayed acknowledgement.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                status, content_type, body = play._answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Stay silent: the demo prints the counts."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that hangs up is nothing to print."""

        return Server(("127.0.0.1", 0), Handler)

    @property
    def host(self) -> str:
        """`http://127.0.0.1:port`; the port is picked once."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def play(self, week: Week) -> None:
        """Serve what the partners have in this week, and count from zero. Returns when all files are made.

        Made while the pipeline asks for dozens at once, a file could take longer than a fetcher waits for an answer
        before it asks again, and the count of the requests would depend on how busy the machine is.
        """
        offers = {offer.path: offer for catalogue in week.catalogues.values() for offer in catalogue.offers}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(lambda offer: answer(offer, 1, self._folder), offers.values()):
                pass
        with self._lock:
            self._offers = offers
            self._requests = Counter()

    def requests(self) -> dict[str, int]:
        """Requests since the week began, by path."""
        with self._lock:
            return dict(self._requests)

    def _answer(self, path: str) -> Answer:
        with self._lock:
            offer = self._offers.get(path)
            earlier = self._requests[path]
            self._requests[path] += 1
        return Answer(404, "text/plain", b"never heard of\n") if offer is None else answer(offer, earlier, self._folder)


@contextmanager
def partner_server(folder: Path | None) -> Iterator[PartnerServer]:
    """A server with the photographs in `folder` (None: drawn scenes), stopped at the end of the block."""
    server = PartnerServer(folder)
    thread = threading.Thread(target=server._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server._server.shutdown()
        server._server.server_close()
        thread.join()
