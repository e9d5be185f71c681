"""Endpoints' logs: the tail of each is read once for all its workers; laggards read pages alone.

A tail is read when somebody tells of new events. In case that nobody does, one question for all
tails together asks from time to time where their logs end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from hookplane.errors import StoreUnavailable
from hookplane.filters.types import Interest
from hookplane.pacing.backoff import Backoff
from hookplane.pacing.run_forever import run_forever
from hookplane.store.event_log import EventLog, EventRead, LogBounds, LogEntry
from hookplane_dispatcher.reading.audience import LogListener, Removed, Wake
from hookplane_dispatcher.reading.log_tail import PAGE, LogTail, TailBudget

FIRST_PAUSE_SECONDS: Final = 0.25
"""Until a tail whose read failed is read again; later pauses are longer, up to that of the poll."""

FEW: Final = 16
SMALL_BYTES: Final = 8 * 1024
"""Events that are read together with their contents, and how large a body may be."""

_NOTHING: Final = LogBounds(0, 0)
Offer = Callable[[Sequence[EventRead]], None]
"""Takes contents that may be wanted next, or not."""


class LogReader:
    """Reads logs; the tail of each is followed by a task of its own while workers are attached, and
    a task more polls for all of them."""

    def __init__(
        self,
        store: EventLog,
        poll_seconds: float,
        readers: int,
        tail_bytes: int,
        failed: Callable[[], None],
        offer: Offer,
    ) -> None:
        """`failed`: called when following a log ended with an error, before it is begun again.
        `offer`: gets contents that were read with a log."""
        self._store = store
        self._offer = offer
        self._failed = failed
        self._poll_seconds = poll_seconds
        self._readers = asyncio.Semaphore(readers)
        self._budget = TailBudget(tail_bytes)
        self._tails: dict[str, LogTail] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._poll: asyncio.Task[None] | None = None

    @property
    def kept_bytes(self) -> int:
        """What all tails keep together."""
        return self._budget.used

    def nudge(self, endpoint: str) -> None:
        """Events were appended to the log of an endpoint: it is read at once."""
        if (tail := self._tails.get(endpoint)) is not None:
            tail.waker.wake()

    def attach(
        self, endpoint: str, head: int, interest: Interest, wake: Wake, removed: Removed
    ) -> LogListener:
        """Follows the log of an endpoint, and calls `wake` when there is something new of
        interest, and `removed` with what retention took; `head` is where the log ended a moment
        ago."""
        tail = self._tails.get(endpoint)
        if tail is None:
            tail = self._tails[endpoint] = LogTail(endpoint, head, self._budget)
            follow = partial(self._follow, tail)
            self._tasks[endpoint] = self._start(f"the log of {endpoint}", follow)
            self._poll = self._poll or self._start("the ends of logs", self._look_at_ends)
        return LogListener(tail.audience, interest, wake, removed)

    def detach(self, endpoint: str, listener: LogListener) -> None:
        """Ends what `attach` began. A log that nobody listens to is no longer followed."""
        listener.leave()
        tail = self._tails.get(endpoint)
        if tail is not None and not tail.audience:
            self._tails.pop(endpoint).close()
            self._tasks.pop(endpoint).cancel()

    async def after(self, endpoint: str, sequence: int) -> list[LogEntry]:
        """Up to a page of events after `sequence`. Raises StoreUnavailable."""
        tail = self._tails.get(endpoint)
        entries = None if tail is None else tail.after(sequence)
        if entries is not None:
            return entries
        async with self._readers:
            return await self._store.read_log(endpoint, sequence, PAGE)

    async def entry(self, endpoint: str, sequence: int) -> LogEntry | None:
        """One event; None: retention removed it. Raises StoreUnavailable."""
        async with self._readers:
            found = await self._store.read_log(endpoint, sequence - 1, 1)
        return found[0] if found and found[0].sequence == sequence else None

    async def floor(self, endpoint: str) -> int:
        """Retention removed everything up to this sequence. Raises StoreUnavailable."""
        async with self._readers:
            return await self._store.floor(endpoint)

    async def close(self) -> None:
        """Stops following all logs."""
        tasks = [*self._tasks.values(), *([self._poll] if self._poll else [])]
        self._poll = None
        self._tails.clear()
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, what: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        return asyncio.create_task(run_forever(what, work, self._failed))

    async def _follow(self, tail: LogTail) -> None:
        backoff = Backoff(FIRST_PAUSE_SECONDS, max(FIRST_PAUSE_SECONDS, self._poll_seconds))
        while True:
            try:
                is_end = await self._read_on(tail)
            except StoreUnavailable:
                await asyncio.sleep(backoff.next_pause(self._poll_seconds))
                continue
            backoff.reset()
            if is_end:
                await tail.waker.wait()

    async def _read_on(self, tail: LogTail) -> bool:
        """Whether nothing is left. Who waits at the end needs the contents next, so a few come with
        the log."""
        if not tail.audience.is_at_end:
            entries = await self._store.read_log(tail.endpoint, tail.end, PAGE)
            tail.append(entries)
            return len(entries) < PAGE
        events = await self._store.read_events(tail.endpoint, tail.end, FEW, SMALL_BYTES)
        self._offer(events)
        tail.append([entry for entry, _ in events])
        return len(events) < FEW

    async def _look_at_ends(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            with suppress(StoreUnavailable):
                self._compare(await self._store.bounds(list(self._tails)))

    def _compare(self, found: Mapping[str, LogBounds]) -> None:
        """Wakes tails of which nobody told that their log has grown; others rest. Tells what
        retention removed."""
        for endpoint, tail in self._tails.items():
            bounds = found.get(endpoint, _NOTHING)
            tail.audience.raise_floor(bounds.floor)
            if bounds.head > tail.end:
                tail.waker.wake()
            else:
                tail.rest()
