from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from hookplane_console.site import site


@pytest.mark.parametrize(
    ("host", "reached"),
    [("127.0.0.1", ["127.0.0.1"]), ("[::1]", ["[::1]"]), ("[::]", ["127.0.0.1", "[::1]"])],
)
async def test_where_it_listens(host: str, reached: list[str]) -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    try:
        await site(runner, host, 0).start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as session:
            for address in reached:
                async with session.get(f"http://{address}:{port}/") as answer:
                    assert answer.status == 404
    finally:
        await runner.cleanup()
