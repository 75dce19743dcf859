"""Servers on 127.0.0.1 that do what a test tells them: well-behaved ones (aiohttp) and raw sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
RawHandler: TypeAlias = Callable[[str, asyncio.StreamWriter], Awaitable[None]]

# The name of `serve_raw`'s own tasks, for tests that look for tasks left behind.
SERVER_TASK = "local server"


@asynccontextmanager
async def serve(handler: Handler, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """`async with serve(handler) as base:` an HTTP server whose every path goes to `handler`."""
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, address, 0, ssl_context=tls)
    await site.start()
    try:
        yield f"http://{address}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serve_raw(handler: RawHandler) -> AsyncIterator[str]:
    """`async with serve_raw(handler) as base:` a socket server; `handler` gets the request's head and the writer."""

    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.set_name(SERVER_TASK)
        connections.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await handler((await reader.readuntil(b"\r\n\r\n")).decode(), writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in connections:
            task.cancel()


class GivenNames(AbstractResolver):
    """A name service of the test's own: names to addresses, and what was asked."""

    def __init__(self, addresses: dict[str, list[str]]) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self.addresses:
            raise OSError(f"no such name: {host}")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self.addresses[host]
        ]

    async def close(self) -> None:
        return None
