"""Waiting for a condition, with a bound, instead of sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Waits until something holds, looking again and again; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - conditions of other tasks, without an event
            await asyncio.sleep(0.002)
