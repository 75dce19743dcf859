"""How much of large bodies may be in memory at once, however many are being read.

Belongs here: the budget and a body's share of it. Does not belong here: reading (one_attempt), or the cap of one body.

Connections bound the bodies by number, which is enough for pictures of the usual size: the first MiB of each is free. A
larger one takes the whole of what it may come to before it is read on, so that those that were let in can always end.
Until then its server waits, since nothing is read from its connection.
"""

from __future__ import annotations

import asyncio

FREE_BYTES = 2**20


class BodyMemory:
    """Bytes that the large bodies of one event loop have together; shares are given in the order they are asked for."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._turn = asyncio.Lock()
        self._given_back = asyncio.Event()

    async def _take(self, amount: int) -> None:
        async with self._turn:
            while self._free < amount:
                self._given_back.clear()
                await self._given_back.wait()
            self._free -= amount

    def _give_back(self, amount: int) -> None:
        self._free += amount
        self._given_back.set()


class BodyShare:
    """What one body has of the memory: nothing yet."""

    def __init__(self, memory: BodyMemory) -> None:
        self._memory = memory
        self._held = 0

    async def take(self, amount: int) -> None:
        """Wait for as much, at most once a body, and never more than there is in all."""
        await self._memory._take(amount)
        self._held = amount

    def keep(self, amount: int) -> None:
        """Give back what is more than `amount`."""
        if self._held > amount:
            self._memory._give_back(self._held - amount)
            self._held = amount
