"""A real HTTP server that plays partners' image hosts and counts what it is asked for."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = bytes | int


@dataclass
class PartnerSite:
    """`answers[path]` is a body, a status, or a list of them for successive requests (the last one stays).

    `headers[path]` go with every answer; with an ETag among them the site answers 304 to whoever has it already.
    """

    port: int
    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def serve(self, path: str, answer: Answer | list[Answer]) -> str:
        """Answer requests for `path`; returns its URL."""
        self.answers[path] = answer
        return self.url(path)

    def next_answer(self, path: str) -> Answer:
        with self.lock:
            asked = self.requests[path]
            self.requests[path] += 1
        answer = self.answers.get(path, 404)
        return answer[min(asked, len(answer) - 1)] if isinstance(answer, list) else answer


@contextmanager
def partner_site() -> Iterator[PartnerSite]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = site.next_answer(self.path)
            status, body = (200, answer) if isinstance(answer, bytes) else (answer, b"no")
            headers = site.headers.get(self.path, {})
            if "ETag" in headers and headers["ETag"] == self.headers.get("If-None-Match"):
                status, body = 304, b""
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = PartnerSite(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
