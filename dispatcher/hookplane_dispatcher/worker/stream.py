"""One endpoint as one subscription reads it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.worker.window import Window

LOW: Final = 64
"""More is read from the log when fewer events than this are waiting."""
MOST_AHEAD: Final = 10_000
"""So far past its cursor is a log read."""


class Stream:
    """The cursor, and events that passed the type filter and wait for their turn."""

    __slots__ = ("endpoint", "ready", "sifted", "under_way", "window")

    def __init__(self, endpoint: str, cursor: int) -> None:
        self.endpoint = endpoint
        self.window = Window(cursor)
        self.ready: deque[LogEntry] = deque()
        self.sifted: set[int] = set()
        """Those in `ready` that passed the CEL filter as well."""
        self.under_way = 0
        """Attempts begun and not flushed."""

    @property
    def hungry(self) -> bool:
        """Whether to read on."""
        ahead = self.window.taken - self.window.cursor
        return len(self.ready) < LOW and ahead < MOST_AHEAD

    @property
    def next(self) -> int:
        """The first sequence that has not started, as far as is known."""
        return self.ready[0].sequence if self.ready else self.window.taken + 1

    @property
    def head_ready(self) -> bool:
        """Whether everything before the first waiting event is settled."""
        return bool(self.ready) and self.ready[0].sequence == self.window.cursor + 1

    def pop(self, most: int, most_bytes: int) -> list[LogEntry]:
        """The next events, at least one if there is any."""
        taken: list[LogEntry] = []
        while self.ready and len(taken) < most:
            most_bytes -= self.ready[0].size
            if taken and most_bytes < 0:
                break
            taken.append(self.ready.popleft())
        return taken

    def put_back(self, entries: Iterable[LogEntry]) -> None:
        """They could not start, and wait in the order of the log. What is to be read again anyway
        is left out."""
        back = [entry for entry in entries if entry.sequence <= self.window.taken]
        in_order = not (back and self.ready) or back[-1].sequence < self.ready[0].sequence
        self.ready.extendleft(reversed(back))
        if not in_order:
            self.ready = deque(sorted(self.ready, key=_sequence))

    def rewind(self) -> None:
        """The filter changed: what has not started is looked at again."""
        self.ready.clear()
        self.sifted.clear()
        self.window.rewind()


def _sequence(entry: LogEntry) -> int:
    return entry.sequence
