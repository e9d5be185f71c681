"""What one owner knows of a subscription: every delivery is in exactly one place of it.

pending: above the cursor, not settled · under way: `active` · SENDING and RETRYING: `queue` ·
BEHIND: in the store alone, until its turn comes: `queue` ·
finished: in its cursor until that passes, then in the flush buffer until it is flushed.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hookplane.clock import Millis
from hookplane.config.subscription import SubscriptionConfig
from hookplane.filters.types import InterestFilter
from hookplane.store.delivery_store import (
    Attempt,
    Claimed,
    Delivery,
    DeliveryState,
    EventKey,
    Flush,
    ReplayProgress,
    Rest,
)
from hookplane.store.event_log import LogEntry, LogId
from hookplane_dispatcher.reading.content_cache import CachedEvent
from hookplane_dispatcher.transports.transport import REFUSED_CODE
from hookplane_dispatcher.worker.endpoint_cursor import EndpointCursor
from hookplane_dispatcher.worker.flush_buffer import FlushBuffer, Key, Settlement
from hookplane_dispatcher.worker.key_order import KeyOrder
from hookplane_dispatcher.worker.restore import (
    clock_ahead,
    longest_wait,
    restore,
    restore_later,
)
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery, RetryQueue

BEHIND_BECAUSE: Final = "waits for an earlier event with the same key"
DEAD_AND_BEHIND: Final = f"{BEHIND_BECAUSE}, to be replayed; it was dead before"
"""So that it is dead again when its replay is gone before its turn comes."""
WITHDRAWN_BECAUSE: Final = (
    "dead before, and its replay was cancelled before its turn; its attempts say why it died"
)
HANGS_AFTER_SECONDS: Final = 1.0
"""A first attempt that takes longer gets a row, so that the cursor can pass it."""


@dataclass(slots=True, eq=False)
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

    def __init__(
        self, config: SubscriptionConfig, claimed: Claimed, now: Millis, most_rows: int
    ) -> None:
        """Takes in what a predecessor left. What it was sending is tried again at once. With more
        than `most_rows` in the queue, those that are due last are left to the store."""
        self.subscription = config.uid
        self._most_rows = most_rows
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
        self.keys = KeyOrder(config.by_key, claimed.behind, most_rows, self.queue, self.active)
        self.buffer = FlushBuffer()
        self.under_way = 0
        """Attempts begun and not flushed: what a crash can send twice."""
        self._young: deque[RunningAttempt] = deque()
        self.rest = claimed.rest
        """Rows that are in the store alone: none of them is due before those say."""
        self._since = self.health.time(now)
        self._ended: set[Key] = set()
        """Rows that are done, and that the store still has."""
        self._finishing: list[str] = []
        """Endpoints of attempts whose end the next flush writes."""
        self._flushing: list[str] = []
        self._ending: list[Key] = []
        """Deliveries with a key that the next flush ends."""
        self._flushing_ends: list[Key] = []
        self._behind_above: set[Key] = set()
        """Rows that are BEHIND above a cursor: their events are read from the log again."""
        self._take_over(claimed, deliveries, config, now)

    # Taking in ----------------------------------------------------------------------------------

    def _take_over(
        self, claimed: Claimed, deliveries: list[Delivery], config: SubscriptionConfig, now: Millis
    ) -> None:
        """Records what is not as the store has it, so that the next flush says so."""
        if self.health.snapshot() != claimed.state:
            self.buffer.health_changed()
        if self.rest is not None:
            ahead = clock_ahead(claimed.state, now)
            self.buffer.shifted(-ahead)
            self.rest = _within(_moved(self.rest, -ahead), now + longest_wait(config))
        for stored, restored in zip(claimed.deliveries, deliveries, strict=True):
            row = _row(restored)
            if stored.state is DeliveryState.BEHIND:
                self._behind_above.add(row.key)
                continue
            if restored != stored:
                self.buffer.row_changed(row.key)
            self.queue.put(row)

    def make_room(self, now: Millis) -> bool:
        """Whether rows that the store has alone are due and can be taken in. What is due later than
        now gives way to them."""
        if self.rest is None or self.rest.due > now or not self.is_as_stored:
            return False
        self._leave_to_store(self._most_rows // 2, now)
        return len(self.queue) <= self._most_rows // 2

    @property
    def is_as_stored(self) -> bool:
        """The store has of all rows what the last flush said, so rows may be read from it."""
        return not (self.writing or self.buffer.shifting)

    @property
    def unfinished(self) -> int:
        """About how many rows there are, in memory and in the store alone."""
        return len(self.queue) + (self.rest.left if self.rest is not None else 0)

    @property
    def room(self) -> int:
        """How many rows to take in at once."""
        return max(self._most_rows // 2, 1)

    def take_in(
        self,
        deliveries: Sequence[Delivery],
        rest: Rest | None,
        config: SubscriptionConfig,
        now: Millis,
    ) -> None:
        """Rows that were in the store alone, read while no flush was under way, and what is there
        besides."""
        at = self.health.time(now)
        self.take_in_some(deliveries, config, now)
        self.rest = rest and _within(rest, at + longest_wait(config))

    def take_in_some(
        self, deliveries: Sequence[Delivery], config: SubscriptionConfig, now: Millis
    ) -> None:
        """Some of the rows that are in the store alone, read while no flush was under way."""
        at = self.health.time(now)
        restored = restore_later(deliveries, config, at, self._since)
        for stored, delivery in zip(deliveries, restored, strict=True):
            row = _row(delivery)
            if row.key in self.queue or row.key in self._ended:
                continue
            if delivery != stored:
                self.buffer.row_changed(row.key)
            self.queue.put(row)

    def take_next(
        self,
        asked: Iterable[EventKey],
        rows: Iterable[Delivery],
        now: Millis,
        wanted: InterestFilter,
        replays: Container[str],
    ) -> None:
        """The earliest row of each of these keys was read: if it is BEHIND, its turn has come. It
        has not started, so the filter that is in force now counts; a replay goes past types and
        expressions, unless it is none of the `replays` that run."""
        at = self.health.time(now)
        self.keys.next.difference_update(asked)
        for stored in rows:
            row = _row(stored)
            if stored.state is not DeliveryState.BEHIND:
                continue
            if self._is_unread(row):
                self.keys.await_reading((row.endpoint, row.event_key), row.sequence)
            elif self._has_passed(row):
                row.due, row.error, row.to_filter = at, "", not row.replay
                self.queue.put(row)
                self.keys.behind -= 1
                if row.replay and row.replay not in replays:
                    self._withdraw(row, was_dead=stored.error == DEAD_AND_BEHIND)
                elif not _is_wanted(row, wanted):
                    self.filter_out(row)

    def _is_unread(self, row: QueuedDelivery) -> bool:
        cursor = self.cursors.get(row.endpoint)
        return cursor is not None and row.sequence > cursor.read_to

    def _has_passed(self, row: QueuedDelivery) -> bool:
        """A cursor has passed it, and it is nowhere else, nor is one before it with its key."""
        cursor = self.cursors.get(row.endpoint)
        passed = cursor is None or cursor.has_passed(row.sequence, row.event_key)
        known = row.key in self.queue or row.key in self.active or row.key in self._ended
        return passed and not known and row.key not in self._behind_above

    def _leave_to_store(self, keep: int, later_than: Millis) -> None:
        """Leaves rows that are due last to the store, which has them as they are."""
        surplus = len(self.queue) - keep
        spare = (x for x in self.queue.rows() if x.due > later_than and self._is_spare(x))
        rows = heapq.nlargest(max(surplus, 0), spare, key=lambda row: row.due)
        if not rows:
            return
        self.queue.forget(rows)
        rest = self.rest or Rest(rows[-1].due, 0, 0)
        place = min((rest.due, rest.number), (rows[-1].due, 0))
        self.rest = Rest(*place, rest.left + len(rows))

    def _is_spare(self, row: QueuedDelivery) -> bool:
        """What no cursor has passed must be known, because the log is read from there."""
        cursor = self.cursors.get(row.endpoint)
        passed = cursor is None or row.sequence <= cursor.position
        kept = row.active or row.state is DeliveryState.BEHIND
        return passed and not (kept or self.buffer.has_changed(row.key))

    def join(self, endpoint: str, position: int) -> None:
        """Begins to read an endpoint."""
        cursor = self.cursors[endpoint] = EndpointCursor(endpoint, position)
        if not self.strict:
            self._pass_rows(cursor)

    def leave(self, endpoint: str) -> None:
        """Stops reading an endpoint. The store counted what was pending as expired; rows stay."""
        self.under_way -= self.cursors.pop(endpoint).held_attempts
        self.buffer.left(endpoint)
        self._behind_above = {x for x in self._behind_above if x[0] != endpoint}
        self.keys.leave(endpoint)

    def set_order(self, *, strict: bool, by_key: bool) -> None:
        """Turns strict order on or off, and order by key for what has not started. Without strict
        order a cursor does not wait for rows."""
        self.keys.applies = by_key
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

    def pass_over(self, cursor: EndpointCursor, upto: int) -> None:
        """Settles what comes after the last event that was read, up to this one: it does not
        concern the subscription."""
        cursor.pass_over(upto)
        self._advance(cursor)

    def _held(self, endpoint: str) -> frozenset[int]:
        """Sequences of an endpoint that have a row or are under way."""
        return frozenset(s for of, s in (*self.queue, *self.active) if of == endpoint)

    # Order by key -------------------------------------------------------------------------------

    def put_behind(
        self, entry: LogEntry, now: Millis, replay: str = "", *, was_dead: bool = False
    ) -> None:
        """An event that has not started gets a row, and its cursor passes it. `was_dead`: it has
        one, which says so."""
        row = QueuedDelivery.of(entry, DeliveryState.BEHIND, now, replay, entry.key)
        row.error = DEAD_AND_BEHIND if was_dead else BEHIND_BECAUSE
        self.buffer.put_behind(row.delivery())
        if row.key not in self._behind_above:
            self.keys.behind += 1
        self._behind_above.discard(row.key)
        cursor = self.cursors.get(row.endpoint)
        if cursor is not None:
            cursor.settle(row.sequence, None)
            self._advance(cursor)

    def pass_key(self, entry: LogEntry) -> None:
        """A new event ends without having started; others may have come behind it, also when what
        is new goes by no key any more."""
        if entry.key and self.keys.behind:
            self.keys.next.add((entry.endpoint, entry.key))

    def expire(self, endpoint: LogId, upto: int) -> None:
        """Retention has removed these events and counted them: their rows hold nobody up any more,
        though they are due later."""
        rows = [x for x in self.queue.rows() if x.endpoint == endpoint and x.sequence <= upto]
        for row in rows:
            if not row.active:
                self.finish(
                    Settlement(row.key, DeliveryState.EXPIRED, had_row=True, replay=row.replay)
                )

    def filter_out(self, row: QueuedDelivery, *, failed: bool = False) -> None:
        """A row that has not started is not wanted; `failed`: because the filter failed."""
        self.finish(
            Settlement(
                row.key,
                DeliveryState.FILTERED,
                had_row=True,
                replay=row.replay,
                filter_error=failed,
            )
        )

    def _withdraw(self, row: QueuedDelivery, *, was_dead: bool) -> None:
        """Its replay is gone, and it is again what it was before."""
        state, dead = DeliveryState.FILTERED, None
        if was_dead:
            row.error, row.replay = WITHDRAWN_BECAUSE, ""
            state, dead = DeliveryState.DEAD, row.delivery(DeliveryState.DEAD)
        self.finish(Settlement(row.key, state, dead=dead, had_row=True, withdrawn=True))

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
        entry, row = running.entry, running.row
        key = self.keys.key_for(entry) if row is None else row.event_key
        if key:
            self.keys.begin(running.key, key)

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
        self.keys.put_off(running.key)
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
        self.keys.put_off(row.key)

    def probed(self, running: RunningAttempt, attempt: Attempt, at: Millis) -> None:
        """A probe failed: the event is where it was before, and the next probe is another one."""
        self._tried(attempt)
        self.keys.put_off(running.key)
        if (cursor := self._return(running, at)) is not None:
            cursor.probed = running.entry.sequence

    def unsent(self, running: RunningAttempt, at: Millis) -> None:
        """Nothing could be sent now, which counts for nothing: the event is where it was before."""
        self.abandon(running)
        if (cursor := self.cursors.get(running.entry.endpoint)) is not None:
            cursor.under_way -= 1
        if running.row is not None:
            running.row.state = DeliveryState.RETRYING
        self._return(running, at)

    def _return(self, running: RunningAttempt, at: Millis) -> EndpointCursor | None:
        """Puts the event where it was before; the cursor, if it was in none but there."""
        if (row := running.row) is not None:
            row.due = max(row.due, at)
            self.put(row)
            return None
        cursor = self.cursors.get(running.entry.endpoint)
        if cursor is not None:
            cursor.passed_filter.add(running.entry.sequence)
            cursor.put_back([running.entry])
        return cursor

    def put(self, row: QueuedDelivery) -> None:
        """Adds or changes a row; without strict order the cursor passes it."""
        row.active = row.key in self.active
        row.event_key = row.event_key or self.keys.key_of(row.key)
        self.queue.put(row)
        self.buffer.row_changed(row.key)
        self._take_from_behind(row.key)
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

    def retry_now(self, now: Millis) -> None:
        """What waits for another attempt is due, as far as it is in memory; the rest comes by its
        schedule, as room is made."""
        for key in self.queue.hasten(self.health.time(now)):
            self.buffer.row_changed(key)

    def clocks_stood(self, stood: Millis) -> None:
        """Nothing aged for so long: what is due comes as much later."""
        self._move(stood)
        self.buffer.shifted(stood)
        self.buffer.health_changed()

    def clock_leapt(self, by: Millis, now: Millis) -> None:
        """The clock tells another time: all that is planned moves along with it."""
        self._move(by)
        for running in self.active.values():
            running.started += by
        self.health.clock_leapt(by, now)
        self.buffer.shifted(by)
        self.buffer.health_changed()

    def _move(self, by: Millis) -> None:
        self.queue.shift(by)
        self._since += by
        self.rest = self.rest and _moved(self.rest, by)

    def finish(self, settlement: Settlement) -> None:
        """Ends a delivery; it is flushed once the cursor has passed it."""
        if (row := self.queue.row(settlement.key)) is not None:
            self._ended.add(settlement.key)
            self.queue.drop(settlement.key)
            if row.event_key:
                self.keys.begin(row.key, row.event_key)
        if self._take_from_behind(settlement.key):
            self._ended.add(settlement.key)
            settlement = replace(settlement, had_row=True)
        cursor = self.cursors.get(settlement.key[0])
        if cursor is not None and cursor.settle(settlement.key[1], settlement):
            self._advance(cursor)
        else:
            self._finished(settlement)

    def _take_from_behind(self, key: Key) -> bool:
        """Whether the store has it BEHIND, which it is no longer."""
        found = key in self._behind_above
        if found:
            self._behind_above.remove(key)
            self.keys.behind -= 1
        return found

    @property
    def all_held(self) -> bool:
        """Whether everything that counts as under way has ended and waits for a cursor, which
        itself waits for an event that has not started."""
        return not (self.active or self.writing) and self.buffer.empty

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
        self._flushing_ends, self._ending = self._ending, []
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
        for key in self._flushing_ends:
            self.keys.end(key)
        self._ended.difference_update(self._flushing_ends)
        self._flushing_ends = []
        if self._ended:
            self._ended.difference_update((x.endpoint, x.sequence) for x in flush.endings)
        if len(self.queue) > self._most_rows:
            self._leave_to_store(self._most_rows * 3 // 4, 0)

    def _tried(self, attempt: Attempt) -> None:
        self.buffer.attempted(attempt)
        self._finishing.append(attempt.endpoint)

    def _finished(self, settlement: Settlement) -> None:
        self.buffer.finished(settlement)
        if self.keys.key_of(settlement.key):
            self._ending.append(settlement.key)
        if settlement.attempt is not None:
            self._finishing.append(settlement.key[0])

    def _advance(self, cursor: EndpointCursor) -> None:
        before = cursor.position
        for settlement in cursor.advance():
            self._finished(settlement)
        if cursor.position != before:
            self.buffer.moved(cursor.endpoint, cursor.position)
        self.keys.was_read(cursor.endpoint, cursor.read_to)

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


def _is_wanted(row: QueuedDelivery, wanted: InterestFilter) -> bool:
    by_key = wanted.wants_key(row.event_key)
    return by_key if row.replay else wanted.matches(row.type, row.event_key)


def _within(rest: Rest, latest: Millis) -> Rest:
    """No wait is longer than a schedule allows."""
    return rest if rest.due <= latest else Rest(latest, 0, rest.left)


def _moved(rest: Rest, by: Millis) -> Rest:
    return rest._replace(due=rest.due + by)


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
        event_key=delivery.event_key,
    )
