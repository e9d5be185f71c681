"""The token bucket, on a clock of its own."""

from __future__ import annotations

import pytest

from hookplane.config.base import RateLimit
from hookplane.pacing.token_bucket import TokenBucket


def test_a_burst_then_a_trickle() -> None:
    bucket = TokenBucket(RateLimit(tokens=2, per=1000, burst=3), now=0)
    assert [bucket.try_spend(0) for _ in range(3)] == [0, 0, 0]
    assert bucket.try_spend(0) == pytest.approx(0.5)
    assert bucket.try_spend(0.5) == 0
    assert bucket.try_spend(0.5) == pytest.approx(0.5)


def test_no_more_than_the_burst_is_kept() -> None:
    bucket = TokenBucket(RateLimit(tokens=1, per=1000, burst=2), now=0)
    assert [bucket.try_spend(3600) > 0 for _ in range(3)] == [False, False, True]


def test_refused_requests_cost_nothing() -> None:
    bucket = TokenBucket(RateLimit(tokens=1, per=1000, burst=1), now=0)
    bucket.try_spend(0)
    for tenth in range(1, 10):
        assert bucket.try_spend(tenth / 10) > 0
    assert bucket.try_spend(1.0) == pytest.approx(0, abs=1e-9)


def test_another_rate_gives_nothing_for_free() -> None:
    bucket = TokenBucket(RateLimit(tokens=4, per=1000, burst=4), now=0)
    assert [bucket.try_spend(0) for _ in range(3)] == [0, 0, 0]
    bucket.change_rate(RateLimit(tokens=1, per=1000, burst=1), now=0.5)
    assert bucket.try_spend(0.5) == 0
    assert bucket.try_spend(0.5) == pytest.approx(1)
    bucket.change_rate(RateLimit(tokens=4, per=1000, burst=4), now=0.5)
    assert bucket.try_spend(0.5) == pytest.approx(0.25)


def test_several_at_once() -> None:
    bucket = TokenBucket(RateLimit(tokens=2, per=1000, burst=4), now=100)
    assert bucket.available(100) == 4
    bucket.spend(4)
    assert (bucket.available(100), bucket.is_full(100)) == (0, False)
    assert bucket.seconds_to_token(100) == pytest.approx(0.5)
    assert bucket.available(100.5) == 1
    assert (bucket.available(500), bucket.is_full(500)) == (4, True)


def test_a_clock_that_goes_back_adds_nothing() -> None:
    bucket = TokenBucket(RateLimit(tokens=1, per=1000, burst=1), now=100)
    bucket.spend()
    assert bucket.available(90) == 0
    assert bucket.available(100.5) == 0
    assert bucket.available(101) == 1
