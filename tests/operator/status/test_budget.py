"""How many statuses may be written in a second."""

from __future__ import annotations

from hookplane_operator.status.budget import GROWTH, HOLD_SECONDS, LEAST, USUAL, WriteBudget


def test_it_begins_with_a_full_burst_of_the_usual() -> None:
    budget = WriteBudget(100, 5.0)
    assert (budget.available(5.0), budget.per_second) == (USUAL, USUAL)
    budget.spend(USUAL)
    assert [budget.available(5.0 + x) for x in (0.0, 0.5, 60.0)] == [0, USUAL // 2, USUAL]


def test_it_grows_while_more_waits_and_no_further_than_it_may() -> None:
    budget = WriteBudget(40, 0.0)
    budget.was_taken(0.0, others_wait=True)
    assert budget.per_second == USUAL + GROWTH
    for _ in range(1_000):
        budget.was_taken(0.0, others_wait=True)
    assert budget.per_second == 40
    budget.was_taken(0.0, others_wait=False)
    assert budget.per_second == USUAL


def test_it_is_halved_once_for_what_was_under_way_together() -> None:
    budget = WriteBudget(100, 0.0)
    for _ in range(32):
        budget.was_held_back(0.0)
    assert budget.per_second == USUAL / 2
    for again in range(1, 9):
        budget.was_held_back(again * HOLD_SECONDS)
    assert budget.per_second == LEAST
    # what is taken then lets it grow again, from there
    budget.was_taken(10.0, others_wait=True)
    assert budget.per_second == LEAST + GROWTH
    budget.was_taken(10.0, others_wait=False)
    assert budget.per_second == USUAL


def test_a_setting_below_all_of_this_holds() -> None:
    budget = WriteBudget(2, 0.0)
    budget.was_taken(0.0, others_wait=True)
    budget.was_held_back(0.0)
    assert (budget.per_second, budget.available(0.0)) == (2, 2)
