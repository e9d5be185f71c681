"""A clock for waits: it follows the wall clock, but no leap of it before the leap has lasted."""

from __future__ import annotations

from typing import Final

from hookplane.clock import Clock, Millis

LEAP: Final[Millis] = 2_000
"""Differences up to here are followed at once: clocks are set right in small steps all the time."""
PROOF_SECONDS: Final = 60.0
"""A leap is believed when the clock has told the same time for so long."""


class LeapWatch:
    """Says whether a clock has leapt, for those who need not look at it all the time."""

    def __init__(self, clock: Clock, leap: Millis = LEAP) -> None:
        self._clock = clock
        self._leap = leap
        self._offset = self._read()

    def has_leapt(self) -> bool:
        """Whether it has since it was asked last."""
        before, self._offset = self._offset, self._read()
        return abs(self._offset - before) > self._leap

    def _read(self) -> Millis:
        return _offset(self._clock, self._clock.monotonic())


class SteadyClock:
    """Tells what the wall clock told, and then what passed on the monotonic clock.

    Its time changes in `follow` alone, so whoever calls that can move what it has planned along
    with it: all readings between two calls fit together.
    """

    def __init__(
        self, clock: Clock, leap: Millis = LEAP, proof_seconds: float = PROOF_SECONDS
    ) -> None:
        self._clock = clock
        self.monotonic = clock.monotonic
        """Seconds that never go back."""
        self._leap = leap
        self._proof_seconds = proof_seconds
        self._offset = _offset(clock, clock.monotonic())
        """From the monotonic clock to the time that is told."""
        self._doubted: tuple[float, Millis] | None = None
        """Since when the wall clock has told another time, and its offset then."""

    def now(self) -> Millis:
        """Milliseconds since the epoch, as far as the wall clock is believed."""
        return self._offset + round(self.monotonic() * 1000)

    def follow(self) -> Millis:
        """Looks at the wall clock, and returns by how much `now` leapt because a leap of it has
        lasted; 0 in nearly all cases, also when it was corrected a little."""
        passed = self._clock.monotonic()
        offset = _offset(self._clock, passed)
        ahead = offset - self._offset
        if abs(ahead) > self._leap and not self._has_lasted(offset, passed):
            return 0
        self._offset, self._doubted = offset, None
        return ahead if abs(ahead) > self._leap else 0

    def _has_lasted(self, offset: Millis, passed: float) -> bool:
        if self._doubted is None or abs(offset - self._doubted[1]) > self._leap:
            self._doubted = passed, offset
        return passed - self._doubted[0] >= self._proof_seconds


def _offset(clock: Clock, passed: float) -> Millis:
    """From the monotonic clock, which stands at `passed`, to the wall clock."""
    return clock.now() - round(passed * 1000)
