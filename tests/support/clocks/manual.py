"""The clock of tests that do not wait: it stands still until it is advanced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hookplane.clock import Millis

START: Final[Millis] = 1_700_000_000_000
"""2023-11-14T22:13:20Z."""


class ManualClock:
    """Wall and monotonic time that move together, and only when told."""

    def __init__(self, now: Millis = START) -> None:
        self._now = now
        self.shift: Millis = 0
        """How wrong the wall time alone is."""
        self._followers: list[Callable[[Millis], None]] = []

    def now(self) -> Millis:
        return self._now + self.shift

    def monotonic(self) -> float:
        return self._now / 1000

    def advance(self, millis: Millis) -> None:
        self._now += millis
        for follow in self._followers:
            follow(self._now)

    def follow(self, tell: Callable[[Millis], None]) -> None:
        """Tells another clock the time, now and whenever it changes."""
        self._followers.append(tell)
        tell(self._now)
