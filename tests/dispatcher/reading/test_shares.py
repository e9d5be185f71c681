"""Who may have how much of a budget."""

from __future__ import annotations

from hookplane_dispatcher.reading.shares import Shares

ONE = 1


def filled(shares: Shares, *namespaces: str) -> dict[str, int]:
    """What each has when all take one by one as long as they may."""
    has = dict.fromkeys(namespaces, 0)
    while open_to := [x for x in namespaces if shares.room(x) >= ONE]:
        for namespace in open_to:
            if shares.room(namespace) >= ONE:
                shares.take(namespace, ONE)
                has[namespace] += ONE
    return has


def test_one_alone_has_three_quarters() -> None:
    assert filled(Shares(1_000), "a") == {"a": 750}


def test_several_have_equal_shares_and_leave_one_to_whoever_comes() -> None:
    has = filled(Shares(1_000), "a", "b", "c")
    assert max(has.values()) - min(has.values()) <= 1
    assert 297 <= has["a"] <= 300


def test_whoever_comes_late_has_room_and_who_has_much_gets_nothing_meanwhile() -> None:
    shares = Shares(1_000)
    filled(shares, "slow")
    assert (shares.room("slow"), shares.room("late")) == (0, 250)
    shares.take("late", 200)
    shares.give("slow", 100)
    assert shares.room("slow") == 0
    assert shares.room("late") > 0


def test_who_has_nothing_may_take_all_that_is_free() -> None:
    shares = Shares(1_000)
    assert shares.room("a") == 1_000
    shares.take("a", 2_000)
    assert (shares.room("a"), shares.room("b")) == (0, 0)
    shares.give("a", 2_000)
    assert (shares.in_use, shares.room("b")) == (0, 1_000)
