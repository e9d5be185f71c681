"""What each source may ask of an endpoint before it is known who sends: as much as the endpoint
takes in all. Pure: it has no clock. So who is unknown uses up nobody's rate but that of its own
address, and cannot make us verify signatures without end."""

from __future__ import annotations

from typing import Final

from hookplane.config.base import RateLimit
from hookplane.pacing.token_bucket import TokenBucket

MOST: Final = 16_384
"""Buckets of a process, about 5 MB. Beyond them the one unused for longest goes; its source may
begin anew with a full one, which is no worse than what one more address would get."""


class SourceRates:
    """The buckets of all sources and endpoints."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._buckets: dict[tuple[str, RateLimit, str], TokenBucket] = {}
        """By endpoint, its rate, and source; the one unused for longest first."""

    def __len__(self) -> int:
        return len(self._buckets)

    def try_spend(self, endpoint: str, rate: RateLimit, source: str, now: float) -> float:
        """Spends a token of the source and returns 0, or returns in how many seconds there will be
        one. `endpoint`: its uid. `now`: seconds of the monotonic clock."""
        key = (endpoint, rate, source)
        bucket = self._buckets.pop(key, None) or TokenBucket(rate, now)
        self._buckets[key] = bucket
        if len(self._buckets) > self._most:
            del self._buckets[next(iter(self._buckets))]
        return bucket.try_spend(now)
