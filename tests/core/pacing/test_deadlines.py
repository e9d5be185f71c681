"""Deadlines hold, come in order, and cost no timer each."""

from __future__ import annotations

import asyncio
import math
import weakref
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from hookplane.pacing.deadlines import SLOTS_PER_SECOND, Deadlines, MovingDeadline
from support.clocks.virtual import VirtualLoop


@pytest.fixture
async def deadlines() -> Deadlines:
    return Deadlines(asyncio.get_running_loop())


class Item:
    def __init__(self, expired: list[tuple[Item, float]]) -> None:
        self._expired = expired

    def expire(self) -> None:
        self._expired.append((self, asyncio.get_running_loop().time()))


async def test_each_comes_in_its_time_and_never_early(deadlines: Deadlines) -> None:
    expired: list[tuple[Item, float]] = []
    planned = {}
    for at in (3.0, 0.001, 3.05, 1.0, 1.0, 15.0, 0.5):
        item = Item(expired)
        planned[item] = at
        deadlines.add(item, at)
    await asyncio.sleep(20)
    assert [planned[item] for item, _ in expired] == [0.001, 0.5, 1.0, 1.0, 3.0, 3.05, 15.0]
    for item, at in expired:
        assert planned[item] <= at <= planned[item] + 1 / SLOTS_PER_SECOND


async def test_who_has_left_is_left_alone(deadlines: Deadlines) -> None:
    expired: list[tuple[Item, float]] = []
    item, other = Item(expired), Item(expired)
    deadlines.add(item, 1.0).discard(item)
    deadlines.add(other, 1.0)
    await asyncio.sleep(2)
    assert [who for who, _ in expired] == [other]


async def test_one_that_ends_may_end_others_and_add_more(deadlines: Deadlines) -> None:
    expired: list[tuple[Item, float]] = []
    later = Item(expired)

    class Chain(Item):
        def expire(self) -> None:
            super().expire()
            slot.clear()
            deadlines.add(later, 0.5)

    slot = deadlines.add(Chain(expired), 1.0)
    deadlines.add(Chain(expired), 1.0)
    await asyncio.sleep(2)
    assert len(expired) == 2
    assert expired[1][0] is later


async def test_when_it_is_closed_nothing_comes(deadlines: Deadlines) -> None:
    expired: list[tuple[Item, float]] = []
    deadlines.add(Item(expired), 50.0)
    deadlines.close()
    await asyncio.sleep(200)
    assert expired == []


async def test_a_deadline_that_is_put_off_comes_at_its_last_time(deadlines: Deadlines) -> None:
    loop = asyncio.get_running_loop()
    late: list[float] = []
    moving = MovingDeadline(deadlines, loop, lambda: late.append(loop.time()))
    began = loop.time()
    for after in (5.0, 7.0, math.inf, 9.0):
        moving.move(began + after)
        await asyncio.sleep(1)
    await asyncio.sleep(20)
    [at] = late
    assert began + 9 <= at <= began + 9 + 1 / SLOTS_PER_SECOND


async def test_a_deadline_may_be_moved_forward(deadlines: Deadlines) -> None:
    loop = asyncio.get_running_loop()
    late: list[float] = []
    moving = MovingDeadline(deadlines, loop, lambda: late.append(loop.time()))
    moving.move(loop.time() + 50)
    moving.move(loop.time() + 1)
    await asyncio.sleep(2)
    assert len(late) == 1
    moving.move(loop.time() + 1)
    await asyncio.sleep(2)
    assert len(late) == 2


async def test_a_deadline_that_is_stopped_does_not_come(deadlines: Deadlines) -> None:
    loop = asyncio.get_running_loop()
    late: list[float] = []
    moving = MovingDeadline(deadlines, loop, lambda: late.append(loop.time()))
    moving.move(loop.time() + 1)
    moving.stop()
    await asyncio.sleep(2)
    assert late == []


class Timers(VirtualLoop):
    """A loop that remembers its timers."""

    def __init__(self) -> None:
        super().__init__()
        self._timers: list[asyncio.TimerHandle] = []

    def call_at(self, *arguments: Any, **named: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        self._timers.append(super().call_at(*arguments, **named))
        return self._timers[-1]

    @property
    def pending(self) -> int:
        return sum(not x.cancelled() and x.when() > self.time() for x in self._timers)


async def test_a_deadline_that_has_ended_lets_go_of_whose_it_was(deadlines: Deadlines) -> None:
    whose = Item([])
    seen, loop = weakref.ref(whose), asyncio.get_running_loop()
    moving = MovingDeadline(deadlines, loop, whose.expire)
    moving.move(loop.time() + 1)
    del whose
    moving.end()
    assert seen() is None


@pytest.fixture
def timers() -> Iterator[Timers]:
    with closing(Timers()) as loop:
        yield loop


def test_there_is_one_timer_at_a_time(timers: Timers) -> None:
    """An earlier deadline takes the place of the one that was waited for."""
    deadlines = Deadlines(timers)
    for seconds in (9.0, 7.0, 8.0, 5.0):
        deadlines.add(Item([]), seconds)
        assert timers.pending == 1
    deadlines.close()
    assert timers.pending == 0


def test_nothing_wakes_the_loop_when_nothing_waits(timers: Timers) -> None:
    deadlines = Deadlines(timers)
    for number in range(1000):
        item = Item([])
        deadlines.add(item, number / 10).discard(item)
    timers.run_until_complete(asyncio.sleep(0.5))
    assert timers.pending == 0
