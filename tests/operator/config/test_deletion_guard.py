"""How much may be gone at once, and what people are told of it."""

from __future__ import annotations

import pytest

from hookplane_operator.config.deletion_guard import Loss, implausible, told_numbers


def missing(count: int, there: int = 20) -> Loss:
    return Loss(count, count, there)


@pytest.mark.parametrize(
    ("losses", "waiting"),
    [
        # one that loses everything, and one that loses one
        ([missing(20), missing(1)], "a"),
        # several lose a little: without the one that misses most it is still too much
        ([missing(10), missing(10), missing(10), missing(0)], "abc"),
        # the same for two of them
        ([missing(10), missing(10), missing(0), missing(0)], ""),
        # together no more than a fifth
        ([missing(7, 60), missing(7, 60), missing(7, 60)], ""),
        # what went before and is not missing now keeps nobody waiting
        ([Loss(0, 30, 40), missing(1)], ""),
    ],
)
def test_who_is_to_wait(losses: list[Loss], waiting: str) -> None:
    assert implausible(dict(zip("abcd", losses, strict=False))) == {*waiting}


def test_a_list_that_ends_too_early_deletes_nothing() -> None:
    losses = {f"n{x:02}": missing(10 if x >= 50 else 0, 10) for x in range(100)}
    assert implausible(losses) == {name for name, x in losses.items() if x.now}


def test_nothing_missing_is_nothing_to_wait_for() -> None:
    assert implausible({}) == frozenset()


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {"a": 12}, {"a": 12}),
        ({"a": 12}, {"a": 15}, {"a": 12}),
        ({"a": 15}, {"a": 12}, {"a": 15}),
        ({"a": 12}, {"a": 23}, {"a": 23}),
        ({"a": 40}, {"a": 12}, {"a": 12}),
        ({"a": 12, "b": 13}, {"b": 13}, {"b": 13}),
    ],
)
def test_a_number_that_was_told_stays_as_long_as_it_would_do(
    before: dict[str, int], now: dict[str, int], told: dict[str, int]
) -> None:
    assert told_numbers(before, now) == told
