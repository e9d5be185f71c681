"""Keeps a background task alive through errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from hookplane import fault
from hookplane.errors import HookplaneError

AGAIN_SECONDS: Final = 1.0
"""From a failure to the next start."""

_log = logging.getLogger("hookplane.run_forever")


async def run_forever(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs `work`, and a second after each failure runs it again; returns when it returns.

    Nobody waits for a background task, so without this an error would end it unnoticed. `name` says
    in the log what failed; the same failure is logged once in a row.
    """
    logged = ""
    while True:
        try:
            await work()
            return
        except Exception as error:
            why = str(error) if isinstance(error, HookplaneError) else fault.describe(error)
        if why != logged:
            logged = why
            _log.warning("%s: %s; going on", name, why)
        await asyncio.sleep(AGAIN_SECONDS)
