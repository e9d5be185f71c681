"""Work beside the main work that goes on whatever befalls it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from hookplane import fault
from hookplane.errors import HookplaneError

AGAIN_SECONDS: Final = 1.0

_log = logging.getLogger("hookplane.run_forever")


async def run_forever(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs `work`, and again after a second when it fails: a task that nobody waits for would end
    without a word, and what it follows would stand still. `name` says in the log what failed; the
    same failure is told once."""
    told = ""
    while True:
        try:
            await work()
            return
        except Exception as error:
            why = str(error) if isinstance(error, HookplaneError) else fault.describe(error)
        if why != told:
            told = why
            _log.warning("%s: %s; going on", name, why)
        await asyncio.sleep(AGAIN_SECONDS)
