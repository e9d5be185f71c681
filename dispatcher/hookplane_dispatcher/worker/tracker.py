"""What one owner knows of a subscription: every delivery is in exactly one place of it.

pending: above the cursor, not settled · under way: `active` · SENDING and RETRYING: `queue` ·
finished: in its cursor until that passes, then in the flush buffer until it is flushed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from hookplane.clock import Millis
from hookplane.config.subscription import SubscriptionConfig
from hookplane.store.delivery_store import (
    Attempt,
    Claimed,
    Delivery,
    DeliveryState,
    Flush,
    ReplayProgress,
)
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.reading.content_cache import CachedEvent
from hookplane_dispatcher.transports.transport import REFUSED_CODE
from hookplane_dispatcher.worker.endpoint_cursor import EndpointCursor
from hookplane_dispatcher.worker.flush_buffer import FlushBuffer, Key, Settlement
from hookplane_dispatcher.worker.restore import restore
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery, RetryQueue

HANGS_AFTER_SECONDS: Final = 1.0
"""A first attempt that takes longer gets a row, so that the cursor can pass it."""
MOST_ROWS: Final = 10_000
"""With so many unfinished deliveries no new event starts."""


@dataclass(slots=True)
class RunningAttempt:
    """An attempt under way, with what is needed when it ends."""

    key: Key
    entry: LogEntry
    content: CachedEvent
    row: QueuedDelivery | None
    """None: the event's first attempt, and it does not take long yet."""
    is_probe: bool
    """It only asks whether the target works again, and does not count for the schedule."""
    number: int
    """0: a probe."""
    started: Millis
    since: float
    """The same in monotonic seconds."""
    done: bool = False


