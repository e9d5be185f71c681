"""Group commit: whatever waits when a commit returns forms the next group. No timer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from hookplane.errors import RejectedEvent, StoreBusy, StoreError, StoreUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

CommitGroup = Callable[[list[Item]], Awaitable[Sequence[Result | StoreError]]]
"""Commits all items of a group or none. Gives one outcome for each, in order; an outcome that is an
error is that item's alone. Raises RejectedEvent when some item's data cannot be stored, and any
other StoreError when the group as a whole failed."""


@dataclass(frozen=True, slots=True)
class GroupBounds:
    """How big groups and the queue may get. Weights are bytes or rows, as the owner likes."""

    group_items: int
    group_weight: int
    """A single item may be heavier; it then goes alone."""
    queue_weight: int
    """Of all that is queued and under way; more is refused with StoreBusy."""


class Allowance:
    """A weight that several queues may take together."""

    def __init__(self, most: int, within: Allowance | None = None) -> None:
        """`within`: what is taken here is taken there as well."""
        self._most = most
        self._within = within
        self._taken = 0

    def take(self, weight: int) -> bool:
        """False: there is not so much left. Whoever is the only one may take any weight."""
        if self._taken and self._taken + weight > self._most:
            return False
        if self._within is not None and not self._within.take(weight):
            return False
        self._taken += weight
        return True

    def give_back(self, weight: int) -> None:
        """What was taken is free again."""
        self._taken -= weight
        if self._within is not None:
            self._within.give_back(weight)


class GroupCommit(Generic[Item, Result]):
    """A queue in front of a store's commit. Lives in one event loop.

    One group is under way at a time. When a group is refused because of its data it is halved until
    the culprit is alone: only that one gets RejectedEvent.
    """

    def __init__(
        self,
        commit: CommitGroup[Item, Result],
        weigh: Callable[[Item], int],
        bounds: GroupBounds,
        shared: Allowance | None = None,
    ) -> None:
        """`shared`: bounds this queue together with others, besides its own bounds."""
        self._commit: Final = commit
        self._weigh: Final = weigh
        self._bounds: Final = bounds
        self._allowance: Final = Allowance(bounds.queue_weight, within=shared)
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._closed = False

    async def submit(self, item: Item) -> Result:
        """Returns after the commit. Raises StoreBusy, StoreUnavailable, RejectedEvent, or what
        `commit` gave for this item. Cancelling the wait does not take the item back."""
        weight = self._weigh(item)
        self._admit(weight)
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(item, weight, done))
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        return await done

    @property
    def idle(self) -> bool:
        """Nothing waits or is under way."""
        return self._runner is None

    async def close(self) -> None:
        """Refuses what comes from now on and waits for what is queued."""
        self._closed = True
        while self._runner is not None:
            await asyncio.wait([self._runner])

    def _admit(self, weight: int) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closing")
        if not self._allowance.take(weight):
            raise StoreBusy("too much is waiting to be stored; try again shortly")

    async def _run(self) -> None:
        try:
            while self._queue:
                group = self._next_group()
                await self._settle(group)
                self._allowance.give_back(sum(waiting.weight for waiting in group))
        finally:
            self._runner = None

    def _next_group(self) -> list[_Waiting[Item, Result]]:
        group = [self._queue.popleft()]
        weight = group[0].weight
        while self._queue and len(group) < self._bounds.group_items:
            weight += self._queue[0].weight
            if weight > self._bounds.group_weight:
                break
            group.append(self._queue.popleft())
        return group

    async def _settle(self, group: list[_Waiting[Item, Result]]) -> None:
        try:
            outcomes = await self._commit([waiting.item for waiting in group])
        except RejectedEvent as error:
            await self._halve(group, error)
        except Exception as error:  # whatever went wrong, those who wait must hear of it
            _fail(group, error)
        else:
            for waiting, outcome in zip(group, outcomes, strict=True):
                waiting.settle(outcome)

    async def _halve(self, group: list[_Waiting[Item, Result]], error: RejectedEvent) -> None:
        if len(group) == 1:
            group[0].settle(error)
            return
        middle = len(group) // 2
        await self._settle(group[:middle])
        await self._settle(group[middle:])


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    weight: int
    done: asyncio.Future[Result]

    def settle(self, outcome: Result | Exception) -> None:
        if self.done.done():
            return
        if isinstance(outcome, Exception):
            self.done.set_exception(outcome)
        else:
            self.done.set_result(outcome)


def _fail(group: Sequence[_Waiting[Item, Result]], error: Exception) -> None:
    for waiting in group:
        waiting.settle(error)
