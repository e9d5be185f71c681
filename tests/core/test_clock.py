"""The clock of this machine."""

from __future__ import annotations

import time

import pytest

from hookplane.clock import SystemClock


def test_wall_time_is_milliseconds_since_the_epoch() -> None:
    before = time.time_ns()
    now = SystemClock().now()
    assert before // 1_000_000 <= now <= time.time_ns() // 1_000_000


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="the system has no such clock")
def test_monotonic_time_goes_on_while_the_machine_sleeps() -> None:
    clock = SystemClock()
    first = clock.monotonic()
    second = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert first <= second <= clock.monotonic()
