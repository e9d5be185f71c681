"""Who gets a connection, and whose ends for it."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from hookplane_receiver.ingress.crowds import SLOW_SECONDS, Bound, Crowds, Endable


class Line:
    """A connection that only knows whether it was hung up on."""

    ended = False

    def hang_up(self) -> None:
        self.ended = True

    def give_up(self) -> None:
        raise AssertionError


def enter(crowds: Crowds, source: str, now: float = 0) -> Line:
    line = Line()
    assert crowds.admit(line, source, now)
    return line


def receiving(crowds: Crowds, source: str, since: float = 0) -> Line:
    line = enter(crowds, source, since)
    crowds.work(line)
    crowds.receive(line, since)
    return line


def test_of_one_source_the_longest_waiting_gives_way() -> None:
    shed = Counter[Bound]()
    crowds = Crowds(10, 2, lambda bound: shed.update([bound]))
    first, second = enter(crowds, "a"), enter(crowds, "a")
    crowds.work(first)
    crowds.rest(first)
    enter(crowds, "a")
    assert (first.ended, second.ended, len(crowds)) == (False, True, 2)
    assert shed == {Bound.PEER: 1}


def test_one_at_work_stays_and_nobody_else_comes_in() -> None:
    shed = Counter[Bound]()
    crowds = Crowds(10, 1, lambda bound: shed.update([bound]))
    first = enter(crowds, "a")
    crowds.work(first)
    assert not crowds.admit(Line(), "a", 1_000_000)
    assert (first.ended, len(crowds), shed) == (False, 1, {Bound.PEER: 1})
    enter(crowds, "b")


def test_of_one_source_a_body_that_does_not_come_on_gives_way_after_a_while() -> None:
    crowds = Crowds(10, 2)
    slow, good = receiving(crowds, "a"), receiving(crowds, "a")
    assert not crowds.admit(Line(), "a", SLOW_SECONDS - 0.1)
    crowds.receive(good, SLOW_SECONDS)
    enter(crowds, "a", SLOW_SECONDS)
    assert (slow.ended, good.ended) == (True, False)


def test_who_has_most_gives_way_to_who_has_less_at_once() -> None:
    crowds = Crowds(5, 5)
    few = enter(crowds, "few")
    many = [receiving(crowds, "many") for _ in range(4)]
    enter(crowds, "new", 0.1)
    assert [x.ended for x in many] == [True, False, False, False]
    assert not few.ended


def test_who_had_most_and_has_less_is_not_the_largest_any_more() -> None:
    crowds = Crowds(4, 4)
    shrunk = [enter(crowds, "shrunk") for _ in range(3)]
    for line in shrunk[1:]:
        crowds.leave(line)
    largest = [enter(crowds, "largest") for _ in range(3)]
    enter(crowds, "new")
    assert ([x.ended for x in largest], shrunk[0].ended) == ([True, False, False], False)


def test_the_last_to_go_of_two_is_not_taken_for_another_ones_second() -> None:
    """Or two sources would throw out each other's for ever."""
    crowds = Crowds(4, 4)
    lines = [receiving(crowds, source) for source in "aabb"]
    assert not crowds.admit(Line(), "a", 0.1)
    assert not crowds.admit(Line(), "b", 0.1)
    assert not any(x.ended for x in lines)


def test_where_the_largest_is_all_at_work_the_next_gives_way() -> None:
    crowds = Crowds(3, 3)
    busy = [enter(crowds, "busy") for _ in range(2)]
    for line in busy:
        crowds.work(line)
    idle = enter(crowds, "idle")
    enter(crowds, "new")
    assert (idle.ended, [x.ended for x in busy]) == (True, [False, False])


def test_trusted_proxies_have_no_bound_of_their_own() -> None:
    """And keep their bodies for a while, since many senders are behind them."""
    shed = Counter[Bound]()
    crowds = Crowds(3, 1, lambda bound: shed.update([bound]))
    lines = [receiving(crowds, "") for _ in range(3)]
    assert not crowds.admit(Line(), "a", 0.5)
    assert not any(x.ended for x in lines)
    receiving(crowds, "a", SLOW_SECONDS)
    assert lines[0].ended
    crowds.receive(lines[1], SLOW_SECONDS)
    crowds.receive(lines[2], SLOW_SECONDS)
    assert not crowds.admit(Line(), "", SLOW_SECONDS)
    assert shed == {Bound.PROCESS: 3}


def test_what_is_told_of_one_that_has_ended_means_nothing() -> None:
    crowds, line = Crowds(1, 1), Line()
    assert crowds.admit(line, "a", 0)
    for _ in range(2):
        crowds.leave(line)
        crowds.receive(line, 1)
        crowds.rest(line)
        crowds.work(line)
    assert len(crowds) == 0
    assert not enter(crowds, "a").ended


@pytest.mark.parametrize("seed", range(30))
def test_nobody_is_lost_and_bounds_hold(seed: int) -> None:
    rng, now = random.Random(seed), 0.0
    crowds = Crowds(20, 8)
    there: dict[Line, str] = {}
    for _ in range(500):
        now += rng.random() / 10
        there = {line: source for line, source in there.items() if not line.ended}
        line, source = Line(), rng.choice("abcd")
        chosen: list[Endable] = [rng.choice(list(there))] if there else []
        act = rng.choice(["admit", "admit", "rest", "work", "receive", "leave"])
        if act == "admit" and crowds.admit(line, source, now):
            there[line] = source
        for other in chosen if act != "admit" else []:
            if act == "receive":
                crowds.receive(other, now)
            else:
                getattr(crowds, act)(other)
        if act == "leave":
            there = {x: s for x, s in there.items() if x not in chosen}
        alive = [s for x, s in there.items() if not x.ended]
        assert len(crowds) == len(alive) <= 20
        assert max(Counter(alive).values(), default=0) <= 8
