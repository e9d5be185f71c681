"""Namespaces take turns, and none takes all."""

from __future__ import annotations

from hookplane.evaluation.turns import Turns


def test_a_namespace_with_much_work_waits_for_one_with_little() -> None:
    turns: Turns[int] = Turns(most_each=9)
    for work in range(3):
        turns.add("busy", work)
    turns.add("calm", 7)
    taken = [turns.take() for _ in range(5)]
    assert taken == [("busy", 0), ("calm", 7), ("busy", 1), ("busy", 2), None]


def test_no_namespace_has_more_under_way_than_its_share() -> None:
    turns: Turns[int] = Turns(most_each=1)
    turns.add("busy", 0)
    turns.add("busy", 1)
    assert turns.take() == ("busy", 0)
    assert turns.take() is None
    turns.add("calm", 2)
    assert turns.take() == ("calm", 2)
    turns.ended("busy")
    assert turns.take() == ("busy", 1)


def test_what_ended_makes_room_for_one_and_no_more() -> None:
    turns: Turns[int] = Turns(most_each=2)
    for work in range(4):
        turns.add("busy", work)
    assert [turns.take() for _ in range(3)] == [("busy", 0), ("busy", 1), None]
    turns.ended("busy")
    assert [turns.take(), turns.take()] == [("busy", 2), None]


def test_a_namespace_whose_last_work_was_given_up_has_no_turn() -> None:
    turns: Turns[int] = Turns(most_each=1)
    turns.add("a", 0)
    turns.drop("a", 0)
    assert turns.take() is None


def test_what_nobody_waits_for_has_no_turn() -> None:
    turns: Turns[int] = Turns(most_each=1)
    for work in (0, 1):
        turns.add("a", work)
    turns.drop("a", 0)
    turns.drop("a", 5)
    turns.drop("b", 0)
    assert turns.take() == ("a", 1)
    turns.drop("a", 1)
    assert turns.take() is None
