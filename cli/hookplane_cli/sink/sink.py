"""The sink: an HTTP server that takes deliveries in."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from random import Random
from typing import Final

from aiohttp import web

from hookplane.clock import Clock
from hookplane.pacing.waiting import wait_until_set
from hookplane_cli.sink.arrival import Arrival, type_of
from hookplane_cli.sink.behaviour import WELL_BEHAVED, Behaviour, SinkAnswer
from hookplane_cli.sink.check import Checker
from hookplane_console.site import site

MAX_BODY_BYTES: Final = 32 << 20
REMEMBERED_IDS: Final = 10_000
"""Attempts are counted for so many webhook-ids; the oldest are forgotten."""
SHUTDOWN_SECONDS: Final = 0.5


class Sink:
    """Answers every POST as its behaviour says, and calls `arrived`. `checker` may be replaced."""

    def __init__(
        self,
        *,
        checker: Checker,
        behaviour: Behaviour,
        clock: Clock,
        random: Random,
        arrived: Callable[[Arrival], None],
    ) -> None:
        self.checker = checker
        self._behaviour = behaviour
        self._clock = clock
        self._random = random
        self._arrived = arrived
        self._number = 0
        self._attempts: OrderedDict[str, int] = OrderedDict()
        self._ending = asyncio.Event()
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/{path:.*}", self._receive)
        self._runner = web.AppRunner(
            app, access_log=None, auto_decompress=False, shutdown_timeout=SHUTDOWN_SECONDS
        )

    def behave(self, behaviour: Behaviour = WELL_BEHAVED) -> None:
        """Changes how it answers, from the next delivery on, which counts as the first."""
        self._behaviour = behaviour
        self._number = 0

    async def start(self, host: str, port: int) -> str:
        """Binds and returns the URL with the real port. Raises OSError when it is taken."""
        await self._runner.setup()
        await site(self._runner, host, port).start()
        return f"http://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Ends it; answers that wait are sent at once."""
        self._ending.set()
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        self._number += 1
        reply = self._behaviour.reply(self._number, self._random)
        self._arrived(self._arrival(request, body, reply))
        await self._stall(reply)
        headers = {} if reply.retry_after is None else {"Retry-After": str(reply.retry_after)}
        return web.Response(status=reply.status, headers=headers)

    async def _stall(self, reply: SinkAnswer) -> None:
        if reply.stall:
            await wait_until_set(self._ending, reply.stall / 1000)

    def _arrival(self, request: web.Request, body: bytes, reply: SinkAnswer) -> Arrival:
        now, headers = self._clock.now(), request.headers
        webhook_id = headers.get("webhook-id", "")
        return Arrival(
            at=now,
            path=request.path,
            webhook_id=webhook_id,
            type=type_of(body),
            size=len(body),
            signature=self.checker.check(headers, body, now),
            attempt=self._count(webhook_id),
            replay="hookplane-replay" in headers,
            status=reply.status,
        )

    def _count(self, webhook_id: str) -> int:
        if not webhook_id:
            return 1
        count = self._attempts.pop(webhook_id, 0) + 1
        self._attempts[webhook_id] = count
        if len(self._attempts) > REMEMBERED_IDS:
            self._attempts.popitem(last=False)
        return count
