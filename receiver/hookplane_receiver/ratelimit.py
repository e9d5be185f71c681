"""A token bucket on monotonic time."""

from __future__ import annotations

from hookplane.config.base import RateLimit


class TokenBucket:
    """Starts full. https://en.wikipedia.org/wiki/Token_bucket"""

    __slots__ = ("_at", "_burst", "_per_second", "_tokens")

    def __init__(self, rate: RateLimit, now: float) -> None:
        """`now`: seconds of the monotonic clock, here and in what follows."""
        self._per_second = rate.tokens * 1000 / rate.per
        self._burst = float(rate.burst)
        self._tokens = self._burst
        self._at = now

    def change(self, rate: RateLimit, now: float) -> None:
        """Another rate from now on; what is kept stays, as far as the new burst goes."""
        self._fill(now)
        self._per_second = rate.tokens * 1000 / rate.per
        self._burst = float(rate.burst)
        self._tokens = min(self._burst, self._tokens)

    def is_full(self, now: float) -> bool:
        """Nothing was taken that has not come back."""
        self._fill(now)
        return self._tokens >= self._burst

    def take(self, now: float) -> float:
        """Takes a token and returns 0, or returns in how many seconds there will be one."""
        self._fill(now)
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_second

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
