"""The queue in front of what is written in groups: one for all rows, and one of its own for a row
that is held.

Each item needs the lock of one row: an event that of its log's head, a flush that of its
subscription. Somebody else may have it: retention, configuration, people. Whoever waits for it in a
group makes the whole group wait. So a group waits only for a moment; then what needs free rows is
written, and what needs the row that is held queues by itself, on other connections, until something
of it is written again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeAlias, TypeVar

from hookplane.errors import StoreError, StoreUnavailable
from hookplane.store.delivery_store import Flush
from hookplane.store.event_log import Appended, NewEvent
from hookplane.store.grouping import Allowance, GroupBounds, GroupCommit
from hookplane.store.postgres.faults import LockTimeout
from hookplane.store.write_groups import APPENDS, event_weight, flush_bounds, flush_weight

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES: Final = 4
"""How often a group is tried that finds more and more rows held."""

Row: TypeAlias = str
"""The uid of the endpoint or subscription whose row is locked."""
Commit = Callable[[Sequence[Item]], Awaitable[Sequence[Result | StoreError]]]
"""Raises LockTimeout when a lock was not to be had; then nothing was written."""
FindHeld = Callable[[set[Row]], Awaitable[set[Row]]]
"""Those of these rows that somebody else has locked."""


@dataclass(frozen=True, slots=True)
class HeldBounds(Generic[Item]):
    """What may wait, and what waits for what."""

    row_of: Callable[[Item], Row]
    weigh: Callable[[Item], int]
    all: GroupBounds

    @property
    def one_held(self) -> GroupBounds:
        """What one row that is held may keep waiting."""
        bounds = self.all
        return GroupBounds(bounds.group_items, bounds.group_weight, bounds.queue_weight // 4)

    @property
    def all_held(self) -> int:
        """The weight of what all of them may keep waiting: the rest is for rows that are free."""
        return self.all.queue_weight // 2


def _log_of(event: NewEvent) -> Row:
    return event.endpoint


def _subscription_of(flush: Flush) -> Row:
    return flush.subscription


HELD_APPENDS: Final = HeldBounds(_log_of, event_weight, APPENDS)
HELD_FLUSHES: Final = HeldBounds(_subscription_of, flush_weight, flush_bounds(4_000))
AppendQueue: TypeAlias = "HeldQueue[NewEvent, Appended]"
FlushQueue: TypeAlias = "HeldQueue[Flush, None]"


class RowHeld(StoreError):
    """The outcome of an item that is to be queued again, with others of its row."""


class HeldQueue(Generic[Item, Result]):
    """Where all appends, or all flushes, of a process wait. Lives in one event loop."""

    def __init__(
        self,
        bounds: HeldBounds[Item],
        commit: Commit[Item, Result],
        find_held: FindHeld,
        commit_held: Commit[Item, Result],
    ) -> None:
        """`commit` waits for locks only a moment, `commit_held` longer."""
        self._bounds = bounds
        self._commit = commit
        self._find_held = find_held
        self._commit_held = commit_held
        total = Allowance(bounds.all.queue_weight)
        self._of_held = Allowance(bounds.all_held, within=total)
        self._main = GroupCommit(self._commit_free, bounds.weigh, bounds.all, total)
        self._held: dict[Row, GroupCommit[Item, Result]] = {}
        """Where new items of rows that are held go."""
        self._lanes = {self._main}
        """All in which something may wait."""
        self._closed = False

    async def submit(self, item: Item) -> Result:
        """Returns after the commit. Raises as GroupCommit does."""
        row = self._bounds.row_of(item)
        if row not in self._held:
            try:
                return await self._main.submit(item)
            except RowHeld:
                self._hold(row)
        return await self._submit_held(row, item)

    async def close(self) -> None:
        """Refuses what comes from now on and waits for what is queued."""
        self._closed = True
        await asyncio.gather(*(lane.close() for lane in self._lanes))

    def _hold(self, row: Row) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closing")
        if row not in self._held:
            commit, bounds = partial(self._commit_of, row), self._bounds
            lane = GroupCommit(commit, bounds.weigh, bounds.one_held, self._of_held)
            self._held[row] = lane
            self._lanes.add(lane)

    async def _submit_held(self, row: Row, item: Item) -> Result:
        lane = self._held[row]
        try:
            return await lane.submit(item)
        finally:
            if lane.idle and self._held.get(row) is not lane:
                self._lanes.discard(lane)

    async def _commit_of(self, row: Row, items: list[Item]) -> Sequence[Result | StoreError]:
        """Whatever comes next goes where all others go."""
        outcomes = await self._commit_held(items)
        self._held.pop(row, None)
        return outcomes

    async def _commit_free(self, items: list[Item]) -> Sequence[Result | StoreError]:
        rows = [self._bounds.row_of(item) for item in items]
        held: set[Row] = set()
        for _ in range(TRIES):
            free = [item for item, row in zip(items, rows, strict=True) if row not in held]
            try:
                written = iter(await self._commit(free) if free else ())
            except LockTimeout:
                held |= await self._find_held(set(rows) - held)
            else:
                wait = RowHeld("this row is held")
                return [wait if row in held else next(written) for row in rows]
        raise StoreUnavailable("the store cannot do this now: what it needs is locked")
