"""A leap is followed when it has lasted, and a small correction at once."""

from __future__ import annotations

import pytest

from hookplane.steady_clock import LEAP, PROOF_SECONDS, SteadyClock
from support.clocks.manual import START
from support.clocks.shifted import ShiftedClock

DAY = 24 * 3_600_000
PROOF = round(PROOF_SECONDS * 1000)


def follow_every_second(steady: SteadyClock, clock: ShiftedClock, millis: int) -> list[int]:
    leaps = []
    for _ in range(millis // 1000):
        clock.pass_time(1000)
        leaps.append(steady.follow())
    return [leap for leap in leaps if leap]


def test_it_tells_the_time_that_passes() -> None:
    clock = ShiftedClock()
    steady = SteadyClock(clock)
    clock.pass_time(DAY)
    assert (steady.now(), steady.monotonic()) == (clock.now(), clock.monotonic())


@pytest.mark.parametrize("by", [LEAP, -LEAP, 1, -1])
def test_a_small_correction_is_followed_at_once_and_is_no_leap(by: int) -> None:
    clock = ShiftedClock()
    steady = SteadyClock(clock)
    clock.shift = by
    assert steady.now() == START
    assert steady.follow() == 0
    assert steady.now() == START + by


@pytest.mark.parametrize("by", [LEAP + 1, -LEAP - 1, DAY, -DAY])
def test_a_leap_is_followed_once_it_has_lasted(by: int) -> None:
    clock = ShiftedClock()
    steady = SteadyClock(clock)
    clock.shift = by
    assert steady.follow() == 0
    assert follow_every_second(steady, clock, PROOF - 1000) == []
    assert steady.now() == clock.now() - by
    assert follow_every_second(steady, clock, 1000) == [by]
    assert steady.now() == clock.now()
    assert follow_every_second(steady, clock, 2 * PROOF) == []


def test_a_leap_that_passes_is_never_followed() -> None:
    clock = ShiftedClock()
    steady = SteadyClock(clock)
    for _ in range(3):
        clock.shift = DAY
        assert follow_every_second(steady, clock, PROOF - 2000) == []
        clock.shift = 0
        assert follow_every_second(steady, clock, 2000) == []
    assert steady.now() == clock.now()


def test_another_leap_must_last_as_long() -> None:
    clock = ShiftedClock()
    steady = SteadyClock(clock)
    clock.shift = DAY
    assert follow_every_second(steady, clock, PROOF - 1000) == []
    clock.shift = 2 * DAY
    assert follow_every_second(steady, clock, PROOF) == []
    assert follow_every_second(steady, clock, 1000) == [2 * DAY]
