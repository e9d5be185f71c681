"""The time by which things are removed for ever: a clock that jumps is not believed at once."""

from __future__ import annotations

from typing import Final

from hookplane.clock import Clock, Millis

SKEW: Final[Millis] = 60_000
"""Clocks may be so far apart and still be right."""
PROOF_SECONDS: Final = 3_600.0
"""A clock that jumped is believed when it has told the same time for so long."""


class BelievedTime:
    """Follows a clock as long as it tells the time that passed by its monotonic side."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = self._read(clock.monotonic())
        self._doubted: tuple[float, Millis] | None = None
        """Since when the clock has told another time, and which."""

    def now(self) -> Millis:
        """What the clock tells; after a jump, what it would tell without."""
        passed = self._clock.monotonic()
        offset = self._read(passed)
        if abs(offset - self._offset) <= SKEW or self._is_proven(offset, passed):
            self._offset, self._doubted = offset, None
        return self._offset + round(passed * 1000)

    def _read(self, passed: float) -> Millis:
        return self._clock.now() - round(passed * 1000)

    def _is_proven(self, offset: Millis, passed: float) -> bool:
        if self._doubted is None or abs(offset - self._doubted[1]) > SKEW:
            self._doubted = passed, offset
        return passed - self._doubted[0] >= PROOF_SECONDS
