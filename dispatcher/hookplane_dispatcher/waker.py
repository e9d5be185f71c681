"""Waiting for something to do, or for a time."""

from __future__ import annotations

import asyncio


class Waker:
    """One waits, anybody wakes; a wake-up while nobody waits is kept."""

    def __init__(self) -> None:
        self._woken = False
        self._waiting: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Ends the wait under way, or the next one before it begins."""
        self._woken = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait(self, seconds: float) -> None:
        """Returns when woken or after so many seconds."""
        if not self._woken:
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            timer = loop.call_later(max(seconds, 0.0), self.wake)
            try:
                await self._waiting
            finally:
                timer.cancel()
                self._waiting = None
        self._woken = False
