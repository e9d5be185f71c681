"""The newest events of each endpoint, kept for workers that are not quite at the end, within one
budget of bytes."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from hookplane.pacing.waiting import Waker
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.reading.audience import Audience

PAGE: Final = 256
"""Events read at once."""
_ENTRY_BYTES: Final = 336
"""What an event without its type takes, measured."""


class TailBudget:
    """Shares bytes among tails: when there are too many, the largest tail gives."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tails: set[LogTail] = set()
        self.used = 0
        """Bytes that all tails keep together."""

    def change(self, tail: LogTail, size: int) -> None:
        """A tail keeps so much more, or less."""
        self.used += size
        if tail.kept:
            self._tails.add(tail)
        else:
            self._tails.discard(tail)
        while self.used > self._limit:
            max(self._tails, key=_kept).give_half()


class LogTail:
    """The newest events of one endpoint."""

    def __init__(self, endpoint: str, end: int, budget: TailBudget) -> None:
        self.endpoint = endpoint
        self.audience = Audience(end)
        self.waker = Waker()
        self.kept = 0
        """Bytes."""
        self._budget = budget
        self._entries: list[LogEntry] = []
        self._needed = False

    @property
    def end(self) -> int:
        """The last sequence that was read."""
        return self.audience.end

    def after(self, sequence: int) -> list[LogEntry] | None:
        """Up to a page of events after `sequence`; None: they are no longer kept here."""
        if sequence >= self.end:
            return []
        if not self._entries or sequence < self._entries[0].sequence - 1:
            return None
        self._needed = True
        start = bisect_right(self._entries, sequence, key=_sequence)
        return self._entries[start : start + PAGE]

    def append(self, entries: list[LogEntry]) -> None:
        """Appends what was read, and calls the workers whom it concerns."""
        if not entries:
            return
        self._needed = True
        self._entries.extend(entries)
        self._count(sum(map(_weight, entries)))
        self.audience.tell(entries)

    def rest(self) -> None:
        """A wait has passed in which nothing came. If nobody asked either, all is given back."""
        if not self._needed:
            self._give(len(self._entries))
        self._needed = False

    def give_half(self) -> None:
        """Drops the older half."""
        self._give((len(self._entries) + 1) // 2)

    def close(self) -> None:
        """Drops all."""
        self._give(len(self._entries))

    def _give(self, count: int) -> None:
        size = sum(map(_weight, self._entries[:count]))
        del self._entries[:count]
        self._count(-size)

    def _count(self, size: int) -> None:
        self.kept += size
        self._budget.change(self, size)


def _weight(entry: LogEntry) -> int:
    return _ENTRY_BYTES + len(entry.type)


def _kept(tail: LogTail) -> int:
    return tail.kept


def _sequence(entry: LogEntry) -> int:
    return entry.sequence
