"""Time that passes only when all wait."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import TypeAlias

import pytest

from hookplane.clock import Millis

START: Millis = 1_800_000_000_000
Loops: TypeAlias = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]
"""Name → what makes one: each test runs on each."""


class _Selector(selectors.DefaultSelector):
    """Does not sleep: when nothing is ready and no thread is at work, time moves on instead."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or self.loop.busy:
            return super().select(10 if self.loop.busy else 0.05)
        self.loop.elapsed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a time of its own."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.busy = 0
        """Calls into the store that have not returned."""
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.elapsed


class VirtualClock:
    """Tells the loop's time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.shift: Millis = 0
        """How far the time of day is wrong."""
        self.readings = 0
        """How often somebody asked for the time of day: who is busy asks all the time."""

    def now(self) -> Millis:
        self.readings += 1
        return START + round(self._loop.elapsed * 1000) + self.shift

    def monotonic(self) -> float:
        return self._loop.elapsed


def virtual_with(item: pytest.Function, *fixtures: str) -> Loops:
    """The loop of tests that name one of these; that of others has the real time."""
    if not {*fixtures}.isdisjoint(item.fixturenames):
        return {"virtual": VirtualLoop}
    return {"real": asyncio.new_event_loop}
