"""What strangers may take of a process that is at work."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import re
from collections import Counter
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from yarl import URL

from support.clocks.until import PATIENCE, until
from support.cluster.e2e import KEYED_ENDPOINT, plane

MANIFEST = (
    KEYED_ENDPOINT
    + """
  provider: GitHub
  limits: {maxBodySize: 24Mi}
  verification: {keys: [{secretKeyRef: {name: key, key: key}}]}
"""
)
SIZE = 24 << 20
STRANGERS = 24
MOST_GROWTH = 256 << 20
"""Bytes. Of 512 Mi at most 256 are left; the budget is 64 Mi, and bodies are read in pieces."""
FORGED = b"X-Hub-Signature-256: sha256=" + b"0" * 64


def resident(pid: int) -> int:
    """Bytes of memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [line] = [x for x in lines if x.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


async def withhold(port: int, headers: bytes) -> asyncio.StreamWriter:
    """Sends a body but for its last byte, as far as somebody reads it within some seconds."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b"POST /default/in HTTP/1.1\r\nHost: x\r\n%b\r\nContent-Length: %d\r\n\r\n"
    writer.write(head % (headers, SIZE))
    try:
        async with asyncio.timeout(5):
            for _ in range(SIZE // 65536 - 1):
                writer.write(bytes(65536))
                await writer.drain()
    except (TimeoutError, ConnectionError):
        pass
    return writer


CROWD = 4100
"""More connections than a receiver takes."""
GOOD = 200
SHED = r"hookplane_connections_shed_total\{.*\} [1-9]"


class Silent(asyncio.Protocol):
    """A connection with headers, and no body."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        head = b"POST /default/in HTTP/1.1\r\nHost: x\r\n%b\r\nContent-Length: 9\r\n\r\n"
        cast(asyncio.Transport, transport).write(head % FORGED)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()


async def besiege(port: int, source: str) -> None:
    """Keeps a silent connection; another one, when it is cut."""
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(OSError):
            transport, silent = await loop.create_connection(
                Silent, "127.0.0.1", port, local_addr=(source, 0)
            )
            try:
                await silent.ended.wait()
            finally:
                transport.abort()
        await asyncio.sleep(1)


async def send_signed(session: aiohttp.ClientSession, url: str, number: int) -> int:
    body = b'{"n":%d}' % number
    digest = hmac.new(b"generic-secret", body, hashlib.sha256).hexdigest()
    headers = {
        "X-Hub-Signature-256": f"sha256={digest}",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": f"d{number}",
        "Connection": "close",
    }
    async with session.post(f"{url}/default/in", data=body, headers=headers) as answer:
        return answer.status


@pytest.mark.slow
@pytest.mark.parametrize("addresses", [1, 5])
async def test_thousands_of_silent_connections_keep_nobody_out(
    tmp_path: Path, addresses: int
) -> None:
    """Whoever sends from elsewhere is answered, each time."""
    async with plane(tmp_path) as running:
        running.write("in", MANIFEST)
        await running.start()
        port = URL(running.url).port
        assert port is not None
        sources = [f"127.0.1.{x % addresses}" for x in range(CROWD)]
        siege = [asyncio.create_task(besiege(port, source)) for source in sources]
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE)) as session:

            async def is_full() -> bool:
                async with session.get(f"{running.admin}/metrics") as answer:
                    return re.search(SHED, await answer.text()) is not None

            await until(is_full, "more connections than there may be", 4 * PATIENCE)
            answers = [await send_signed(session, running.url, x) for x in range(GOOD)]
        for task in siege:
            task.cancel()
        await asyncio.gather(*siege, return_exceptions=True)
        assert Counter(answers) == {200: GOOD}


@pytest.mark.slow
@pytest.mark.parametrize("headers", [b"X-Nothing: 1", FORGED], ids=["unsigned", "forged"])
async def test_bodies_of_strangers_do_not_fill_the_memory(tmp_path: Path, headers: bytes) -> None:
    async with plane(tmp_path) as running:
        running.write("in", MANIFEST)
        await running.start()
        assert running.process is not None
        port = URL(running.url).port
        assert port is not None
        before = resident(running.process.pid)
        for _ in range(2):
            strangers = [withhold(port, headers) for _ in range(STRANGERS)]
            writers = await asyncio.wait_for(asyncio.gather(*strangers), 4 * PATIENCE)
            assert resident(running.process.pid) - before < MOST_GROWTH
            for writer in writers:
                writer.transport.abort()