class DeliveryTracker:
    """Knows where every delivery is; decides nothing."""

    def __init__(self, config: SubscriptionConfig, claimed: Claimed, now: Millis) -> None:
        """Takes in what a predecessor left. What it was sending is tried again at once."""
        self.subscription = config.uid
        self.epoch = claimed.epoch
        self.number = claimed.flush_number
        """Number of the last flush that is on the disk."""
        self.writing = False
        """A flush was made and is not on the disk yet."""
        self.strict = config.strict
        self.health, deliveries = restore(claimed, config, now)
        self.cursors: dict[str, EndpointCursor] = {}
        self.queue = RetryQueue()
        self.active: dict[Key, RunningAttempt] = {}
        self.buffer = FlushBuffer()
        self.under_way = 0
        """Attempts begun and not flushed: what a crash can send twice."""
        self._young: deque[RunningAttempt] = deque()
        self._finishing: list[str] = []
        """Endpoints of attempts whose end the next flush writes."""
        self._flushing: list[str] = []
        self._take_over(claimed, deliveries)

    # Taking in ----------------------------------------------------------------------------------

    def _take_over(self, claimed: Claimed, deliveries: list[Delivery]) -> None:
        """Records what is not as the store has it, so that the next flush says so."""
        if self.health.snapshot() != claimed.state:
            self.buffer.health_changed()
        for stored, restored in zip(claimed.deliveries, deliveries, strict=True):
            row = _row(restored)
            if restored != stored:
                self.buffer.row_changed(row.key)
            self.queue.put(row)

    def join(self, endpoint: str, position: int) -> None:
        """Begins to read an endpoint."""
        cursor = self.cursors[endpoint] = EndpointCursor(endpoint, position)
        if not self.strict:
            self._pass_rows(cursor)

    def leave(self, endpoint: str) -> None:
        """Stops reading an endpoint. The store counted what was pending as expired; rows stay."""
        self.under_way -= self.cursors.pop(endpoint).held_attempts
        self.buffer.left(endpoint)

    def set_strict(self, strict: bool) -> None:
        """Turns strict order on or off. Without it a cursor does not wait for rows."""
        if self.strict and not strict:
            for cursor in self.cursors.values():
                self._pass_rows(cursor)
        self.strict = strict

    def note_read(
        self, cursor: EndpointCursor, entries: list[LogEntry], floor: int
    ) -> tuple[list[LogEntry], list[range]]:
        """Records what was read from the log, and returns what is new here, and what is missing
        above the floor."""
        fresh: list[LogEntry] = []
        missing: list[range] = []
        held = self._held(cursor.endpoint) if cursor.has_gap(entries) else frozenset[int]()
        for entry in entries:
            missing += cursor.note_read(entry.sequence, floor, held)
            key = (entry.endpoint, entry.sequence)
            known = cursor.is_settled(entry.sequence)
            if not (known or key in self.queue or key in self.active):
                fresh.append(entry)
        self._advance(cursor)
        return fresh, missing

    def _held(self, endpoint: str) -> frozenset[int]:
        """Sequences of an endpoint that have a row or are under way."""
        return frozenset(s for of, s in (*self.queue, *self.active) if of == endpoint)

    # Attempts -----------------------------------------------------------------------------------

    def start(self, running: RunningAttempt) -> None:
        """An attempt has started."""
        self.active[running.key] = running
        self.under_way += 1
        cursor = self.cursors.get(running.entry.endpoint)
        if cursor is not None:
            cursor.under_way += 1
        if running.row is None and running.number and not self.strict:
            self._young.append(running)

    def end(self, running: RunningAttempt) -> None:
        """The attempt has ended, and `health` will be another one; what becomes of the delivery is
        told separately."""
        running.done = True
        self.buffer.health_changed()
        self.active.pop(running.key, None)

    def abandon(self, running: RunningAttempt) -> None:
        """The attempt was cut off and counts for nothing: its row is as it was, and an event
        without one is still above the cursor, so the next owner tries either again."""
        running.done = True
        self.active.pop(running.key, None)
        self.under_way -= 1

    def let_hanging_pass(self, now: float) -> None:
        """First attempts that take long get a row, and the cursor passes them."""
        while self._young and (self._young[0].done or self._hangs(self._young[0], now)):
            running = self._young.popleft()
            if not running.done:
                self._put_hanging(running)

    def next_hang(self) -> float | None:
        """When the next first attempt will have taken long, in monotonic seconds."""
        return self._young[0].since + HANGS_AFTER_SECONDS if self._young else None

    def retry(self, row: QueuedDelivery, attempt: Attempt) -> None:
        """An attempt failed and `row` says when the next one is due."""
        self._tried(attempt)
        self.put(row)

    def probed(self, running: RunningAttempt, attempt: Attempt, at: Millis) -> None:
        """A probe failed: the event is where it was before, and the next probe is another one."""
        self._tried(attempt)
        if (row := running.row) is not None:
            row.due = max(row.due, at)
            self.put(row)
        elif (cursor := self.cursors.get(running.entry.endpoint)) is not None:
            cursor.passed_filter.add(running.entry.sequence)
            cursor.put_back([running.entry])
            cursor.probed = running.entry.sequence

    def put(self, row: QueuedDelivery) -> None:
        """Adds or changes a row; without strict order the cursor passes it."""
        row.active = row.key in self.active
        self.queue.put(row)
        self.buffer.row_changed(row.key)
        cursor = self.cursors.get(row.endpoint)
        if cursor is not None and not self.strict:
            cursor.settle(row.sequence, None)
            self._advance(cursor)

    def replay_advanced(self, progress: ReplayProgress) -> None:
        """A replay job handed events over, or ran out of them."""
        self.buffer.replayed(progress)

    def health_changed(self) -> None:
        """`health` is another one than at the last flush."""
        self.buffer.health_changed()

    def return_unstarted(self, row: QueuedDelivery) -> None:
        """A row that was taken and did not start after all is due again."""
        if row.active and row.key in self.queue and row.key not in self.active:
            row.active = False
            self.queue.put(row)

    def clocks_stood(self, stood: Millis) -> None:
        """Nothing aged for so long: what is due comes as much later."""
        self.queue.shift(stood)
        self.buffer.shifted(stood)
        self.buffer.health_changed()

    def clock_leapt(self, by: Millis, now: Millis) -> None:
        """The clock tells another time: all that is planned moves along with it."""
        self.queue.shift(by)
        for running in self.active.values():
            running.started += by
        self.health.clock_leapt(by, now)
        self.buffer.shifted(by)
        self.buffer.health_changed()

    def finish(self, settlement: Settlement) -> None:
        """Ends a delivery; it is flushed once the cursor has passed it."""
        self.queue.drop(settlement.key)
        cursor = self.cursors.get(settlement.key[0])
        if cursor is not None and cursor.settle(settlement.key[1], settlement):
            self._advance(cursor)
        else:
            self._finished(settlement)

    @property
    def all_held(self) -> bool:
        """Whether everything that counts as under way has ended and waits for a cursor, which
        itself waits for an event that has not started."""
        return not (self.active or self.writing) and self.buffer.empty

    def is_full(self, cursor: EndpointCursor) -> bool:
        """Whether no new event of this one may start, because too much is not done. It may when
        nothing goes on any more and rows that come later wait for it."""
        if len(self.queue) + len(self.active) < MOST_ROWS:
            return False
        return not (self.all_held and self._wanted_by_rows(cursor))

    def _wanted_by_rows(self, cursor: EndpointCursor) -> bool:
        return any(
            endpoint == cursor.endpoint and sequence > cursor.next_sequence
            for endpoint, sequence in self.queue
        )

    # Flush --------------------------------------------------------------------------------------

    @property
    def next_number(self) -> int:
        """Number of the flush that will hold what happens now."""
        return self.number + 1 + self.writing

    def flush(self) -> Flush:
        """Makes a flush of everything since the last one; the buffer is empty afterwards."""
        flush = self.buffer.flush(
            self.subscription, self.epoch, self.number + 1, self.queue, self.health.snapshot()
        )
        self.buffer = FlushBuffer()
        self._flushing, self._finishing = self._finishing, []
        self.writing = True
        return flush

    def flushed(self, flush: Flush) -> None:
        """The flush is on the disk, so its attempts are no longer under way."""
        self.number = flush.number
        self.writing = False
        self.under_way -= len(self._flushing)
        for endpoint in self._flushing:
            cursor = self.cursors.get(endpoint)
            if cursor is not None:
                cursor.under_way = max(cursor.under_way - 1, 0)
        self._flushing = []

    def _tried(self, attempt: Attempt) -> None:
        self.buffer.attempted(attempt)
        self._finishing.append(attempt.endpoint)

    def _finished(self, settlement: Settlement) -> None:
        self.buffer.finished(settlement)
        if settlement.attempt is not None:
            self._finishing.append(settlement.key[0])

    def _advance(self, cursor: EndpointCursor) -> None:
        before = cursor.position
        for settlement in cursor.advance():
            self._finished(settlement)
        if cursor.position != before:
            self.buffer.moved(cursor.endpoint, cursor.position)

    def _pass_rows(self, cursor: EndpointCursor) -> None:
        for endpoint, sequence in self.queue:
            if endpoint == cursor.endpoint and not cursor.is_settled(sequence):
                cursor.settle(sequence, None)
        self._advance(cursor)

    def _hangs(self, running: RunningAttempt, now: float) -> bool:
        return now - running.since >= HANGS_AFTER_SECONDS

    def _put_hanging(self, running: RunningAttempt) -> None:
        running.row = QueuedDelivery.of(running.entry, DeliveryState.SENDING, running.started)
        self.put(running.row)


def _row(delivery: Delivery) -> QueuedDelivery:
    return QueuedDelivery(
        delivery.endpoint,
        delivery.sequence,
        delivery.event_id,
        delivery.type,
        delivery.state,
        delivery.attempts,
        delivery.due,
        delivery.deadline,
        delivery.status_code,
        delivery.error,
        delivery.replay,
        goes_last=delivery.status_code == REFUSED_CODE,
    )
