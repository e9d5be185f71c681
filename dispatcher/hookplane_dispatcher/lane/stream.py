"""One endpoint as one subscription reads it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from hookplane.store.model import LogEntry
from hookplane_dispatcher.lane.window import Window

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
        """They could not start; given in order."""
        self.ready.extendleft(reversed(list(entries)))

    def rewind(self) -> None:
        """The filter changed: what has not started is looked at again."""
        self.ready.clear()
        self.sifted.clear()
        self.window.rewind()
