"""A clock that may be wrong: its wall time is shifted, its monotonic time is not."""

from __future__ import annotations

from hookplane.clock import Millis
from support.clocks.manual import START, ManualClock


class ShiftedClock:
    """Right until it is shifted."""

    def __init__(self, now: Millis = START) -> None:
        self._right = ManualClock(now)
        self.shift: Millis = 0

    def now(self) -> Millis:
        return self._right.now() + self.shift

    def monotonic(self) -> float:
        return self._right.monotonic()

    def pass_time(self, millis: Millis) -> None:
        """On both sides of the clock."""
        self._right.advance(millis)
