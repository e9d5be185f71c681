from __future__ import annotations

import pytest

from hookplane.config.base import RateLimit
from hookplane_dispatcher.worker.limiter import Bucket


def test_a_bucket_empties_and_fills() -> None:
    bucket = Bucket(RateLimit(tokens=2, per=1_000, burst=4), 100.0)
    assert bucket.available(100.0) == 4
    for _ in range(4):
        bucket.take()
    assert bucket.available(100.0) == 0
    assert bucket.wait(100.0) == pytest.approx(0.5)
    assert bucket.available(100.5) == 1
    assert bucket.available(500.0) == 4  # no more than the burst


def test_without_a_limit_there_is_no_end() -> None:
    bucket = Bucket(None, 0.0)
    for _ in range(1_000):
        bucket.take()
    assert bucket.available(0.0) > 1_000_000
    assert bucket.wait(0.0) == 0
