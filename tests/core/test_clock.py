"""The clock of this machine."""

from __future__ import annotations

import time

from hookplane.clock import SystemClock


def test_wall_time_is_milliseconds_since_the_epoch() -> None:
    before = time.time_ns()
    now = SystemClock().now()
    assert before // 1_000_000 <= now <= time.time_ns() // 1_000_000


def test_monotonic_time_is_seconds_that_never_go_back() -> None:
    clock = SystemClock()
    first, second, third = clock.monotonic(), time.monotonic(), clock.monotonic()
    assert first <= second <= third
