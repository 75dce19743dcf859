"""Large bodies, many at once: memory stays within its budget, and nothing waits for ever."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest
from local_servers import serve_raw

from resources.image_fetcher.body_memory import BodyMemory, BodyShare

MIB = 2**20
BODY_MIB, BODIES = 20, 24
CLIENT = """
import asyncio, re, sys
from pathlib import Path
from local_servers import GivenNames
from resources.image_fetcher import FetchRequest, fetch_all
from resources.partners import PartnerSettings

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

async def main():
    before = peak()
    settings = PartnerSettings("acme", allow_private_addresses=True)
    hosts = [f"h{n}.test" for n in range(BODIES)]  # so that all are asked at once
    urls = [FetchRequest(host, f"http://{host}:{sys.argv[1]}/") for host in hosts]
    names = GivenNames(dict.fromkeys(hosts, ["127.0.0.1"]))
    sizes = [len(one.data or b"") async for one in fetch_all(urls, settings, names=names)]
    print(sum(sizes) // 2**20, peak() - before)

asyncio.run(main())
""".replace("BODIES", str(BODIES))


@pytest.mark.parametrize("head", [b"Content-Length: %d\r\n" % (BODY_MIB * MIB), b""], ids=["told", "not told"])
def test_many_large_bodies_at_once_stay_within_their_memory(head: bytes) -> None:
    asked = 0
    all_asked = asyncio.Event()

    async def answer(request: str, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked == BODIES:
            all_asked.set()
        await all_asked.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + head + b"\r\n")
        for _ in range(BODY_MIB):
            writer.write(bytes(MIB))
            await writer.drain()

    async def scenario() -> tuple[int, int]:
        async with serve_raw(answer) as base:
            command = [sys.executable, "-c", CLIENT, base.rpartition(":")[2]]
            paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
            client = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.PIPE, env={**os.environ, **paths}
            )
            told, _ = await client.communicate()
            came, grown = map(int, told.split())
            return came, grown

    came, grown = asyncio.run(scenario())
    assert came == BODIES * BODY_MIB
    # 128 MiB of large bodies, the first MiB of each, and what the allocator keeps; without a budget it is over 600.
    assert grown < 350


def test_shares_are_given_in_the_order_they_were_asked_for_and_cancelling_takes_none() -> None:
    given: list[str] = []

    async def scenario() -> None:
        memory = BodyMemory(10)
        shares = {name: BodyShare(memory) for name in "abcd"}

        async def take(name: str, amount: int) -> None:
            await shares[name].take(amount)
            given.append(name)

        tasks = {name: asyncio.create_task(take(name, n)) for name, n in [("a", 8), ("b", 9), ("c", 1), ("d", 2)]}
        for _ in range(5):
            await asyncio.sleep(0)
        assert given == ["a"], "c would fit, but b came first"
        tasks["b"].cancel()
        await asyncio.wait([tasks["c"]])
        assert given == ["a", "c"]
        shares["a"].keep(7)
        shares["a"].keep(7)
        await tasks["d"]
        assert given == ["a", "c", "d"]

    asyncio.run(asyncio.wait_for(scenario(), 10))
