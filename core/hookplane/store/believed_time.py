"""The time by which things are removed for ever: a clock that jumps is not believed at once."""

from __future__ import annotations

from typing import Final

from hookplane.clock import Clock, Millis
from hookplane.steady_clock import SteadyClock

SKEW: Final[Millis] = 60_000
"""Clocks may be so far apart and still be right."""
PROOF_SECONDS: Final = 3_600.0
"""A clock that jumped is believed when it has told the same time for so long."""


class BelievedTime:
    """Follows a clock as long as it tells the time that passed by its monotonic side."""

    def __init__(self, clock: Clock) -> None:
        self._told = clock
        self._clock = SteadyClock(clock, SKEW, PROOF_SECONDS)

    def now(self) -> Millis:
        """What the clock tells; after a jump, what it would tell without."""
        self._clock.follow()
        return self._clock.now()

    def latest(self) -> Millis:
        """The same, or what the clock tells if that is later: the mark of what is removed some time
        after it, which a clock that jumped back must not make old at once."""
        return max(self.now(), self._told.now())
