"""A limit on how often something may happen, with room for bursts: a token bucket."""

from __future__ import annotations

from typing import Final

from hookplane.config.base import RateLimit

_ROUNDING: Final = 1e-9
"""Sums of fractions may miss a whole token by this much."""


class TokenBucket:
    """Starts full. Every method takes `now`, seconds of a monotonic clock; one that went back adds
    nothing. https://en.wikipedia.org/wiki/Token_bucket"""

    __slots__ = ("_burst", "_filled_at", "_per_second", "_tokens")

    def __init__(self, rate: RateLimit, now: float) -> None:
        self._per_second = _per_second(rate)
        self._burst = float(rate.burst)
        self._tokens = self._burst
        self._filled_at = now

    def change_rate(self, rate: RateLimit, now: float) -> None:
        """Another rate from now on; the tokens in the bucket stay, as far as the new burst goes."""
        self._fill(now)
        self._per_second = _per_second(rate)
        self._burst = float(rate.burst)
        self._tokens = min(self._burst, self._tokens)

    def is_full(self, now: float) -> bool:
        """Whether every token that was spent has come back."""
        self._fill(now)
        return self._tokens >= self._burst

    def available(self, now: float) -> int:
        """How many whole tokens there are."""
        self._fill(now)
        return int(self._tokens + _ROUNDING)

    def spend(self, count: int = 1) -> None:
        """Removes tokens of which the caller knows that they are there."""
        self._tokens -= count

    def seconds_to_token(self, now: float) -> float:
        """How long until there is a whole token; 0: there is one."""
        return 0.0 if self.available(now) else (1 - self._tokens) / self._per_second

    def try_spend(self, now: float) -> float:
        """Spends a token and returns 0, or spends nothing and returns in how many seconds there
        will be one."""
        seconds = self.seconds_to_token(now)
        if not seconds:
            self.spend()
        return seconds

    def _fill(self, now: float) -> None:
        earned = max(now - self._filled_at, 0.0) * self._per_second
        self._tokens = min(self._tokens + earned, self._burst)
        self._filled_at = max(now, self._filled_at)


def _per_second(rate: RateLimit) -> float:
    return rate.tokens * 1000 / rate.per
