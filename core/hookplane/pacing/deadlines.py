"""One timer for many deadlines: they lie in slots of a few milliseconds, ordered by time."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable
from typing import Final, Protocol

SLOTS_PER_SECOND: Final = 50
"""A deadline comes late by up to one slot, never early."""


class Expiring(Protocol):
    """What has a deadline."""

    def expire(self) -> None:
        """The deadline has come."""


Slot = set[Expiring]
"""What ends together. Whoever is done before takes itself out."""


class Deadlines:
    """The deadlines of one event loop. Adding and leaving cost a few set operations; a timer runs
    for the earliest slot only, and none when nothing waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: dict[int, Slot] = {}
        self._numbers: list[int] = []
        """A heap of the keys of `_slots`."""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, item: Expiring, at: float) -> Slot:
        """`at`: in the loop's time. Returns where to discard the item when it is done."""
        number = int(at * SLOTS_PER_SECOND) + 1
        slot = self._slots.get(number)
        if slot is None:
            slot = self._open(number)
        slot.add(item)
        return slot

    def close(self) -> None:
        """Nothing expires any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._slots.clear()
        self._numbers.clear()

    def _open(self, number: int) -> Slot:
        slot = self._slots[number] = set()
        heapq.heappush(self._numbers, number)
        if self._numbers[0] == number:
            self._arm()
        return slot

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        first = self._numbers[0]
        self._timer = self._loop.call_at(first / SLOTS_PER_SECOND, self._turn, first)

    def _turn(self, due: int) -> None:
        """Ends what is over, and passes slots that everybody has left. A timer may come a
        nanosecond early: `due` is over all the same, or the next one would come at once."""
        self._timer = None
        now = max(due, self._loop.time() * SLOTS_PER_SECOND)
        try:
            while self._numbers and (self._numbers[0] <= now or not self._slots[self._numbers[0]]):
                slot = self._slots.pop(heapq.heappop(self._numbers))
                while slot:
                    slot.pop().expire()
        finally:
            if self._numbers:
                self._arm()


class MovingDeadline:
    """A deadline that is moved all the time, as those of connections are with each request. Putting
    it off costs an assignment: when the slot comes, it takes a later one."""

    def __init__(
        self, deadlines: Deadlines, loop: asyncio.AbstractEventLoop, late: Callable[[], None]
    ) -> None:
        """`late`: called when it has come, once for each move."""
        self._deadlines = deadlines
        self._loop = loop
        self._late = late
        self._at = math.inf
        self._slot: Slot = set()
        self._slot_at = math.inf
        """When `expire` is called; never later than `_at`."""

    def move(self, at: float) -> None:
        """In the loop's time; infinity: it does not come."""
        self._at = at
        if at < self._slot_at:
            self._slot.discard(self)
            self._slot_at = at
            self._slot = self._deadlines.add(self, at)

    def stop(self) -> None:
        """It does not come, and is forgotten."""
        self._slot.discard(self)
        self._at = self._slot_at = math.inf

    def end(self) -> None:
        """It never comes any more, and lets go of what would be called: whose deadline it is would
        keep itself alive by it."""
        self.stop()
        self._late = _nothing

    def expire(self) -> None:
        """See Expiring."""
        self._slot_at = math.inf
        if self._loop.time() < self._at:
            self.move(self._at)
        else:
            self._at = math.inf
            self._late()


def _nothing() -> None:
    """What a deadline that has ended calls."""
