"""One deadline for many waits: a timer for all instead of one for each, which costs on every
request what only a store in trouble ever needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class SharedTimeout:
    """Everybody waits equally long, so whoever began first runs out first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[asyncio.Timeout, float] = {}
        """Waits with the loop's time when they began, oldest first."""
        self._timer: asyncio.TimerHandle | None = None

    async def limit(self, awaited: Awaitable[T]) -> T:
        """The result; raises TimeoutError, and cancels what was awaited, when it takes longer."""
        loop = asyncio.get_running_loop()
        timeout = asyncio.timeout(None)
        self._waiting[timeout] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._check, loop)
        try:
            async with timeout:
                return await awaited
        finally:
            del self._waiting[timeout]

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._timer = None
        for timeout, began in self._waiting.items():
            if began + self._seconds > now:
                self._timer = loop.call_at(began + self._seconds, self._check, loop)
                return
            if not timeout.expired():
                timeout.reschedule(now)
