"""The token bucket, on a clock of its own."""

from __future__ import annotations

import pytest

from hookplane.config.base import RateLimit
from hookplane_receiver.ratelimit import TokenBucket


def test_a_burst_then_a_trickle() -> None:
    bucket = TokenBucket(RateLimit(tokens=2, per=1000, burst=3), now=0)
    assert [bucket.take(0) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(0) == pytest.approx(0.5)
    assert bucket.take(0.5) == 0
    assert bucket.take(0.5) == pytest.approx(0.5)


def test_no_more_than_the_burst_is_kept() -> None:
    bucket = TokenBucket(RateLimit(tokens=1, per=1000, burst=2), now=0)
    assert [bucket.take(3600) > 0 for _ in range(3)] == [False, False, True]


def test_refused_requests_cost_nothing() -> None:
    bucket = TokenBucket(RateLimit(tokens=1, per=1000, burst=1), now=0)
    bucket.take(0)
    for tenth in range(1, 10):
        assert bucket.take(tenth / 10) > 0
    assert bucket.take(1.0) == pytest.approx(0, abs=1e-9)


def test_another_rate_gives_nothing_for_free() -> None:
    bucket = TokenBucket(RateLimit(tokens=4, per=1000, burst=4), now=0)
    assert [bucket.take(0) for _ in range(3)] == [0, 0, 0]
    bucket.change(RateLimit(tokens=1, per=1000, burst=1), now=0.5)
    assert bucket.take(0.5) == 0
    assert bucket.take(0.5) == pytest.approx(1)
    bucket.change(RateLimit(tokens=4, per=1000, burst=4), now=0.5)
    assert bucket.take(0.5) == pytest.approx(0.25)
