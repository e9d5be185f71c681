"""Time as an argument: nothing in Hookplane asks the operating system for it directly."""

from __future__ import annotations

import time
from typing import Final, Protocol

_MONOTONIC: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, where the system has such a clock: a lease ends meanwhile."""

Millis = int
"""Milliseconds since 1970-01-01 UTC, or a number of them."""


class Clock(Protocol):
    """Wall time for what is stored and shown, monotonic time for durations and deadlines."""

    def now(self) -> Millis:
        """Wall clock, milliseconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that never go back."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> Millis:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.clock_gettime(_MONOTONIC)
