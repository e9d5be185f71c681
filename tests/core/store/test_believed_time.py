"""A clock that jumps removes nothing."""

from __future__ import annotations

from hookplane.store.believed_time import PROOF_SECONDS, SKEW, BelievedTime
from support.clocks.manual import START, ManualClock
from support.planes.store import DAY


def test_time_that_passes_is_believed() -> None:
    clock = ManualClock()
    time = BelievedTime(clock)
    clock.advance(9 * DAY)
    assert time.now() == START + 9 * DAY


def test_a_jump_is_not_believed() -> None:
    clock = ManualClock()
    time = BelievedTime(clock)
    for jump in (8 * DAY, -8 * DAY, SKEW + 1):
        clock.shift = jump
        assert time.now() == START
    clock.advance(5)
    assert time.now() == START + 5


def test_a_clock_that_is_corrected_a_little_is_followed() -> None:
    clock = ManualClock()
    time = BelievedTime(clock)
    clock.shift = SKEW
    assert time.now() == START + SKEW


def test_a_jump_that_stays_is_believed_later() -> None:
    clock = ManualClock()
    time = BelievedTime(clock)
    clock.shift = 8 * DAY
    time.now()
    clock.advance(round(PROOF_SECONDS * 1000) - 1)
    assert time.now() < START + DAY
    clock.advance(1)
    assert time.now() == START + 8 * DAY + PROOF_SECONDS * 1000


def test_jumps_to_several_times_prove_none() -> None:
    clock = ManualClock()
    time = BelievedTime(clock)
    for jump in range(5):
        clock.shift = (8 + jump) * DAY
        time.now()
        clock.advance(round(PROOF_SECONDS * 500))
    assert time.now() < START + DAY


def test_a_mark_is_no_earlier_than_what_either_tells() -> None:
    clock = ManualClock()
    time = BelievedTime(clock)
    clock.shift = -8 * DAY
    assert time.latest() == START
    clock.shift = 8 * DAY
    assert time.latest() == START + 8 * DAY
