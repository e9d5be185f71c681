"""Providers: send an event, and send it again until it is accepted."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from support.cluster.processes import Process, signed

ENDPOINT: Final = "in"
CHANGING: Final = "again"
"""An endpoint that is deleted and made again."""
CHANGING_EVERY: Final = 10
"""Of so many events one goes there."""
TRIES: Final = 60
"""Of a provider, for one event; half a second apart."""
TIMEOUT_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.5


@dataclass
class Accepted:
    """What providers saw."""

    statuses: dict[int, int] = field(default_factory=dict)
    """Event → the status that settled it; 0: given up."""
    answers: Counter[int] = field(default_factory=Counter)
    at: list[float] = field(default_factory=list)
    slowest_refusal: float = 0.0
    """Seconds until a 503."""


class Providers:
    """An open loop of so many events a second until `over`."""

    def __init__(self, rate: float, receivers: Sequence[Process]) -> None:
        self._rate = rate
        self._receivers = receivers
        self.seen = Accepted()
        self.over = asyncio.Event()
        self.may_change = asyncio.Event()
        """While it is not set nothing is sent to the endpoint that changes."""
        self.may_change.set()
        self.sending_to_changing = 0

    async def send(self) -> None:
        """Returns when all are settled."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
            asyncio.TaskGroup() as tasks,
        ):
            number, begun = 0, time.monotonic()
            while not self.over.is_set():
                tasks.create_task(self._provide(session, number))
                number += 1
                await asyncio.sleep(max(begun + number / self._rate - time.monotonic(), 0))

    async def _provide(self, session: aiohttp.ClientSession, number: int) -> None:
        body = json.dumps({"n": number}).encode()
        changing = number % CHANGING_EVERY == 0
        for turn in range(TRIES):
            process = self._receivers[(number + turn) % len(self._receivers)]
            send = self._try_changing if changing else self._try
            status = await send(session, process, number, body)
            self.seen.answers[status] += 1
            if 200 <= status < 300:
                self.seen.statuses[number] = status
                self.seen.at.append(time.monotonic())
                return
            await asyncio.sleep(_PAUSE_SECONDS)
        self.seen.statuses[number] = 0

    async def _try_changing(
        self, session: aiohttp.ClientSession, process: Process, number: int, body: bytes
    ) -> int:
        await self.may_change.wait()
        self.sending_to_changing += 1
        try:
            return await self._try(session, process, number, body, CHANGING)
        finally:
            self.sending_to_changing -= 1

    async def _try(
        self,
        session: aiohttp.ClientSession,
        process: Process,
        number: int,
        body: bytes,
        endpoint: str = ENDPOINT,
    ) -> int:
        """The status; 0: no answer."""
        begun = time.monotonic()
        headers = signed(f"event-{number}", body)
        with suppress(aiohttp.ClientError, TimeoutError):
            url = f"{process.url}/default/{endpoint}"
            async with session.post(url, data=body, headers=headers) as answer:
                await answer.read()
                if answer.status == 503 and "Retry-After" in answer.headers:
                    took = time.monotonic() - begun
                    self.seen.slowest_refusal = max(self.seen.slowest_refusal, took)
                return answer.status
        return 0
