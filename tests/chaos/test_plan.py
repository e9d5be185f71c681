"""What a seed draws stays the same, whatever else is drawn."""

from __future__ import annotations

from support.chaos.actions import ACTIONS, CLUSTER, NETWORK, USERS
from support.chaos.plan import draw_round

ROUNDS = range(400)


def test_a_round_is_the_same_again_and_needs_no_other() -> None:
    assert [draw_round(7, x) for x in ROUNDS] == [draw_round(7, x) for x in reversed(ROUNDS)][::-1]
    assert draw_round(7, 1) != draw_round(8, 1)


def test_everything_is_drawn_sooner_or_later() -> None:
    drawn = [draw_round(1, x) for x in ROUNDS]
    assert {y.name for x in drawn for y in x.deeds} == {*ACTIONS}
    assert {y.name for x in drawn for y in x.troubles} == {*NETWORK}
    assert {y for x in drawn for y in x.kinds} == {*CLUSTER, *NETWORK}
    assert all(any(y.name in USERS for y in x.deeds) for x in drawn)


def test_each_kind_of_trouble_comes_alone_too() -> None:
    alone = [x.kinds for x in (draw_round(1, y) for y in range(2000)) if len(x.kinds) == 1]
    assert {kind for kinds in alone for kind in kinds} == {*CLUSTER, *NETWORK}


def test_what_is_left_out_is_not_drawn() -> None:
    left_out = {"etcd restored", "churn", "silent watches"}
    assert left_out <= {*ACTIONS, *NETWORK}
    drawn = [draw_round(1, x, left_out, longest=3.0) for x in ROUNDS]
    assert not {y.name for x in drawn for y in (*x.deeds, *x.troubles)} & left_out
    assert {x.seconds for x in drawn} == {1.0, 3.0}
