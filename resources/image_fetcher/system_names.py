"""The system's name service, asked in threads of its own.

Belongs here: resolving host names. Does not belong here: which of the addresses may be connected to (public_addresses).

The event loop's own threads are few and shared with the screening and the ledger: name servers that do not answer
would hold all of them up.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

_THREADS = 64


class SystemNames(AbstractResolver):
    """getaddrinfo, many at once."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host`. Raises OSError when there is none."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host, port, family)

    async def close(self) -> None:
        """Let the threads go; a lookup that hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=int(address[1]),
            family=kind,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, protocol, _, address in found
        # A scope id marks a link-local address, which is never asked.
        if kind in (socket.AF_INET, socket.AF_INET6) and not (len(address) == 4 and address[3])
    ]
