"""Who gets room for a body, and who gives way."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from hookplane_receiver.ingress.body_budget import ALLOWANCE, BodyBudget, BodyClaim, RoomChanges

LIMIT = 1000
KIB = 1024


@dataclass
class Nobody:
    """An owner that the budget has no business with."""

    def room_granted(self) -> None:
        raise AssertionError

    def give_way(self) -> None:
        raise AssertionError


def claim(network: str = "a") -> BodyClaim:
    return BodyClaim(Nobody(), network)


def ask(budget: BodyBudget, body: BodyClaim, room: int, now: float = 0) -> bool:
    """For so many bytes beyond the allowance, which has come."""
    return budget.ask(body, ALLOWANCE, ALLOWANCE + room, now)


def test_whoever_fits_gets_all_at_once_and_gives_it_back() -> None:
    budget, one, two = BodyBudget(LIMIT), claim(), claim()
    assert ask(budget, one, 600)
    assert not ask(budget, two, 600)
    assert (budget.held, budget.is_settled) == (600, False)
    budget.leave(one)
    assert budget.settle(0) == RoomChanges([two], [])
    budget.leave(two)
    budget.leave(two)
    assert (budget.held, budget.is_settled) == (0, True)


def test_a_smaller_one_does_not_wait_behind_a_larger_one() -> None:
    budget, one, large, small = BodyBudget(LIMIT), claim(), claim(), claim()
    assert ask(budget, one, 600)
    assert not ask(budget, large, 600)
    assert ask(budget, small, 400)


def test_who_has_just_got_room_does_not_give_way() -> None:
    budget, one, two = BodyBudget(LIMIT), claim("a"), claim("b")
    assert ask(budget, one, 900)
    assert not ask(budget, two, 600, 0.5)
    assert budget.settle(0.9) == RoomChanges([], [])


def test_who_is_slow_gives_way_to_whoever_waits() -> None:
    budget, one, two = BodyBudget(LIMIT), claim("a"), claim("b")
    assert ask(budget, one, 500)
    assert not ask(budget, two, 900, 1)
    assert budget.settle(1.1) == RoomChanges([two], [one])


def test_without_need_nobody_gives_way() -> None:
    budget, one = BodyBudget(LIMIT), claim()
    assert ask(budget, one, LIMIT)
    assert budget.settle(1_000_000) == RoomChanges([], [])


def quick(budget: BodyBudget, network: str, room: int, now: float = 0) -> BodyClaim:
    """One that has room and will not be slow for 2 s."""
    body = claim(network)
    assert ask(budget, body, room, now)
    body.size_then -= 512 * KIB  # as if so much had come since
    return body


def test_the_network_that_has_most_gives_way_first_and_of_it_the_largest() -> None:
    budget = BodyBudget(LIMIT)
    quick(budget, "a", 200)
    largest = quick(budget, "a", 400)
    quick(budget, "b", 400)
    newcomer = claim("c")
    assert not ask(budget, newcomer, 300, 1.5)
    assert budget.settle(1.5) == RoomChanges([newcomer], [largest])


def test_what_has_left_counts_no_more_for_its_network_and_the_rest_does() -> None:
    budget = BodyBudget(LIMIT)
    largest = quick(budget, "a", 300)
    quick(budget, "a", 100)
    gone = quick(budget, "a", 200)
    quick(budget, "b", 350)
    budget.leave(gone)
    newcomer = claim("c")
    assert not ask(budget, newcomer, 340, 1.5)
    assert budget.settle(1.5) == RoomChanges([newcomer], [largest])


def test_a_network_takes_nothing_from_one_that_has_less() -> None:
    budget = BodyBudget(LIMIT)
    quick(budget, "a", 600)
    quick(budget, "b", 400)
    assert not ask(budget, claim("a"), 650, 1.5)
    assert budget.settle(1.5) == RoomChanges([], [])


def test_nobody_gives_way_in_vain() -> None:
    budget = BodyBudget(LIMIT)
    quick(budget, "a", 400)
    quick(budget, "a", 300)
    quick(budget, "b", 300)
    assert not ask(budget, claim("c"), 900, 1.5)
    assert budget.settle(1.5) == RoomChanges([], [])


def test_of_bodies_that_keep_room_and_wait_for_more_one_ends() -> None:
    """Nobody could go on otherwise; the older one's sender will give it up first."""
    budget = BodyBudget(LIMIT)
    old, young = claim(), claim()
    assert ask(budget, old, 500)
    assert ask(budget, young, 500, 0.1)
    assert not budget.ask(old, ALLOWANCE + 500, ALLOWANCE + 1000, 0.2)
    assert not budget.ask(young, ALLOWANCE + 500, ALLOWANCE + 1000, 0.2)
    assert budget.settle(1.5) == RoomChanges([young], [old])
    assert budget.held == 1000


def test_what_has_come_unasked_counts_and_goes_at_once() -> None:
    """A piece is read before anybody can stop it."""
    budget, held, huge = BodyBudget(LIMIT), claim("a"), claim("b")
    assert ask(budget, held, 600)
    assert not budget.ask(huge, ALLOWANCE + 900, ALLOWANCE + 5000, 0.1)
    assert budget.is_overdrawn
    assert budget.settle(0.1) == RoomChanges([], [huge])
    assert budget.held == 600


@pytest.mark.parametrize("seed", range(50))
def test_nothing_is_lost_or_given_twice(seed: int) -> None:
    rng, now = random.Random(seed), 0.0
    budget = BodyBudget(LIMIT)
    claims: list[BodyClaim] = []
    for _ in range(300):
        now += rng.random() / 4
        if rng.random() < 0.6 or not claims:
            claims.append(claim(rng.choice("abc")))
            budget.ask(claims[-1], ALLOWANCE + rng.randint(0, 50), ALLOWANCE + 500, now)
        elif rng.random() < 0.5:
            budget.leave(claims.pop(rng.randrange(len(claims))))
        else:
            again = rng.choice(claims)
            size = max(again.size, again.granted)
            budget.ask(again, size, size + rng.randint(1, 300), now)
        outcome = budget.settle(now)
        claims = [x for x in claims if x not in outcome.given_up]
        assert budget.held == sum(x.held for x in claims) <= LIMIT
        assert all(x not in claims for x in outcome.given_up)
        assert budget.is_settled == (not any(x.wanted for x in claims))
    for body in claims:
        budget.leave(body)
    assert (budget.held, budget.is_settled) == (0, True)
