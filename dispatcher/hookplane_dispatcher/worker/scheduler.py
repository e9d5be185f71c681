"""Starts what may start: due retries first, then new events in turn from each endpoint."""

from __future__ import annotations

import asyncio
from typing import Final

from hookplane import fault
from hookplane.clock import Millis
from hookplane.config.subscription import OAuth2Config
from hookplane.errors import InvalidValue
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.event_log import LogEntry
from hookplane_dispatcher.egress.client import OutboundRequest
from hookplane_dispatcher.reading.content_cache import CachedEvent
from hookplane_dispatcher.reading.log_reader import PAGE
from hookplane_dispatcher.request_builder import RequestBuilder
from hookplane_dispatcher.worker.capacity import MOST_BYTES, Capacity
from hookplane_dispatcher.worker.flush_buffer import Settlement
from hookplane_dispatcher.worker.job import RunningAttempt
from hookplane_dispatcher.worker.outcomes import OutcomeHandler
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery
from hookplane_dispatcher.worker.stream import Stream

SIFTED_AT_ONCE: Final = 64
"""Events whose contents are read together for a CEL filter."""


class Scheduler:
    """Reads, filters, builds requests and lets them go."""

    def __init__(
        self, capacity: Capacity, outcomes: OutcomeHandler, tasks: asyncio.TaskGroup
    ) -> None:
        self._capacity = capacity
        self._tracker = capacity.tracker
        self._outcomes = outcomes
        self._tasks = tasks
        self._turns = 0

    async def start(self) -> None:
        """As many as may. Raises StoreUnavailable."""
        capacity = self._capacity
        if capacity.room() > 0:
            await capacity.replays.take_in(capacity.slots, capacity.now)
        while await self._turn():
            pass

    async def _turn(self) -> bool:
        """Whether anything started, so that there may be more."""
        self._capacity.tick()
        return await self._start_rows() or await self._start_new()

    # Retries ------------------------------------------------------------------------------------

    async def _start_rows(self) -> bool:
        capacity = self._capacity
        most = min(capacity.room(), 1) if capacity.config.strict else capacity.room()
        if most <= 0:
            return False
        rows = self._tracker.rows.take_due(capacity.now, most, capacity.in_turn)
        try:
            for row in rows:
                await self._start_row(row)
        finally:
            for row in rows:
                self._let_go(row)
        return bool(rows)

    def _let_go(self, row: QueuedDelivery) -> None:
        """It did not start after all."""
        if row.active and row.key in self._tracker.rows and row.key not in self._tracker.active:
            row.active = False
            self._tracker.rows.put(row)

    async def _start_row(self, row: QueuedDelivery) -> None:
        logs, bodies = self._capacity.dependencies.logs, self._capacity.dependencies.bodies
        row.entry = row.entry or await logs.entry(row.endpoint, row.sequence)
        body = None
        if row.entry is not None:
            body = (await bodies.acquire([row.entry]))[row.sequence]
        if row.entry is None or body is None:
            gone = Settlement(row.key, DeliveryState.EXPIRED, had_row=True, replay=row.replay)
            self._tracker.finish(gone)
        elif (builder := self._capacity.builder) is None or self._capacity.room() <= 0:
            bodies.release(body)
        else:
            self._launch(builder, row.entry, body, row)

    # New events ---------------------------------------------------------------------------------

    async def _start_new(self) -> bool:
        streams = list(self._tracker.streams.values())
        self._turns += 1
        started = False
        for number in range(len(streams)):
            stream = streams[(self._turns + number) % len(streams)]
            if self._capacity.room() <= 0:
                return False
            if self._tracker.is_full(stream):
                continue
            read_on = await self._fill(stream)
            started = await self._start_stream(stream) or read_on or started
        return started

    async def _fill(self, stream: Stream) -> bool:
        """Reads a page of metadata; whether there may be more to read at once."""
        if not stream.hungry:
            return False
        entries = await self._capacity.dependencies.logs.after(stream.endpoint, stream.window.taken)
        builder = self._capacity.builder
        if builder is None or self._tracker.streams.get(stream.endpoint) is not stream:
            return False
        for entry in self._tracker.take(stream, entries):
            if builder.types.matches(entry.type):
                stream.ready.append(entry)
            else:
                self._filtered(entry)
        return len(entries) == PAGE and stream.hungry

    async def _start_stream(self, stream: Stream) -> bool:
        capacity = self._capacity
        if capacity.builder is None or not capacity.may_go(stream):
            return False
        most = (
            SIFTED_AT_ONCE
            if capacity.builder.filter
            else 1
            if capacity.config.strict
            else capacity.room()
        )
        batch = stream.pop(most, MOST_BYTES - capacity.held_bytes)
        left = batch
        try:
            found = await capacity.dependencies.bodies.acquire(batch)
            left = self._use_all(stream, batch, found)
        finally:
            stream.put_back(left)
        return len(left) < len(batch)

    def _use_all(
        self, stream: Stream, batch: list[LogEntry], found: dict[int, CachedEvent | None]
    ) -> list[LogEntry]:
        """Those that are left. None starts before one that comes earlier: it would keep its slot
        until that one is settled."""
        left: list[LogEntry] = []
        for entry in batch:
            if not self._use(stream, entry, found, first=not left):
                left.append(entry)
        return left

    def _use(
        self, stream: Stream, entry: LogEntry, found: dict[int, CachedEvent | None], *, first: bool
    ) -> bool:
        """Whether this one is settled or under way now; only the `first` that is left may start."""
        if entry.sequence not in found:
            return False
        body = found[entry.sequence]
        if body is None:
            self._tracker.vanish(stream, entry)
            return True
        if not self._passes(stream, entry, body):
            self._capacity.dependencies.bodies.release(body)
            return True
        capacity = self._capacity
        builder, free = (
            capacity.builder,
            first and capacity.has_turn(stream) and capacity.room() > 0,
        )
        if builder is None or not free:
            self._capacity.dependencies.bodies.release(body)
            return False
        stream.sifted.discard(entry.sequence)
        self._launch(builder, entry, body, None)
        return True

    def _passes(self, stream: Stream, entry: LogEntry, body: CachedEvent) -> bool:
        builder = self._capacity.builder
        if builder is None or builder.filter is None or entry.sequence in stream.sifted:
            return True
        try:
            if builder.filter.holds(body.view):
                stream.sifted.add(entry.sequence)
                return True
        except InvalidValue as error:
            self._filtered(entry, str(error))
            return False
        except Exception as error:  # one event must not hold up the others
            self._filtered(entry, fault.describe(error))
            return False
        self._filtered(entry)
        return False

    def _filtered(self, entry: LogEntry, error: str = "") -> None:
        key = (entry.endpoint, entry.sequence)
        failed = bool(error)
        self._tracker.finish(Settlement(key, DeliveryState.FILTERED, filter_error=failed))
        if failed:
            message = f"event {entry.event_id} was left out: {error}"
            self._capacity.dependencies.activity.noted(self._capacity.name, "FilterError", message)

    # Sending ------------------------------------------------------------------------------------

    def _launch(
        self,
        builder: RequestBuilder,
        entry: LogEntry,
        body: CachedEvent,
        row: QueuedDelivery | None,
    ) -> None:
        capacity = self._capacity
        dependencies = capacity.dependencies
        now = dependencies.clock.now()
        replay = capacity.replays.name(row.replay) if row is not None and row.replay else ""
        try:
            request = _request(builder, body, now, replay)
        except InvalidValue as error:
            dependencies.bodies.release(body)
            self._outcomes.die_untried(entry, row, str(error))
            return
        number = 0 if self._tracker.health.open else (row.attempts if row is not None else 0) + 1
        job = RunningAttempt(entry, body, row, number, now, dependencies.clock.monotonic())
        capacity.probing = capacity.probing or number == 0
        capacity.bucket.spend()
        capacity.held_bytes += body.size
        self._tracker.start(job)
        self._tasks.create_task(self._attempt(job, request, builder.oauth2))

    async def _attempt(
        self, job: RunningAttempt, request: OutboundRequest, oauth2: OAuth2Config | None
    ) -> None:
        capacity = self._capacity
        capacity.dependencies.metrics.in_flight += 1
        try:
            response = await capacity.dependencies.sender.send(request, oauth2)
        finally:
            capacity.dependencies.metrics.in_flight -= 1
            capacity.held_bytes -= job.body.size
            capacity.dependencies.bodies.release(job.body)
        self._outcomes.settle(job, response)


def _request(
    builder: RequestBuilder, body: CachedEvent, now: Millis, replay: str
) -> OutboundRequest:
    """Raises InvalidValue, whatever is wrong: one event must not hold up the others."""
    try:
        return builder.request(body.view, now, replay)
    except InvalidValue as error:
        raise InvalidValue(f"transform failed: {error}") from error
    except Exception as error:
        raise InvalidValue(fault.describe(error)) from error
