"""The net under all tasks that run as long as their process: no error ends one of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from hookplane import fault
from hookplane.pacing.backoff import Backoff

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 8.0
"""Seconds from a failure to the next start; the pause doubles with each failure in a row. Whatever
ran longer than the longest pause begins with the first one again."""

_log = logging.getLogger("hookplane.run_forever")


def _uncounted() -> None:
    """For work of which nobody counts the failures."""


async def run_forever(
    name: str, work: Callable[[], Awaitable[None]], failed: Callable[[], object] = _uncounted
) -> None:
    """Runs `work`, and after each failure runs it again; returns when it returns.

    Nobody waits for a background task, so without this an error would end it unnoticed, or would
    end the process. `name` says in the log what failed; the same failure is logged once in a row.
    `failed`: called with each failure, for a metric.
    """
    loop, logged = asyncio.get_running_loop(), ""
    backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
    while True:
        begun = loop.time()
        try:
            await work()
            return
        except Exception as error:
            why = fault.words(error)
        failed()
        if why != logged:
            logged = why
            _log.warning("%s: %s; going on", name, why)
        if loop.time() - begun > LONGEST_PAUSE:
            backoff.reset()
        await asyncio.sleep(backoff.next_pause())
