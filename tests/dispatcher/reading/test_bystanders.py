"""Cursors that move together: whose turn it is, and what becomes of what was lent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import cast

import pytest

from hookplane.errors import StoreReplaced, StoreUnavailable
from hookplane.store.delivery_store import DeliveryStore, NotPassed, Passage
from hookplane_dispatcher.reading.bystanders import AT_ONCE, GROUPS, PAUSE_SECONDS, Bystanders


class Standing:
    """One that is behind until its cursor is moved."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = 0
        self.answers: list[bool] = []

    def lend(self) -> list[Passage]:
        self.asked += 1
        return [] if self.answers else [Passage(self.name, 1, "e", 7)]

    def returned(self, *, lost: bool) -> None:
        self.answers.append(lost)


class Moves:
    """The part of a store that moves cursors."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.errors: list[Exception] = []
        self.outcomes: list[NotPassed] = []

    async def pass_over(self, passages: Sequence[Passage]) -> NotPassed:
        if self.errors:
            raise self.errors.pop(0)
        self.groups.append(len(passages))
        return self.outcomes.pop(0) if self.outcomes else NotPassed()


@pytest.fixture
def moves() -> Moves:
    return Moves()


async def rounds(moves: Moves, standing: list[Standing], count: int = 1) -> None:
    bystanders = Bystanders(cast(DeliveryStore, moves))
    for one in standing:
        bystanders.add(one)
    running = asyncio.create_task(bystanders.run())
    await asyncio.sleep(PAUSE_SECONDS * (count + 0.5))
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_each_has_its_turn_and_a_round_is_bounded(moves: Moves) -> None:
    standing = [Standing(str(x)) for x in range(AT_ONCE * GROUPS + 300)]
    await rounds(moves, standing)
    assert moves.groups == [AT_ONCE] * GROUPS
    assert {one.asked for one in standing[-300:]} == {0}
    await rounds(moves, standing[AT_ONCE * GROUPS :] + standing)
    assert {tuple(one.answers) for one in standing} == {(False,)}


async def test_few_are_asked_once_a_round(moves: Moves) -> None:
    standing = [Standing("a"), Standing("b")]
    await rounds(moves, standing, count=3)
    assert ([one.asked for one in standing], moves.groups) == ([3, 3], [2])


async def test_a_store_that_is_away_is_asked_again(moves: Moves) -> None:
    standing = [Standing("a")]
    moves.errors = [StoreUnavailable("away")] * 3
    await rounds(moves, standing)
    assert (standing[0].answers, moves.groups) == ([False], [1])


async def test_those_with_another_owner_are_told(moves: Moves) -> None:
    standing = [Standing("a"), Standing("b")]
    moves.outcomes = [NotPassed(lost=frozenset({"b"}))]
    await rounds(moves, standing)
    assert [one.answers for one in standing] == [[False], [True]]


async def test_when_nothing_is_known_all_are_told(moves: Moves) -> None:
    standing = [Standing("a"), Standing("b")]
    moves.errors = [StoreReplaced("another database")]
    with pytest.raises(StoreReplaced):
        await rounds(moves, standing)
    assert [one.answers for one in standing] == [[True], [True]]


async def test_one_that_is_held_waits_alone(moves: Moves) -> None:
    standing = [Standing("a"), Standing("b")]
    moves.outcomes = [NotPassed(held=frozenset({"b"}))] * 2
    await rounds(moves, standing)
    assert [one.answers for one in standing] == [[False], []]
    await rounds(moves, standing, count=2)
    assert moves.groups == [2, 1, 1]
    assert standing[1].answers == [False]
