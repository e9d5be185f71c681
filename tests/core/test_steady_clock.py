"""A leap is followed when it has lasted, and a small correction at once."""

from __future__ import annotations

import pytest

from hookplane.steady_clock import LEAP, PROOF_SECONDS, LeapWatch, SteadyClock
from support.clocks.manual import START, ManualClock

DAY = 24 * 3_600_000
PROOF = round(PROOF_SECONDS * 1000)


def follow_every_second(steady: SteadyClock, clock: ManualClock, millis: int) -> list[int]:
    leaps = []
    for _ in range(millis // 1000):
        clock.advance(1000)
        leaps.append(steady.follow())
    return [leap for leap in leaps if leap]


def test_it_tells_the_time_that_passes() -> None:
    clock = ManualClock()
    steady = SteadyClock(clock)
    clock.advance(DAY)
    assert (steady.now(), steady.monotonic()) == (clock.now(), clock.monotonic())


@pytest.mark.parametrize("by", [LEAP, -LEAP, 1, -1])
def test_a_small_correction_is_followed_at_once_and_is_no_leap(by: int) -> None:
    clock = ManualClock()
    steady = SteadyClock(clock)
    clock.shift = by
    assert steady.now() == START
    assert steady.follow() == 0
    assert steady.now() == START + by


@pytest.mark.parametrize("by", [LEAP + 1, -LEAP - 1, DAY, -DAY])
def test_a_leap_is_followed_once_it_has_lasted(by: int) -> None:
    clock = ManualClock()
    steady = SteadyClock(clock)
    clock.shift = by
    assert steady.follow() == 0
    assert follow_every_second(steady, clock, PROOF - 1000) == []
    assert steady.now() == clock.now() - by
    assert follow_every_second(steady, clock, 1000) == [by]
    assert steady.now() == clock.now()
    assert follow_every_second(steady, clock, 2 * PROOF) == []


def test_a_leap_that_passes_is_never_followed() -> None:
    clock = ManualClock()
    steady = SteadyClock(clock)
    for _ in range(3):
        clock.shift = DAY
        assert follow_every_second(steady, clock, PROOF - 2000) == []
        clock.shift = 0
        assert follow_every_second(steady, clock, 2000) == []
    assert steady.now() == clock.now()


def test_another_leap_must_last_as_long() -> None:
    clock = ManualClock()
    steady = SteadyClock(clock)
    clock.shift = DAY
    assert follow_every_second(steady, clock, PROOF - 1000) == []
    clock.shift = 2 * DAY
    assert follow_every_second(steady, clock, PROOF) == []
    assert follow_every_second(steady, clock, 1000) == [2 * DAY]


@pytest.mark.parametrize(("by", "leapt"), [(LEAP, False), (LEAP + 1, True), (-DAY, True)])
def test_a_leap_is_told_of_once(by: int, *, leapt: bool) -> None:
    clock = ManualClock()
    watch = LeapWatch(clock)
    clock.advance(DAY)
    assert not watch.has_leapt()
    clock.shift = by
    assert (watch.has_leapt(), watch.has_leapt()) == (leapt, False)
