"""The clock of tests that do not wait: it stands still until it is advanced."""

from __future__ import annotations

from typing import Final

from hookplane.clock import Millis

START: Final[Millis] = 1_700_000_000_000
"""2023-11-14T22:13:20Z."""


class ManualClock:
    """Wall and monotonic time that move together, and only when told."""

    def __init__(self, now: Millis = START) -> None:
        self._now = now

    def now(self) -> Millis:
        return self._now

    def monotonic(self) -> float:
        return self._now / 1000

    def advance(self, millis: Millis) -> None:
        self._now += millis
