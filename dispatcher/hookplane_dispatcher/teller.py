"""Puts operational events into the log of their namespace."""

from __future__ import annotations

import asyncio

from hookplane.clock import Clock
from hookplane.errors import StoreError
from hookplane.operational import Notices, OperationalEvent
from hookplane.store.event_log import NewEvent
from hookplane.store.protocol import Store


class Teller:
    """Tells without waiting. What the store cannot take now is not told: the same words stand in
    the subscription's state."""

    def __init__(self, store: Store, clock: Clock, notices: Notices) -> None:
        self._store = store
        self._clock = clock
        self._notices = notices
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, notice: OperationalEvent) -> None:
        """At most one per subject and type in a while."""
        event = self._notices.event(notice, self._clock.now())
        if event is None:
            return
        task = asyncio.create_task(self._append(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Waits for what is being told."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _append(self, event: NewEvent) -> None:
        try:
            await self._store.append(event)
        except StoreError:
            return
