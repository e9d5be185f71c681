"""Waiting for a condition, with a bound, instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

PATIENCE = 60.0
"""Seconds until a condition that does not come true fails the test."""

STEP_SECONDS = 0.005


async def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Waits for a condition to become true and returns what it gave.

    The condition may be a coroutine function. `what` says in the failure what was awaited.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        result = condition()
        if inspect.isawaitable(result):
            result = await result
        if result:
            return result
        await asyncio.sleep(STEP_SECONDS)
    raise AssertionError(f"waited {seconds} s in vain for: {what}")
