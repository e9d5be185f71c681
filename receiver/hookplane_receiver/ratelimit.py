"""A token bucket on monotonic time."""

from __future__ import annotations

from hookplane.config.base import RateLimit


class TokenBucket:
    """Starts full. https://en.wikipedia.org/wiki/Token_bucket"""

    __slots__ = ("_at", "_burst", "_per_second", "_tokens")

    def __init__(self, rate: RateLimit, now: float) -> None:
        """`now`: seconds of the monotonic clock, here and in `take`."""
        self._per_second = rate.tokens * 1000 / rate.per
        self._burst = float(rate.burst)
        self._tokens = self._burst
        self._at = now

    def take(self, now: float) -> float:
        """Takes a token and returns 0, or returns in how many seconds there will be one."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_second
