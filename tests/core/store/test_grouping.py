"""Group commit, with a commit that the test holds and lets go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from hookplane.errors import RejectedEvent, StoreBusy, StoreError, StoreUnavailable, UnknownObject
from hookplane.store.grouping import Allowance, GroupBounds, GroupCommit


class Commits:
    """Records groups; each waits until it is let go. Numbers below zero are bad data."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def __call__(self, group: list[int]) -> Sequence[int | StoreError]:
        self.groups.append(group)
        await self.gate.acquire()
        if self.error is not None:
            raise self.error
        if any(item < 0 for item in group):
            raise RejectedEvent("below zero")
        return [UnknownObject("zero") if item == 0 else item * 10 for item in group]

    def let_go(self, groups: int = 100) -> None:
        for _ in range(groups):
            self.gate.release()


def grouping(commits: Commits, items: int = 512, weight: int = 100, queue: int = 1_000) -> Group:
    return GroupCommit(commits, abs, GroupBounds(items, weight, queue))


Group = GroupCommit[int, int]
Tasks = list[asyncio.Task[int]]


async def submit(group: Group, *items: int) -> Tasks:
    """Submits in this order and lets the queue take notice."""
    tasks = [asyncio.create_task(group.submit(item)) for item in items]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_what_waits_during_a_commit_is_the_next_group() -> None:
    commits = Commits()
    group = grouping(commits)
    tasks = await submit(group, 1)
    tasks += await submit(group, 2, 3)
    tasks += await submit(group, 4)
    assert commits.groups == [[1]]
    commits.let_go()
    assert await asyncio.gather(*tasks) == [10, 20, 30, 40]
    assert commits.groups == [[1], [2, 3, 4]]


@pytest.mark.parametrize(
    ("bounds", "groups"),
    [
        ({"items": 2}, [[1], [2, 30], [40, 5]]),
        ({"weight": 50}, [[1], [2, 30], [40, 5]]),
        ({"weight": 10}, [[1], [2], [30], [40], [5]]),  # what is too heavy goes alone
    ],
)
async def test_groups_are_bounded(bounds: dict[str, int], groups: list[list[int]]) -> None:
    commits = Commits()
    group = grouping(commits, **bounds)
    tasks = await submit(group, 1)
    tasks += await submit(group, 2, 30, 40, 5)
    commits.let_go()
    await asyncio.gather(*tasks)
    assert commits.groups == groups


async def test_the_queue_is_bounded_and_frees_itself() -> None:
    commits = Commits()
    group = grouping(commits, queue=100)
    tasks = await submit(group, 60, 40)
    with pytest.raises(StoreBusy):
        await group.submit(1)
    commits.let_go()
    await asyncio.gather(*tasks)
    assert await group.submit(100) == 1_000


async def test_one_item_over_the_bound_passes_an_empty_queue() -> None:
    commits = Commits()
    commits.let_go()
    assert await grouping(commits, queue=5).submit(10) == 100


async def test_bad_data_fails_alone() -> None:
    commits = Commits()
    commits.let_go()
    group = grouping(commits)
    tasks = await submit(group, 1, 2, -3, 4, 5, -6, 0)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [int, int, RejectedEvent, int, int, RejectedEvent, UnknownObject]


async def test_halves_keep_the_order() -> None:
    commits = Commits()
    commits.let_go()
    tasks = await submit(grouping(commits), 1, 2, -3, 4)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert commits.groups == [[1, 2, -3, 4], [1, 2], [-3, 4], [-3], [4]]


@pytest.mark.parametrize("error", [StoreUnavailable("full"), RuntimeError("a bug")])
async def test_a_failed_commit_fails_its_group_and_no_other(error: Exception) -> None:
    commits = Commits()
    group = grouping(commits)
    commits.error = error
    tasks = await submit(group, 1, 2)
    commits.let_go()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes == [error, error]
    commits.error = None
    assert await group.submit(3) == 30


async def test_a_caller_that_gives_up_takes_nothing_back() -> None:
    commits = Commits()
    group = grouping(commits)
    first, second = await submit(group, 1, 2)
    first.cancel()
    commits.let_go()
    assert await second == 20
    assert commits.groups == [[1, 2]]


async def test_closing_finishes_what_is_queued_and_takes_nothing_more() -> None:
    commits = Commits()
    group = grouping(commits)
    tasks = await submit(group, 1)
    tasks += await submit(group, 2)
    closing = asyncio.create_task(group.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await group.submit(3)
    commits.let_go()
    await closing
    assert [task.result() for task in tasks] == [10, 20]


async def test_queues_that_share_an_allowance_are_bounded_together() -> None:
    shared = Allowance(100)
    commits = Commits()
    one, other = (GroupCommit(commits, abs, GroupBounds(512, 100, 80), shared) for _ in range(2))
    tasks = await submit(one, 70)
    tasks += await submit(other, 30)
    for full in (one, other):
        with pytest.raises(StoreBusy):
            await full.submit(20)
    commits.let_go()
    assert await asyncio.gather(*tasks) == [700, 300]
    assert await one.submit(20) == 200
    assert await other.submit(80) == 800
    assert one.idle
    assert other.idle


def test_an_allowance_within_another_takes_from_both() -> None:
    outer = Allowance(100)
    inner = Allowance(50, within=outer)
    assert inner.take(40)
    assert not inner.take(20)
    assert outer.take(60)
    assert not inner.take(10)
    outer.give_back(60)
    assert inner.take(10)
    inner.give_back(50)
    assert outer.take(100)


def test_whoever_is_the_only_one_may_take_any_weight() -> None:
    allowance = Allowance(10)
    assert allowance.take(1_000)
    assert not allowance.take(1)
