"""The queue in front of appends: one for all logs, and one of its own for a log that is held.

The head of a log is locked while somebody appends to it, and also by retention, by configuration
and by people. Whoever waits for it in a group makes the whole group wait. So a group waits only for
a moment; then what goes to free logs is stored, and the log that is held queues by itself, on other
connections, until something of it is stored again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from hookplane.errors import StoreError, StoreUnavailable
from hookplane.store.event_log import Appended, LogId, NewEvent
from hookplane.store.grouping import Allowance, GroupBounds, GroupCommit
from hookplane.store.postgres.faults import LockTimeout
from hookplane.store.write_groups import APPENDS, event_weight

TRIES: Final = 4
"""How often a group is tried that finds more and more logs held."""
ONE_HELD: Final = GroupBounds(
    APPENDS.group_items, APPENDS.group_weight, queue_weight=APPENDS.queue_weight // 4
)
"""What one log that is held may keep waiting."""
ALL_HELD: Final = APPENDS.queue_weight // 2
"""What all of them may keep waiting together: the rest is for logs that are free."""

Outcomes = Sequence[Appended | StoreError]
Commit = Callable[[Sequence[NewEvent]], Awaitable[Outcomes]]
"""Raises LockTimeout when a lock was not to be had; then nothing was stored."""
FindHeld = Callable[[set[LogId]], Awaitable[set[LogId]]]
"""Those of these logs whose head somebody else has locked."""
Lane = GroupCommit[NewEvent, Appended]


class LogHeld(StoreError):
    """The outcome of an event that is to be queued again, with others of its log."""


class AppendQueue:
    """Where all appends of a process wait. Lives in one event loop."""

    def __init__(self, commit: Commit, find_held: FindHeld, commit_held: Commit) -> None:
        """`commit` waits for locks only a moment, `commit_held` longer."""
        self._commit = commit
        self._find_held = find_held
        self._commit_held = commit_held
        total = Allowance(APPENDS.queue_weight)
        self._of_held = Allowance(ALL_HELD, within=total)
        self._main: Lane = GroupCommit(self._commit_free, event_weight, APPENDS, total)
        self._held: dict[LogId, Lane] = {}
        """Where new events of logs that are held go."""
        self._lanes: set[Lane] = {self._main}
        """All in which something may wait."""
        self._closed = False

    async def submit(self, event: NewEvent) -> Appended:
        """Returns after the commit. Raises as GroupCommit does."""
        if event.endpoint not in self._held:
            try:
                return await self._main.submit(event)
            except LogHeld:
                self._hold(event.endpoint)
        return await self._submit_held(event)

    async def close(self) -> None:
        """Refuses what comes from now on and waits for what is queued."""
        self._closed = True
        await asyncio.gather(*(lane.close() for lane in self._lanes))

    def _hold(self, log: LogId) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closing")
        if log not in self._held:
            commit = partial(self._commit_of, log)
            lane = self._held[log] = GroupCommit(commit, event_weight, ONE_HELD, self._of_held)
            self._lanes.add(lane)

    async def _submit_held(self, event: NewEvent) -> Appended:
        lane = self._held[event.endpoint]
        try:
            return await lane.submit(event)
        finally:
            if lane.idle and self._held.get(event.endpoint) is not lane:
                self._lanes.discard(lane)

    async def _commit_of(self, log: LogId, events: list[NewEvent]) -> Outcomes:
        """Whatever comes next goes where all others go."""
        outcomes = await self._commit_held(events)
        self._held.pop(log, None)
        return outcomes

    async def _commit_free(self, events: list[NewEvent]) -> Outcomes:
        held: set[LogId] = set()
        for _ in range(TRIES):
            free = [event for event in events if event.endpoint not in held]
            try:
                stored = iter(await self._commit(free) if free else ())
            except LockTimeout:
                held |= await self._find_held({event.endpoint for event in free})
            else:
                wait = LogHeld("this log is held")
                return [wait if event.endpoint in held else next(stored) for event in events]
        raise StoreUnavailable("the store cannot do this now: what it needs is locked")
