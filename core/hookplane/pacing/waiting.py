"""Waiting in the event loop for something to happen, but not longer than a given time."""

from __future__ import annotations

import asyncio
import contextlib


class Waker:
    """One task waits, anybody in the event loop wakes it. A wake-up while nobody waits is kept, and
    several of them count once."""

    def __init__(self) -> None:
        self._woken = False
        self._waiting: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Ends the wait under way, or the next one before it begins."""
        if not self._woken:
            self._woken = True
            self._end_wait()

    async def wait(self) -> None:
        """Returns when woken."""
        if not self._woken:
            await self._wait()
        self._woken = False

    async def wait_until_woken(self, seconds: float) -> bool:
        """Returns when woken, or after so many seconds; True: woken."""
        if not self._woken:
            timer = asyncio.get_running_loop().call_later(max(seconds, 0.0), self._end_wait)
            try:
                await self._wait()
            finally:
                timer.cancel()
        woken, self._woken = self._woken, False
        return woken

    async def _wait(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _end_wait(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


async def wait_until_set(event: asyncio.Event, seconds: float) -> bool:
    """Returns when the event is set, or after so many seconds; True: it is set. The event stays as
    it is, so several tasks may wait for it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
