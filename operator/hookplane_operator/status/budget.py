"""How many statuses may be written in a second.

The API server says what it can take: it answers 429 when it has too much to do
(https://kubernetes.io/docs/concepts/cluster-administration/flow-control/). So the budget grows
while more waits than it lets through, and is halved when a write is held back.
"""

from __future__ import annotations

from typing import Final

from hookplane.config.base import RateLimit
from hookplane.pacing.token_bucket import TokenBucket

USUAL: Final = 20
"""Writes a second while nothing waits, and as many at once."""
LEAST: Final = 5
MOST: Final = 100
"""Unless the settings say otherwise."""
GROWTH: Final = 0.1
"""A second more for each write that was taken while others waited: five times as many after 16
seconds."""
HOLD_SECONDS: Final = 1.0
"""Writes that were under way together are held back together, and halve it once."""


class WriteBudget:
    """Every method takes `now`, seconds of a monotonic clock."""

    def __init__(self, most: int, now: float) -> None:
        """`most`: writes a second."""
        self._most = float(most)
        self._usual = min(float(USUAL), self._most)
        self._per_second = self._usual
        self._bucket = TokenBucket(_rate(self._per_second), now)
        self._halved_at = now - HOLD_SECONDS

    @property
    def per_second(self) -> float:
        """What it allows now."""
        return self._per_second

    def available(self, now: float) -> int:
        """How many writes may begin."""
        return self._bucket.available(now)

    def spend(self, count: int) -> None:
        """So many begin, which are known to be available."""
        self._bucket.spend(count)

    def was_taken(self, now: float, *, others_wait: bool) -> None:
        """A write was taken by the API server."""
        if others_wait:
            self._change(min(self._per_second + GROWTH, self._most), now)
        elif self._per_second != self._usual:
            self._change(self._usual, now)

    def was_held_back(self, now: float) -> None:
        """The API server asked for less, or did not answer in time."""
        if now - self._halved_at >= HOLD_SECONDS:
            self._halved_at = now
            self._change(max(self._per_second / 2, min(float(LEAST), self._most)), now)

    def _change(self, per_second: float, now: float) -> None:
        self._per_second = per_second
        self._bucket.change_rate(_rate(per_second), now)


def _rate(per_second: float) -> RateLimit:
    return RateLimit(tokens=round(per_second * 1_000), per=1_000_000, burst=max(int(per_second), 1))
