"""The bare client: aiohttp on uvloop, signs and POSTs with 64 under way.
`python -m benchmarks.bars.client URL COUNT`."""

from __future__ import annotations

import asyncio
import base64
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

import aiohttp
import orjson
import uvloop

from benchmarks.payload import KEY, body, signature

IN_FLIGHT: Final = 64


async def post(session: aiohttp.ClientSession, url: str, number: int, key: bytes) -> None:
    """One delivery, as a sender without a store would make it. Raises what went wrong."""
    event, timestamp, content = f"evt_{number}", int(time.time()), body(number)
    headers = {
        "content-type": "application/json",
        "webhook-id": event,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(event, timestamp, content, key),
    }
    async with session.post(url, data=content, headers=headers) as answer:
        await answer.read()
        answer.raise_for_status()


async def run(url: str, count: int) -> dict[str, Any]:
    key, numbers = base64.b64decode(KEY), iter(range(count))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        begin, cpu = time.monotonic(), time.process_time()

        async def work(mine: Iterator[int]) -> None:
            for number in mine:
                await post(session, url, number, key)

        await asyncio.gather(*(work(numbers) for _ in range(IN_FLIGHT)))
        seconds, spent = time.monotonic() - begin, time.process_time() - cpu
    return {"rate": count / seconds, "seconds": seconds, "cpu_us": spent / count * 1e6}


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(run(sys.argv[1], int(sys.argv[2])))
    sys.stdout.buffer.write(orjson.dumps(result) + b"\n")
