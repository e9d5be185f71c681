"""What one owner knows of a subscription: every delivery is in exactly one place of it.

pending: above the cursor, not settled · under way: `active` · SENDING and RETRYING: `rows` ·
finished: in the window until the cursor passes, then in the progress until it is flushed.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from hookplane.clock import Millis
from hookplane.store.delivery_store import Attempt, Claimed, Delivery, DeliveryState, Flush
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.worker.flush_buffer import FlushBuffer, Key, Settlement
from hookplane_dispatcher.worker.health import Health
from hookplane_dispatcher.worker.job import RunningAttempt
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery, RetryQueue
from hookplane_dispatcher.worker.stream import Stream

HANGS_AFTER: Final = 1.0
"""Seconds; then a first attempt gets a row, so that the cursor can pass it."""
MOST_ROWS: Final = 10_000
"""With so many deliveries that are not done the cursor waits."""


class DeliveryTracker:
    """Keeps the books; decides nothing."""

    def __init__(self, subscription: str, claimed: Claimed, strict: bool) -> None:
        self.subscription = subscription
        self.epoch = claimed.epoch
        self.number = claimed.flush_number
        """Of the last flush that is on the disk."""
        self.writing = False
        """A flush was made and is not on the disk yet."""
        self.strict = strict
        self.health = Health.of(claimed.state)
        self.streams: dict[str, Stream] = {}
        self.rows = RetryQueue()
        self.active: dict[Key, RunningAttempt] = {}
        self.progress = FlushBuffer()
        self.under_way = 0
        """Attempts begun and not flushed: what a crash can send twice."""
        self._young: deque[RunningAttempt] = deque()
        self._finishing: list[str] = []
        """Endpoints of attempts whose end the next flush writes."""
        self._flushing: list[str] = []

    # Taking in ----------------------------------------------------------------------------------

    def restore(self, deliveries: tuple[Delivery, ...], now: Millis, timeout: Millis) -> None:
        """RetryQueue of a predecessor. What it was sending is tried again at once."""
        for delivery in deliveries:
            row = _row(delivery)
            if delivery.state is DeliveryState.SENDING:
                row.state = DeliveryState.RETRYING
                row.due = now
                row.deadline = max(row.deadline, now + timeout)
                self.progress.dirty.add(row.key)
            self.rows.put(row)

    def join(self, endpoint: str, cursor: int) -> None:
        """Begins to read an endpoint."""
        stream = self.streams[endpoint] = Stream(endpoint, cursor)
        if not self.strict:
            self._pass_rows(stream)

    def leave(self, endpoint: str) -> None:
        """The store counted what was pending as expired; rows stay."""
        self.under_way -= self.streams.pop(endpoint).window.held
        self.progress.left(endpoint)

    def set_strict(self, strict: bool) -> None:
        """Without order a cursor need not wait for a row."""
        if self.strict and not strict:
            for stream in self.streams.values():
                self._pass_rows(stream)
        self.strict = strict

    def take(self, stream: Stream, entries: list[LogEntry]) -> list[LogEntry]:
        """Takes notice of what was read, and gives what is new here."""
        fresh = []
        for entry in entries:
            stream.window.take(entry.sequence)
            key = (entry.endpoint, entry.sequence)
            known = stream.window.settled(entry.sequence)
            if not (known or key in self.rows or key in self.active):
                fresh.append(entry)
        self._advance(stream)
        return fresh

    # Attempts -----------------------------------------------------------------------------------

    def start(self, job: RunningAttempt) -> None:
        """An attempt goes out."""
        self.active[job.key] = job
        self.under_way += 1
        stream = self.streams.get(job.entry.endpoint)
        if stream is not None:
            stream.under_way += 1
        if job.row is None and job.number and not self.strict:
            self._young.append(job)

    def end(self, job: RunningAttempt) -> None:
        """Its answer is there."""
        job.done = True
        self.active.pop(job.key, None)

    def let_hanging_pass(self, now: float) -> None:
        """First attempts that take long get a row, and the cursor passes them."""
        while self._young and (self._young[0].done or self._hangs(self._young[0], now)):
            job = self._young.popleft()
            if not job.done:
                self._put_hanging(job)

    def next_hang(self) -> float | None:
        """When the next one will have taken long; monotonic."""
        return self._young[0].since + HANGS_AFTER if self._young else None

    def retry(self, row: QueuedDelivery, attempt: Attempt) -> None:
        """It failed and will be tried again; `row` says when."""
        self._tried(attempt)
        self.put(row)

    def probed(self, job: RunningAttempt, attempt: Attempt) -> None:
        """A probe failed: the event is where it was before."""
        self._tried(attempt)
        if job.row is not None:
            self.put(job.row)
        elif (stream := self.streams.get(job.entry.endpoint)) is not None:
            stream.sifted.add(job.entry.sequence)
            stream.put_back([job.entry])

    def put(self, row: QueuedDelivery) -> None:
        """A row is new or has changed; without order the cursor passes it."""
        row.active = row.key in self.active
        self.rows.put(row)
        self.progress.dirty.add(row.key)
        stream = self.streams.get(row.endpoint)
        if stream is not None and not self.strict:
            stream.window.settle(row.sequence, None)
            self._advance(stream)

    def finish(self, finish: Settlement) -> None:
        """A delivery is done; it counts once the cursor is past it."""
        self.rows.drop(finish.key)
        stream = self.streams.get(finish.key[0])
        if stream is not None and stream.window.settle(finish.key[1], finish):
            self._advance(stream)
        else:
            self._finished(finish)

    def vanish(self, stream: Stream, entry: LogEntry) -> None:
        """Retention removed it and counted it as expired."""
        stream.window.settle(entry.sequence, None)
        self._advance(stream)

    @property
    def all_held(self) -> bool:
        """Whatever counts as under way has ended, is not to be written yet, and waits for a cursor.
        So does a cursor for something that has not started."""
        return not (self.active or self.writing) and self.progress.empty

    def is_full(self, stream: Stream) -> bool:
        """Whether no new event of this one may start, because too much is not done. It may when
        nothing goes on any more and rows that come later wait for it."""
        if len(self.rows) + len(self.active) < MOST_ROWS:
            return False
        return not (self.all_held and self._wanted_by_rows(stream))

    def _wanted_by_rows(self, stream: Stream) -> bool:
        return any(
            endpoint == stream.endpoint and sequence > stream.next
            for endpoint, sequence in self.rows
        )

    # Flush --------------------------------------------------------------------------------------

    @property
    def next_number(self) -> int:
        """Of the flush that will hold what happens now."""
        return self.number + 1 + self.writing

    def flush(self) -> Flush:
        """Everything since the last one."""
        flush = self.progress.flush(
            self.subscription, self.epoch, self.number + 1, self.rows, self.health.snapshot()
        )
        self.progress = FlushBuffer()
        self._flushing, self._finishing = self._finishing, []
        self.writing = True
        return flush

    def flushed(self, flush: Flush) -> None:
        """It is on the disk."""
        self.number = flush.number
        self.writing = False
        self.under_way -= len(self._flushing)
        for endpoint in self._flushing:
            stream = self.streams.get(endpoint)
            if stream is not None:
                stream.under_way = max(stream.under_way - 1, 0)
        self._flushing = []

    def _tried(self, attempt: Attempt) -> None:
        self.progress.attempted(attempt)
        self._finishing.append(attempt.endpoint)

    def _finished(self, finish: Settlement) -> None:
        self.progress.finished(finish)
        if finish.attempt is not None:
            self._finishing.append(finish.key[0])

    def _advance(self, stream: Stream) -> None:
        before = stream.window.cursor
        for finish in stream.window.advance():
            self._finished(finish)
        if stream.window.cursor != before:
            self.progress.moved(stream.endpoint, stream.window.cursor)

    def _pass_rows(self, stream: Stream) -> None:
        for endpoint, sequence in self.rows:
            if endpoint == stream.endpoint and not stream.window.settled(sequence):
                stream.window.settle(sequence, None)
        self._advance(stream)

    def _hangs(self, job: RunningAttempt, now: float) -> bool:
        return now - job.since >= HANGS_AFTER

    def _put_hanging(self, job: RunningAttempt) -> None:
        job.row = QueuedDelivery.of(job.entry, DeliveryState.SENDING, job.started)
        self.put(job.row)


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
    )
