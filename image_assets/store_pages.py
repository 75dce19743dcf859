"""A local store's pages over HTTP, so that the UI's links to galleries open: browsers follow no link to `file://`.

Only for `image-assets dev` on this machine. Does not belong here: what the pages show.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote, urlsplit

PAGES_VARIABLE = "IMAGE_ASSETS_PAGES"
DEFAULT_PAGES = "http://127.0.0.1:3001"


def page_url(store_url: str, key: str) -> str:
    """Where a browser finds an object: beside the UI for a local store, in the bucket for an S3 one."""
    if urlsplit(store_url).scheme == "file":
        return f"{os.environ.get(PAGES_VARIABLE) or DEFAULT_PAGES}/{quote(key)}"
    return f"{store_url.rstrip('/')}/{quote(key)}"


def page_place(store_url: str, key: str) -> str:
    """Where a person at a terminal finds an object: the file of a local store, the key in the bucket of an S3 one."""
    parts = urlsplit(store_url)
    return f"{unquote(parts.path)}/{key}" if parts.scheme == "file" else f"{store_url.rstrip('/')}/{key}"


@contextmanager
def serve_pages(store_url: str, port: int) -> Iterator[None]:
    """Serve a `file://` store read-only on 127.0.0.1:`port` while the block runs; nothing for other stores.

    Raises OSError when the port is taken.
    """
    parts = urlsplit(store_url)
    if parts.scheme != "file":
        yield
        return
    os.environ[PAGES_VARIABLE] = f"http://127.0.0.1:{port}"
    handler = partial(_QuietHandler, directory=unquote(parts.path))
    with _QuietServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves a page before all of it has come is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """The command's terminal is for the pipeline."""
