"""Whose turn it is by `ordering: Key`: an event starts when the one before it with its key is
done, and the store knows that, so that after a crash none is sent again behind a later one.

An event that comes behind another gets a row and is BEHIND. Of those only the store knows, and the
earliest of a key is read when its turn comes. Pure.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from enum import Enum, auto
from typing import Final

from hookplane.store.delivery_store import EventKey, StrandedPage
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.worker.flush_buffer import Key
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery, RetryQueue

BEHIND_AT_ONCE: Final = 500
"""Rows of events that come behind others, written together."""
MOST_KEYS: Final = 1_000
"""Keys that the store is asked for at once."""


class KeyTurn(Enum):
    """What becomes of an event that could start."""

    NOW = auto()
    """Nothing with its key is left before it."""
    LATER = auto()
    """It will be known in a moment."""
    BEHIND = auto()
    """It waits for another one, in a row of its own."""


_NONE: Final = 1 << 63
"""Comes after every sequence."""


class KeyOrder:
    """Keys of a subscription that have something under way, and those whose next event is due."""

    def __init__(
        self,
        applies: bool,
        behind: int,
        most_rows: int,
        queue: RetryQueue,
        active: Container[Key],
    ) -> None:
        """`behind`: how many rows of the store are BEHIND. `most_rows`: with more than that in the
        queue nothing is searched for. `queue` and `active`: what is not done, as the tracker has
        it."""
        self.applies = applies
        """What starts from now on has its turn by its key; what began so keeps it."""
        self._most_rows = most_rows
        self._queue = queue
        self._active = active
        self.behind = behind
        """Rows that are BEHIND and in the store alone; retention may have removed some."""
        self.next: set[EventKey] = set()
        """The earliest row of these is to be read."""
        self.is_walking = behind > 0
        """The store is searched for keys that nobody goes on with, so it may know of more keys."""
        self._walked_to: EventKey | None = None
        self._unread: dict[EventKey, int] = {}
        """Keys of which the next row is known, and lies above what was read of its log since the
        filter changed: events before it may be wanted now."""
        self._begun: dict[Key, EventKey] = {}
        """Deliveries that were started or are done, and of which the store does not know that."""
        self._of: dict[EventKey, set[Key]] = {}

    def key_of(self, delivery: Key) -> str:
        """The key of a delivery that has begun; empty: it has none."""
        return self._begun.get(delivery, ("", ""))[1]

    def begin(self, delivery: Key, key: str) -> None:
        """A delivery has started, or is done without."""
        event_key = (delivery[0], key)
        self._begun[delivery] = event_key
        self._of.setdefault(event_key, set()).add(delivery)

    def put_off(self, delivery: Key) -> None:
        """It is not done: it starts again later, and is what its key goes on with."""
        self._remove(delivery)

    def end(self, delivery: Key) -> None:
        """The store has it as done: it is the turn of the next one with its key."""
        event_key = self._remove(delivery)
        if event_key is not None and event_key not in self._of and self.behind:
            self.next.add(event_key)

    def leave(self, endpoint: str) -> None:
        """What is done for an endpoint that is no longer read is not told to the store."""
        self._unread = {x: y for x, y in self._unread.items() if x[0] != endpoint}
        for delivery in [x for x in self._begun if x[0] == endpoint and x not in self._active]:
            self.end(delivery)
        self.walk_again()

    def _remove(self, delivery: Key) -> EventKey | None:
        event_key = self._begun.pop(delivery, None)
        if event_key is not None:
            left = self._of[event_key]
            left.discard(delivery)
            if not left:
                del self._of[event_key]
        return event_key

    # Whose turn it is ---------------------------------------------------------------------------

    def key_for(self, entry: LogEntry) -> str:
        """The key by which a new event has its turn; empty: it goes by none."""
        return entry.key if self.applies else ""

    def to_ask(self, entries: Iterable[LogEntry], *, all_known: bool) -> set[EventKey]:
        """Keys of events without a row, of which the store may have rows that are not known here.
        `all_known`: every row that failed is in the queue."""
        if all_known and not self.is_walking:
            return set()
        found = {((x.endpoint, key), x.sequence) for x in entries if (key := self.key_for(x))}
        return {x for x, y in found if not (self._is_busy(x) or self._has_row_before(x, y))}

    def turn(self, entry: LogEntry, stored: Mapping[EventKey, int], written: int) -> KeyTurn:
        """Whether an event may start that has no row. `stored`: of keys that the store was asked
        for, the sequence of the earliest row. `written`: how many rows the next flush puts behind
        others. Any number may come behind one, or the log would wait for the slowest key."""
        if not (key := self.key_for(entry)):
            return KeyTurn.NOW
        event_key = (entry.endpoint, key)
        waits = self._has_row_before(event_key, entry.sequence)
        if not waits and not self._is_under_way(event_key):
            if self._before(event_key, entry.sequence) or event_key in self.next:
                return KeyTurn.LATER
            if self._first_stored(event_key, stored) >= entry.sequence:
                return KeyTurn.NOW
        return KeyTurn.BEHIND if written < BEHIND_AT_ONCE else KeyTurn.LATER

    def has_turn(self, row: QueuedDelivery) -> bool:
        """Whether nothing with its key comes before a row or is under way, as far as is known."""
        event_key = (row.endpoint, row.event_key)
        if not row.event_key:
            return True
        is_first = self._queue.first_of(event_key) is row and event_key not in self.next
        is_held = self._is_under_way(event_key) or self._before(event_key, row.sequence)
        return is_first and not is_held

    def _is_busy(self, event_key: EventKey) -> bool:
        return event_key in self._of or event_key in self.next

    def _is_under_way(self, event_key: EventKey) -> bool:
        """Also a later one: what is replayed, or wanted since the filter changed, comes earlier."""
        return any(x in self._active for x in self._of.get(event_key, ()))

    def _first_stored(self, event_key: EventKey, stored: Mapping[EventKey, int]) -> int:
        rows = (x[event_key] for x in (stored, self._unread) if event_key in x)
        return min(rows, default=_NONE)

    def _before(self, event_key: EventKey, sequence: int) -> list[Key]:
        """Earlier ones with a key that have begun, and that the store does not have as done."""
        return [x for x in self._of.get(event_key, ()) if x[1] < sequence]

    def _has_row_before(self, event_key: EventKey, sequence: int) -> bool:
        first = self._queue.first_of(event_key)
        return first is not None and first.sequence < sequence

    # What lies above what was read ----------------------------------------------------------------

    def await_reading(self, event_key: EventKey, sequence: int) -> None:
        """The next row of a key was found, and the log has not been read so far."""
        self._unread[event_key] = sequence

    def was_read(self, endpoint: str, upto: int) -> None:
        """The log of an endpoint was read: it is the turn of rows that waited for that."""
        read = [x for x, sequence in self._unread.items() if x[0] == endpoint and sequence <= upto]
        for event_key in read:
            del self._unread[event_key]
        self.next.update(read)

    # Searching ----------------------------------------------------------------------------------

    @property
    def may_walk(self) -> bool:
        """The store is to be searched for keys that nobody goes on with, and there is room."""
        return self.is_walking and not self.next and len(self._queue) <= self._most_rows

    @property
    def walked_to(self) -> EventKey | None:
        """Where the search goes on."""
        return self._walked_to

    def walk_again(self) -> None:
        """Searches the store for keys that nobody goes on with, unless that is under way."""
        self.is_walking = self.behind > 0

    def walked(self, page: StrandedPage) -> None:
        """What was found."""
        self.next.update(x for x in page.keys if x not in self._of)
        self._walked_to = page.following
        self.is_walking = page.following is not None
