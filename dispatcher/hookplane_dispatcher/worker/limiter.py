"""A token bucket."""

from __future__ import annotations

from hookplane.config.base import RateLimit


class Bucket:
    """Without a limit it is never empty. Times in seconds, monotonic."""

    def __init__(self, limit: RateLimit | None, now: float) -> None:
        self._limit = limit
        self._tokens = float(limit.burst) if limit else 0.0
        self._filled_at = now

    def available(self, now: float) -> int:
        """Whole tokens; very many without a limit."""
        if self._limit is None:
            return 1 << 30
        earned = max(now - self._filled_at, 0.0) * 1000 * self._limit.tokens / self._limit.per
        self._tokens = min(self._tokens + earned, float(self._limit.burst))
        self._filled_at = max(now, self._filled_at)
        return int(self._tokens + 1e-9)

    def take(self) -> None:
        """Uses up one token."""
        if self._limit is not None:
            self._tokens -= 1

    def wait(self, now: float) -> float:
        """Seconds until there is a token."""
        if self.available(now) or self._limit is None:
            return 0.0
        return (1 - self._tokens) * self._limit.per / 1000 / self._limit.tokens
