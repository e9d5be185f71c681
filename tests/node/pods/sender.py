"""A provider in a pod: sends signed events at a steady rate, each until it is accepted.

    GET /-/start?rate=50&seconds=30   begins; the load ends by itself
    GET /-/stop                       begins nothing more
    GET /-/report                     {"running", "sent", "accepted": [ids], "failures": {what: n}}

The URL to send to is in URL, the endpoint's key in the file KEY_FILE. A failure is a request that
was not answered 2xx; its event is sent again under the same id, as providers do.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import time
from collections import Counter
from pathlib import Path

import aiohttp
from aiohttp import web

MOST = 50_000
"""Events of one run."""
AT_ONCE = 64
PAUSE = 0.5
PATIENCE = 180.0
"""Seconds for which an event is sent again."""


class Sender:
    def __init__(self, url: str, key_file: Path) -> None:
        self._url = url
        self._key_file = key_file
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._run: asyncio.Task[None] | None = None
        self._until = 0.0
        self.sent = 0
        self.accepted: list[str] = []
        self.failures: Counter[str] = Counter()

    async def start(self, request: web.Request) -> web.Response:
        if self._run is None or self._run.done():
            rate, seconds = float(request.query["rate"]), float(request.query["seconds"])
            self._until = time.monotonic() + seconds
            self._run = asyncio.create_task(self._send_all(rate))
        return web.json_response({"running": True})

    async def stop(self, _: web.Request) -> web.Response:
        self._until = 0.0
        return web.json_response({"running": self._running})

    async def report(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "running": self._running,
                "sent": self.sent,
                "accepted": self.accepted,
                "failures": self.failures,
            }
        )

    @property
    def _running(self) -> bool:
        return self._run is not None and not self._run.done()

    async def _send_all(self, rate: float) -> None:
        timeout = aiohttp.ClientTimeout(total=10)
        # one keeps its connections, the other makes a new one for each request
        async with (
            aiohttp.ClientSession(timeout=timeout) as keeping,
            aiohttp.ClientSession(
                timeout=timeout, connector=aiohttp.TCPConnector(force_close=True)
            ) as making,
            asyncio.TaskGroup() as group,
        ):
            while time.monotonic() < self._until and self.sent < MOST:
                await self._slots.acquire()
                self.sent += 1
                session = keeping if self.sent % 2 else making
                group.create_task(self._send(session, f"{os.environ['HOSTNAME']}-{self.sent}"))
                await asyncio.sleep(1 / rate)

    async def _send(self, session: aiohttp.ClientSession, event: str) -> None:
        try:
            end = time.monotonic() + PATIENCE
            while not await self._attempt(session, event):
                if time.monotonic() > end:
                    break
                await asyncio.sleep(PAUSE)
        finally:
            self._slots.release()

    async def _attempt(self, session: aiohttp.ClientSession, event: str) -> bool:
        body = json.dumps({"type": "order.created", "data": {"number": event}}).encode()
        try:
            async with session.post(
                self._url, data=body, headers=self._sign(event, body)
            ) as answer:
                if answer.status < 300:
                    self.accepted.append(event)
                    return True
                self.failures[str(answer.status)] += 1
        except (TimeoutError, aiohttp.ClientError) as error:
            self.failures[type(error).__name__] += 1
        return False

    def _sign(self, event: str, body: bytes) -> dict[str, str]:
        """Standard Webhooks, with the key as the file has it now."""
        now = str(int(time.time()))
        key = base64.b64decode(self._key_file.read_text().strip().removeprefix("whsec_"))
        mac = hmac.new(key, f"{event}.{now}.".encode() + body, hashlib.sha256).digest()
        return {
            "content-type": "application/json",
            "webhook-id": event,
            "webhook-timestamp": now,
            "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        }


async def make() -> web.Application:
    sender = Sender(os.environ["URL"], Path(os.environ["KEY_FILE"]))
    app = web.Application()
    app.router.add_get("/-/start", sender.start)
    app.router.add_get("/-/stop", sender.stop)
    app.router.add_get("/-/report", sender.report)
    return app


if __name__ == "__main__":
    web.run_app(make(), port=8080, access_log=None, print=None)
