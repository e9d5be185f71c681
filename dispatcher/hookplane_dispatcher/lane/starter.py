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
from hookplane_dispatcher.bodies import Body
from hookplane_dispatcher.courier import Courier
from hookplane_dispatcher.egress.client import OutboundRequest
from hookplane_dispatcher.lane.answers import Answers
from hookplane_dispatcher.lane.desk import MOST_BYTES, Desk
from hookplane_dispatcher.lane.job import Job
from hookplane_dispatcher.lane.progress import Finish
from hookplane_dispatcher.lane.rows import Row
from hookplane_dispatcher.lane.stream import Stream
from hookplane_dispatcher.logs import PAGE

SIFTED_AT_ONCE: Final = 64
"""Events whose contents are read together for a CEL filter."""


class Starter:
    """Reads, filters, builds requests and lets them go."""

    def __init__(self, desk: Desk, answers: Answers, tasks: asyncio.TaskGroup) -> None:
        self._desk = desk
        self._ledger = desk.ledger
        self._answers = answers
        self._tasks = tasks
        self._turns = 0

    async def start(self) -> None:
        """As many as may. Raises StoreUnavailable."""
        desk = self._desk
        if desk.room() > 0:
            await desk.replays.take_in(desk.slots, desk.now)
        while await self._turn():
            pass

    async def _turn(self) -> bool:
        """Whether anything started, so that there may be more."""
        self._desk.tick()
        return await self._start_rows() or await self._start_new()

    # Retries ------------------------------------------------------------------------------------

    async def _start_rows(self) -> bool:
        desk = self._desk
        most = min(desk.room(), 1) if desk.config.strict else desk.room()
        if most <= 0:
            return False
        rows = self._ledger.rows.take_due(desk.now, most, desk.in_turn)
        try:
            for row in rows:
                await self._start_row(row)
        finally:
            for row in rows:
                self._let_go(row)
        return bool(rows)

    def _let_go(self, row: Row) -> None:
        """It did not start after all."""
        if row.active and row.key in self._ledger.rows and row.key not in self._ledger.active:
            row.active = False
            self._ledger.rows.put(row)

    async def _start_row(self, row: Row) -> None:
        logs, bodies = self._desk.shared.logs, self._desk.shared.bodies
        row.entry = row.entry or await logs.entry(row.endpoint, row.sequence)
        body = None
        if row.entry is not None:
            body = (await bodies.acquire([row.entry]))[row.sequence]
        if row.entry is None or body is None:
            gone = Finish(row.key, DeliveryState.EXPIRED, had_row=True, replay=row.replay)
            self._ledger.finish(gone)
        elif (courier := self._desk.courier) is None or self._desk.room() <= 0:
            bodies.release(body)
        else:
            self._launch(courier, row.entry, body, row)

    # New events ---------------------------------------------------------------------------------

    async def _start_new(self) -> bool:
        streams = list(self._ledger.streams.values())
        self._turns += 1
        started = False
        for number in range(len(streams)):
            stream = streams[(self._turns + number) % len(streams)]
            if self._desk.room() <= 0:
                return False
            if self._ledger.is_full(stream):
                continue
            read_on = await self._fill(stream)
            started = await self._start_stream(stream) or read_on or started
        return started

    async def _fill(self, stream: Stream) -> bool:
        """Reads a page of metadata; whether there may be more to read at once."""
        if not stream.hungry:
            return False
        entries = await self._desk.shared.logs.after(stream.endpoint, stream.window.taken)
        courier = self._desk.courier
        if courier is None or self._ledger.streams.get(stream.endpoint) is not stream:
            return False
        for entry in self._ledger.take(stream, entries):
            if courier.types.matches(entry.type):
                stream.ready.append(entry)
            else:
                self._filtered(entry)
        return len(entries) == PAGE and stream.hungry

    async def _start_stream(self, stream: Stream) -> bool:
        desk = self._desk
        if desk.courier is None or not desk.may_go(stream):
            return False
        most = SIFTED_AT_ONCE if desk.courier.filter else 1 if desk.config.strict else desk.room()
        batch = stream.pop(most, MOST_BYTES - desk.held_bytes)
        left = batch
        try:
            found = await desk.shared.bodies.acquire(batch)
            left = self._use_all(stream, batch, found)
        finally:
            stream.put_back(left)
        return len(left) < len(batch)

    def _use_all(
        self, stream: Stream, batch: list[LogEntry], found: dict[int, Body | None]
    ) -> list[LogEntry]:
        """Those that are left. None starts before one that comes earlier: it would keep its slot
        until that one is settled."""
        left: list[LogEntry] = []
        for entry in batch:
            if not self._use(stream, entry, found, first=not left):
                left.append(entry)
        return left

    def _use(
        self, stream: Stream, entry: LogEntry, found: dict[int, Body | None], *, first: bool
    ) -> bool:
        """Whether this one is settled or under way now; only the `first` that is left may start."""
        if entry.sequence not in found:
            return False
        body = found[entry.sequence]
        if body is None:
            self._ledger.vanish(stream, entry)
            return True
        if not self._passes(stream, entry, body):
            self._desk.shared.bodies.release(body)
            return True
        desk = self._desk
        courier, free = desk.courier, first and desk.has_turn(stream) and desk.room() > 0
        if courier is None or not free:
            self._desk.shared.bodies.release(body)
            return False
        stream.sifted.discard(entry.sequence)
        self._launch(courier, entry, body, None)
        return True

    def _passes(self, stream: Stream, entry: LogEntry, body: Body) -> bool:
        courier = self._desk.courier
        if courier is None or courier.filter is None or entry.sequence in stream.sifted:
            return True
        try:
            if courier.filter.holds(body.view):
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
        self._ledger.finish(Finish(key, DeliveryState.FILTERED, filter_error=failed))
        if failed:
            message = f"event {entry.event_id} was left out: {error}"
            self._desk.shared.activity.noted(self._desk.name, "FilterError", message)

    # Sending ------------------------------------------------------------------------------------

    def _launch(self, courier: Courier, entry: LogEntry, body: Body, row: Row | None) -> None:
        desk = self._desk
        shared = desk.shared
        now = shared.clock.now()
        replay = desk.replays.name(row.replay) if row is not None and row.replay else ""
        try:
            request = _request(courier, body, now, replay)
        except InvalidValue as error:
            shared.bodies.release(body)
            self._answers.die_untried(entry, row, str(error))
            return
        number = 0 if self._ledger.health.open else (row.attempts if row is not None else 0) + 1
        job = Job(entry, body, row, number, now, shared.clock.monotonic())
        desk.probing = desk.probing or number == 0
        desk.bucket.take()
        desk.held_bytes += body.size
        self._ledger.start(job)
        self._tasks.create_task(self._attempt(job, request, courier.oauth2))

    async def _attempt(
        self, job: Job, request: OutboundRequest, oauth2: OAuth2Config | None
    ) -> None:
        desk = self._desk
        desk.shared.meters.in_flight += 1
        try:
            response = await desk.shared.sender.send(request, oauth2)
        finally:
            desk.shared.meters.in_flight -= 1
            desk.held_bytes -= job.body.size
            desk.shared.bodies.release(job.body)
        self._answers.settle(job, response)


def _request(courier: Courier, body: Body, now: Millis, replay: str) -> OutboundRequest:
    """Raises InvalidValue, whatever is wrong: one event must not hold up the others."""
    try:
        return courier.request(body.view, now, replay)
    except InvalidValue as error:
        raise InvalidValue(f"transform failed: {error}") from error
    except Exception as error:
        raise InvalidValue(fault.describe(error)) from error
