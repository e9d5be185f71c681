"""The bare server: aiohttp on uvloop, reads a body and says 200.
`python -m benchmarks.bars.hello`."""

from __future__ import annotations

import asyncio
import os
import sys

import orjson
import uvloop
from aiohttp import web


async def hello(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=b"ok")


async def serve() -> None:
    """Until standard input ends."""
    app = web.Application()
    app.router.add_post("/", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    sys.stdout.buffer.write(orjson.dumps({"url": f"http://{host}:{port}/"}) + b"\n")
    sys.stdout.buffer.flush()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _look, ended)
    await ended.wait()
    await runner.cleanup()


def _look(ended: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        ended.set()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
