"""How often an expression may be stopped before it is held back, and for how long."""

from __future__ import annotations

from hookplane.evaluation.strikes import (
    FIRST_HOLD,
    FORGIVEN_AFTER,
    LONGEST_HOLD,
    STRIKES,
    Strikes,
)

BAD, OTHER, MENDED = ("shop/a", "x"), ("shop/b", "x"), ("shop/a", "y")


def hold(strikes: Strikes, now: float) -> float:
    """Strikes until the hold; how long it is."""
    held = [strikes.struck(BAD, now) for _ in range(STRIKES)]
    assert held == [False] * (STRIKES - 1) + [True]
    return strikes.held_for(BAD, now)


def test_only_the_culprit_is_held_back() -> None:
    strikes = Strikes()
    assert hold(strikes, 100.0) == FIRST_HOLD
    assert strikes.held_for(OTHER, 100.0) == strikes.held_for(MENDED, 100.0) == 0
    assert strikes.held_for(BAD, 100.0 + FIRST_HOLD) == 0


def test_each_hold_is_twice_as_long_up_to_the_longest() -> None:
    strikes = Strikes()
    now, holds = 0.0, []
    for _ in range(8):
        holds.append(hold(strikes, now))
        now += holds[-1]
    assert holds == [60, 120, 240, 480, 960, 1920, LONGEST_HOLD, LONGEST_HOLD]


def test_rare_strikes_are_forgiven() -> None:
    strikes = Strikes()
    for turn in range(10):
        assert not strikes.struck(BAD, turn * FORGIVEN_AFTER / (STRIKES - 1))


def test_a_hold_is_remembered_for_as_long_as_the_longest_and_a_while() -> None:
    strikes = Strikes()
    assert hold(strikes, 0.0) == FIRST_HOLD
    later = FIRST_HOLD + FORGIVEN_AFTER + LONGEST_HOLD - 1
    assert hold(strikes, later) == 2 * FIRST_HOLD


def test_who_has_behaved_for_long_begins_anew() -> None:
    strikes = Strikes()
    assert hold(strikes, 0.0) == FIRST_HOLD
    later = FIRST_HOLD + FORGIVEN_AFTER + LONGEST_HOLD
    assert hold(strikes, later) == FIRST_HOLD
