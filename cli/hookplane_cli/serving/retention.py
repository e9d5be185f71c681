"""Removes what is too old or too much, in small steps that hold up nobody."""

from __future__ import annotations

import asyncio
from typing import Final

from hookplane.clock import Clock
from hookplane.errors import StoreUnavailable
from hookplane.store.model import Retention
from hookplane.store.protocol import Store

LOOK_SECONDS: Final = 30.0
STEP_SECONDS: Final = 0.05
"""Pause between two steps while there is more to do."""


async def keep_tidy(store: Store, retention: Retention, clock: Clock) -> None:
    """Until cancelled; a store that is away is asked again later."""
    while True:
        try:
            more = (await store.expire(retention, clock.now())).more
        except StoreUnavailable:
            more = False
        await asyncio.sleep(STEP_SECONDS if more else LOOK_SECONDS)
