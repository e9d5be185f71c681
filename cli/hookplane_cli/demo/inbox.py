"""What arrived at the demo's sink."""

from __future__ import annotations

import asyncio
from typing import Final

import click

from hookplane_cli.sink.arrival import Arrival

PATIENCE_SECONDS: Final = 60.0
KEPT: Final = 1000
"""Events that are remembered; the demo needs the last few."""


class Inbox:
    """Counts attempts by event, and lets the tour wait for one."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._changed = asyncio.Event()

    def take(self, arrival: Arrival) -> None:
        self._seen[arrival.webhook_id] = arrival.attempt
        if len(self._seen) > KEPT:
            del self._seen[next(iter(self._seen))]
        self._changed.set()

    async def attempt(self, event: str, number: int) -> None:
        """Returns when this event came so often. Raises click.ClickException if it does not."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self._seen.get(event, 0) < number:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise click.ClickException(f"{event} was not delivered; see above") from error
