"""Deliveries that are not done: SENDING and RETRYING, by key, by due time and by deadline."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from hookplane.clock import Millis
from hookplane.store.delivery_store import Delivery, DeliveryState, EventKey
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.worker.flush_buffer import Key


@dataclass(slots=True)
class QueuedDelivery:
    """A delivery's row in memory; `delivery()` is what the store keeps of it."""

    endpoint: str
    sequence: int
    event_id: str
    type: str
    state: DeliveryState
    attempts: int
    due: Millis
    deadline: Millis
    """Counts only once there was an attempt: what was never tried does not age."""
    status_code: int = 0
    error: str = ""
    replay: str = ""
    entry: LogEntry | None = None
    goes_last: bool = False
    """The target refused it for good: tried again when there is nothing else to do."""
    active: bool = False
    """An attempt is under way or about to start."""
    event_key: str = ""
    """The event's key, when its turn comes by that."""
    to_filter: bool = False
    """It has not started, and the filter may be another one than when it let this one pass."""

    @property
    def key(self) -> Key:
        return (self.endpoint, self.sequence)

    def delivery(self, state: DeliveryState | None = None) -> Delivery:
        """As it is now, or in another state."""
        return Delivery(
            self.endpoint,
            self.sequence,
            self.event_id,
            self.type,
            state or self.state,
            self.attempts,
            self.due,
            self.deadline,
            self.status_code,
            self.error,
            self.replay,
            self.event_key,
        )

    @classmethod
    def of(
        cls,
        entry: LogEntry,
        state: DeliveryState,
        due: Millis,
        replay: str = "",
        event_key: str = "",
    ) -> QueuedDelivery:
        """A row for an event that has none yet; its schedule has not begun."""
        return cls(
            entry.endpoint,
            entry.sequence,
            entry.event_id,
            entry.type,
            state,
            attempts=0,
            due=due,
            deadline=due,
            replay=replay,
            entry=entry,
            event_key=event_key,
        )


_Heap = list[tuple[Millis, Key]]


class RetryQueue(Mapping[Key, Delivery]):
    """As a mapping it shows what the store is to keep. Its heaps may hold outdated entries, which
    are skipped when they come up."""

    def __init__(self) -> None:
        self._rows: dict[Key, QueuedDelivery] = {}
        self._of_key: dict[EventKey, set[int]] = {}
        """Sequences of those that have a key."""
        self._due: _Heap = []
        self._deadlines: _Heap = []

    def __getitem__(self, key: Key) -> Delivery:
        return self._rows[key].delivery()

    def __iter__(self) -> Iterator[Key]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def row(self, key: Key) -> QueuedDelivery | None:
        """The row itself; None: there is none."""
        return self._rows.get(key)

    def put(self, row: QueuedDelivery) -> None:
        """Adds a row, or records its new times."""
        key = row.key
        self._rows[key] = row
        if row.event_key:
            self._of_key.setdefault((row.endpoint, row.event_key), set()).add(row.sequence)
        if row.active:
            return
        heapq.heappush(self._due, (row.due, key))
        if row.attempts:
            heapq.heappush(self._deadlines, (row.deadline, key))

    def rows(self) -> Iterator[QueuedDelivery]:
        """All of them."""
        return iter(self._rows.values())

    def drop(self, key: Key) -> None:
        """Removes a row that is done, if there is one."""
        if (row := self._rows.pop(key, None)) is not None:
            self._drop_key(row)

    def first_of(self, event_key: EventKey) -> QueuedDelivery | None:
        """The earliest row with a key; None: there is none."""
        found = self._of_key.get(event_key)
        return None if found is None else self._rows[event_key[0], min(found)]

    def take_due(
        self, now: Millis, most: int, free: Callable[[QueuedDelivery], bool]
    ) -> list[QueuedDelivery]:
        """The oldest due rows for which `free` is true, marked active."""
        taken: list[QueuedDelivery] = []
        left: list[QueuedDelivery] = []
        while len(taken) < most and (row := self._peek(self._due, _is_due)) is not None:
            if row.due > now:
                break
            heapq.heappop(self._due)
            row.active = free(row)
            (taken if row.active else left).append(row)
        for row in left:
            heapq.heappush(self._due, (row.due, row.key))
        return taken

    def overdue(self, now: Millis) -> QueuedDelivery | None:
        """A row whose schedule has ended."""
        row = self._peek(self._deadlines, _is_deadline)
        return row if row is not None and row.deadline < now else None

    def next_due(self) -> Millis | None:
        """When the next row is due."""
        row = self._peek(self._due, _is_due)
        return None if row is None else row.due

    def next_deadline(self) -> Millis | None:
        """When the next schedule ends."""
        row = self._peek(self._deadlines, _is_deadline)
        return None if row is None else row.deadline

    def shift(self, by: Millis) -> None:
        """Moves all times: the subscription's clock stood still for so long."""
        for row in self._rows.values():
            row.due += by
            row.deadline += by
        self._order()

    def hasten(self, at: Millis) -> list[Key]:
        """Makes due at `at` what would be tried again later; which those are."""
        later = [x for x in self._rows.values() if x.due > at and not x.active]
        for row in later:
            row.due = at
        self._order()
        return [row.key for row in later]

    def forget(self, rows: Iterable[QueuedDelivery]) -> None:
        """Removes rows that are left to the store, with all that points to them."""
        for row in rows:
            del self._rows[row.key]
            self._drop_key(row)
        self._order()

    def _drop_key(self, row: QueuedDelivery) -> None:
        event_key = (row.endpoint, row.event_key)
        if (left := self._of_key.get(event_key)) is not None:
            left.discard(row.sequence)
            if not left:
                del self._of_key[event_key]

    def _order(self) -> None:
        idle = [row for row in self._rows.values() if not row.active]
        self._due = [(row.due, row.key) for row in idle]
        self._deadlines = [(row.deadline, row.key) for row in idle if row.attempts]
        heapq.heapify(self._due)
        heapq.heapify(self._deadlines)

    def _peek(
        self, heap: _Heap, valid: Callable[[QueuedDelivery, Millis], bool]
    ) -> QueuedDelivery | None:
        while heap:
            at, key = heap[0]
            row = self._rows.get(key)
            if row is not None and not row.active and valid(row, at):
                return row
            heapq.heappop(heap)
        return None


def _is_due(row: QueuedDelivery, at: Millis) -> bool:
    return row.due == at


def _is_deadline(row: QueuedDelivery, at: Millis) -> bool:
    return row.attempts > 0 and row.deadline == at
