"""Starts what may start: due retries first, then new events in turn from each endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from hookplane import fault
from hookplane.clock import Millis
from hookplane.errors import InvalidValue
from hookplane.evaluation.pool import Judged
from hookplane.evaluation.protocol import NoValue
from hookplane.evaluation.transformer import HeldBack
from hookplane.filters.event import EventView
from hookplane.store.delivery_store import DeliveryState, EventKey, ExpressionKind
from hookplane.store.event_log import LogEntry
from hookplane.tracing import Step
from hookplane_dispatcher.dependencies import Dependencies
from hookplane_dispatcher.reading.content_cache import Acquired, CachedEvent
from hookplane_dispatcher.transports.transport import Outcome, Send
from hookplane_dispatcher.worker.capacity import Capacity
from hookplane_dispatcher.worker.endpoint_cursor import EndpointCursor
from hookplane_dispatcher.worker.flush_buffer import Key, Settlement
from hookplane_dispatcher.worker.followed_logs import FollowedLogs
from hookplane_dispatcher.worker.key_order import KeyTurn
from hookplane_dispatcher.worker.outcomes import OutcomeHandler
from hookplane_dispatcher.worker.prepared import PreparedSubscription
from hookplane_dispatcher.worker.replays import PageRequest, Replays
from hookplane_dispatcher.worker.retry_queue import QueuedDelivery
from hookplane_dispatcher.worker.tracker import DeliveryTracker, RunningAttempt

Prepare = Callable[[], Awaitable[Send]]
"""Makes what is to be sent. Raises InvalidValue and HeldBack."""

FILTERED_AT_ONCE: Final = 64
"""Events whose contents are read together for a CEL filter."""


class Scheduler:
    """Reads, filters, prepares attempts and starts them."""

    def __init__(
        self,
        dependencies: Dependencies,
        name: str,
        prepared: PreparedSubscription | None,
        tracker: DeliveryTracker,
        capacity: Capacity,
        followed: FollowedLogs,
        replays: Replays,
        outcomes: OutcomeHandler,
        wake: Callable[[], None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        """`wake` is called when an attempt has ended; attempts run as `tasks`."""
        self._dependencies = dependencies
        self._logs = dependencies.logs
        self._contents = dependencies.contents
        self._name = name
        self._prepared = prepared
        self._tracker = tracker
        self._capacity = capacity
        self._followed = followed
        self._replays = replays
        self._outcomes = outcomes
        self._wake = wake
        self._tasks = tasks
        self._turns = 0
        self._probes = 0
        self._is_crowded = False
        """Retries took all the room: next it is new events' turn."""
        self._attempts: dict[RunningAttempt, asyncio.Task[None]] = {}
        self._page: asyncio.Task[None] | None = None

    def configure(self, prepared: PreparedSubscription | None) -> None:
        """A new document; it counts for everything that has not started."""
        self._prepared = prepared

    async def start(self) -> None:
        """Starts as many attempts as may start. Raises StoreUnavailable."""
        capacity = self._capacity
        if self._replays.running and capacity.room() > 0:
            request = self._replays.next_page(capacity.slots)
            if request is not None:
                self._page = self._tasks.create_task(self._fetch_page(request))
        while await self._start_some():
            pass

    def give_up_page(self) -> None:
        """Waits no longer for the page of a replay: its position is where the last one ended."""
        if self._page is not None:
            self._page.cancel()

    def give_up_attempts(self) -> None:
        """Cuts off all requests under way."""
        for task in self._attempts.values():
            task.cancel()

    async def _fetch_page(self, request: PageRequest) -> None:
        """Beside the stream, which does not wait for a store that takes long to search."""
        await self._replays.fetch(request)
        self._wake()

    async def _start_some(self) -> bool:
        """Whether anything started, so that there may be more."""
        self._capacity.begin_turn()
        if self._capacity.room() <= 0:
            return False  # whose turn it is stays as it is
        if self._capacity.probes_any and self._probes % 2:
            started = await self._start_new() or await self._start_retries()
        elif self._is_crowded and not self._capacity.probes_any:
            self._is_crowded = False
            started = await self._start_new() or await self._start_retries()
        else:
            started = await self._start_retries()
            self._is_crowded = started and self._capacity.room() <= 0
            started = started or await self._start_new()
        return started or await self._start_retries(last=True)

    # Retries ------------------------------------------------------------------------------------

    async def _start_retries(self, *, last: bool = False) -> bool:
        rows = self._capacity.take_due(last=last)
        try:
            for row in rows:
                await self._start_retry(row)
        finally:
            for row in rows:
                self._tracker.return_unstarted(row)
        return bool(rows)

    async def _start_retry(self, row: QueuedDelivery) -> None:
        row.entry = row.entry or await self._logs.entry(row.endpoint, row.sequence)
        found = await self._contents.acquire([row.entry]) if row.entry is not None else {}
        try:
            content = found.get(row.sequence)
            if row.entry is None or content is None:
                floor = await self._logs.floor(row.endpoint)
                self._gone(row.key, floor, had_row=True, replay=row.replay)
            elif await self._may_start(row, content) and (prepared := self._prepared) is not None:
                del found[row.sequence]  # the attempt keeps it
                self._launch(prepared, row.entry, content, row)
        finally:
            self._contents.release_all(found)

    async def _may_start(self, row: QueuedDelivery, content: CachedEvent) -> bool:
        return await self._passes(row, content) and self._capacity.room() > 0

    async def _passes(self, row: QueuedDelivery, content: CachedEvent) -> bool:
        """Whether the filter lets a row pass that has not started; ends it otherwise. With a new
        document nothing is decided."""
        prepared = self._prepared
        if prepared is None or prepared.filter is None or not row.to_filter:
            return prepared is not None
        judged = await prepared.filter.judge([content.view])
        if self._prepared is not prepared:
            return False
        self._note_judged(judged)
        if not judged.verdicts:
            return False
        (verdict,) = judged.verdicts
        row.to_filter = False
        if verdict is not True:
            self._filter_out(row, verdict)
        return verdict is True

    def _filter_out(self, row: QueuedDelivery, verdict: object) -> None:
        self._tracker.filter_out(row, failed=isinstance(verdict, NoValue))
        if isinstance(verdict, NoValue) and row.entry is not None:
            self._outcomes.report_filter_error(row.entry, verdict.reason)

    # New events ---------------------------------------------------------------------------------

    async def _start_new(self) -> bool:
        cursors = list(self._tracker.cursors.values())
        self._turns += 1
        started = False
        for number in range(len(cursors)):
            cursor = cursors[(self._turns + number) % len(cursors)]
            if self._capacity.room() <= 0:
                return False
            read_on = await self._read(cursor)
            started = await self._start_waiting(cursor) or read_on or started
        return started

    async def _read(self, cursor: EndpointCursor) -> bool:
        """Reads a page of metadata; whether there may be more to read at once."""
        if self._followed.rests(cursor) or not cursor.wants_more:
            return False
        entries = await self._followed.read(cursor)
        floor = await self._logs.floor(cursor.endpoint) if cursor.has_gap(entries) else 0
        prepared = self._prepared
        if prepared is None or self._tracker.cursors.get(cursor.endpoint) is not cursor:
            return False
        fresh, missing = self._tracker.note_read(cursor, entries, floor)
        for gap in missing:
            self._outcomes.report_missing(cursor.endpoint, gap)
        for entry in fresh:
            if prepared.concerns.matches(entry.type, entry.key):
                cursor.waiting.append(entry)
            else:
                self._filtered(entry)
        at_end = self._followed.rest(cursor)
        return bool(entries) and not at_end and cursor.wants_more

    async def _start_waiting(self, cursor: EndpointCursor) -> bool:
        capacity, prepared = self._capacity, self._prepared
        if prepared is None or not capacity.may_start_new(cursor) or self._is_held(cursor):
            return False
        most = FILTERED_AT_ONCE if prepared.filter else capacity.room_at_once()
        if capacity.probes_any:
            batch = cursor.take_probe(by_key=self._tracker.keys.applies)
        else:
            batch = cursor.take_waiting(most, capacity.free_bytes)
        left = batch
        found: Acquired = {}
        try:
            found = await self._contents.acquire(batch)
            left = await self._filter(cursor, batch, found)
            stored = await self.ask_keys(left)
            left = self._use_all(cursor, left, found, stored)
            left = await self._settle_gone(cursor, left, found)
        finally:
            cursor.put_back(left)
            self._contents.release_all(found)
        return len(left) < len(batch)

    async def ask_keys(self, batch: list[LogEntry]) -> dict[EventKey, int]:
        """The earliest rows that the store has of keys of which not all is known here. Raises
        StoreUnavailable."""
        tracker = self._tracker
        asked = tracker.keys.to_ask(batch, all_known=tracker.rest is None)
        if not asked:
            return {}
        rows = await self._dependencies.store.first_rows(tracker.subscription, list(asked))
        return {(row.endpoint, row.event_key): row.sequence for row in rows}

    def _use_all(
        self,
        cursor: EndpointCursor,
        batch: list[LogEntry],
        found: Acquired,
        stored: Mapping[EventKey, int],
    ) -> list[LogEntry]:
        """Those that are left. None starts before one that comes earlier: it would keep its slot
        until that one is settled."""
        left: list[LogEntry] = []
        for entry in batch:
            if not self._use(cursor, entry, found, stored, first=not left):
                left.append(entry)
        return left

    async def _settle_gone(
        self, cursor: EndpointCursor, left: list[LogEntry], found: Acquired
    ) -> list[LogEntry]:
        """Without those that are no longer in the store. Raises StoreUnavailable."""
        gone = [x for x in left if x.sequence in found and found[x.sequence] is None]
        if not gone:
            return left
        floor = await self._logs.floor(cursor.endpoint)
        for entry in gone:
            self._tracker.pass_key(entry)
            self._gone((entry.endpoint, entry.sequence), floor)
        return [entry for entry in left if entry not in gone]

    def _gone(self, key: Key, floor: int, *, had_row: bool = False, replay: str = "") -> None:
        """Ends a delivery whose event is not in the store; what retention removed is counted
        there."""
        endpoint, sequence = key
        missing = sequence > floor
        if missing:
            self._outcomes.report_missing(endpoint, range(sequence, sequence + 1))
        self._tracker.finish(
            Settlement(
                key, DeliveryState.EXPIRED, had_row=had_row, replay=replay, missing=int(missing)
            )
        )

    def _use(
        self,
        cursor: EndpointCursor,
        entry: LogEntry,
        found: Acquired,
        stored: Mapping[EventKey, int],
        *,
        first: bool,
    ) -> bool:
        """Whether this one is settled or under way now; only the `first` that is left may start."""
        content = found.get(entry.sequence)
        if content is None:
            return False
        prepared, capacity = self._prepared, self._capacity
        free = first and capacity.has_turn(cursor) and capacity.room() > 0
        free = free and self._passed(cursor, entry)
        turn = self._turn(entry, stored) if free else KeyTurn.LATER
        if prepared is None or turn is KeyTurn.LATER:
            return False
        cursor.passed_filter.discard(entry.sequence)
        if turn is KeyTurn.BEHIND:
            self._tracker.put_behind(entry, capacity.now)
        else:
            del found[entry.sequence]  # the attempt keeps it
            self._launch(prepared, entry, content, None)
        return True

    def _turn(self, entry: LogEntry, stored: Mapping[EventKey, int]) -> KeyTurn:
        return self._tracker.keys.turn(entry, stored, self._tracker.buffer.behind)

    # The filter ---------------------------------------------------------------------------------

    def _passed(self, cursor: EndpointCursor, entry: LogEntry) -> bool:
        prepared = self._prepared
        unfiltered = prepared is None or prepared.filter is None
        return unfiltered or entry.sequence in cursor.passed_filter

    def _is_held(self, cursor: EndpointCursor) -> bool:
        """The filter may not run now, and nothing that passed it waits."""
        passed = (self._passed(cursor, entry) for entry in cursor.waiting)
        return not (self._capacity.may_filter or any(passed))

    async def _filter(
        self, cursor: EndpointCursor, batch: list[LogEntry], found: Acquired
    ) -> list[LogEntry]:
        """Settles what does not pass, and gives what is left. With a new document nothing is
        decided: it is read again."""
        prepared = self._prepared
        unknown = [x for x in batch if found.get(x.sequence) and not self._passed(cursor, x)]
        if prepared is None or prepared.filter is None or not unknown:
            return batch
        if not self._capacity.may_filter:
            return batch
        judged = await prepared.filter.judge(_views(unknown, found))
        if self._prepared is not prepared:
            self._contents.release_all(found)
            return batch
        return self._sort_out(cursor, batch, unknown, judged)

    def _sort_out(
        self,
        cursor: EndpointCursor,
        batch: list[LogEntry],
        unknown: list[LogEntry],
        judged: Judged,
    ) -> list[LogEntry]:
        """Applies the verdicts; what has none is left, and so is what passed."""
        settled: set[int] = set()
        for entry, verdict in zip(unknown, judged.verdicts, strict=False):
            if verdict is True:
                cursor.passed_filter.add(entry.sequence)
                continue
            self._filtered(entry, verdict.reason if isinstance(verdict, NoValue) else "")
            settled.add(entry.sequence)
        self._note_judged(judged)
        return [entry for entry in batch if entry.sequence not in settled]

    def _note_judged(self, judged: Judged) -> None:
        if judged.held_for:
            self._outcomes.hold(ExpressionKind.FILTER, judged.held_for, judged.held_because)
        elif judged.is_clean:
            self._outcomes.release(ExpressionKind.FILTER)

    def _filtered(self, entry: LogEntry, error: str = "") -> None:
        key = (entry.endpoint, entry.sequence)
        failed = bool(error)
        self._tracker.pass_key(entry)
        self._tracker.finish(Settlement(key, DeliveryState.FILTERED, filter_error=failed))
        if failed:
            self._outcomes.report_filter_error(entry, error)

    # Attempts -----------------------------------------------------------------------------------

    def _launch(
        self,
        prepared: PreparedSubscription,
        entry: LogEntry,
        content: CachedEvent,
        row: QueuedDelivery | None,
    ) -> None:
        clock = self._dependencies.clock
        now = clock.now()
        replay = self._replays.name(row.replay) if row is not None and row.replay else ""
        probe = self._tracker.health.open
        self._probes += probe
        number = 0 if probe else (row.attempts if row is not None else 0) + 1
        running = RunningAttempt(
            content.key, entry, content, row, probe, number, now, clock.monotonic()
        )
        self._capacity.attempt_started(content.size, probe=probe)
        self._tracker.start(running)
        prepare = partial(_prepare, prepared, content, now, replay)
        self._dependencies.metrics.in_flight += 1
        task = self._tasks.create_task(self._attempt(running, prepared, prepare))
        self._attempts[running] = task
        task.add_done_callback(partial(self._note_cut_off, running))

    async def _attempt(
        self, running: RunningAttempt, prepared: PreparedSubscription, prepare: Prepare
    ) -> None:
        result = await self._send(running, prepare)
        self._free(running)
        match result:
            case Outcome():
                self._outcomes.settle(running, result)
            case HeldBack():
                self._tracker.unsent(running, running.started)
                if prepared is self._prepared:
                    self._outcomes.hold(ExpressionKind.TRANSFORM, result.seconds, str(result))
            case InvalidValue():
                self._tracker.end(running)
                self._outcomes.die_untried(running.entry, running.row, str(result))
        self._wake()

    def _note_cut_off(self, running: RunningAttempt, _: asyncio.Task[None]) -> None:
        """A task that is cancelled before its first step runs nothing of its own."""
        if running in self._attempts:
            self._free(running)
            self._tracker.abandon(running)
            self._wake()

    def _free(self, running: RunningAttempt) -> None:
        """Its request is over."""
        del self._attempts[running]
        self._dependencies.metrics.in_flight -= 1
        self._capacity.attempt_ended(running.content.size, probe=running.is_probe)
        self._contents.release(running.content)

    async def _send(
        self, running: RunningAttempt, prepare: Prepare
    ) -> Outcome | HeldBack | InvalidValue:
        """How the attempt ended, or why there is nothing that could be sent."""
        try:
            send = await prepare()
        except (HeldBack, InvalidValue) as error:
            return error
        self._outcomes.release(ExpressionKind.TRANSFORM)
        return await self._dependencies.tracer.trace(
            Step.ATTEMPT, running.entry.event_id, self._name, send()
        )


def _views(entries: list[LogEntry], found: Acquired) -> list[EventView]:
    contents = [found[entry.sequence] for entry in entries]
    return [content.view for content in contents if content is not None]


async def _prepare(
    prepared: PreparedSubscription, content: CachedEvent, now: Millis, replay: str
) -> Send:
    """Raises HeldBack, and InvalidValue for whatever is wrong: one event must not hold up the
    others."""
    try:
        return await prepared.target.prepare(content.view, now, replay)
    except InvalidValue as error:
        raise InvalidValue(f"transform failed: {error}") from error
    except HeldBack:
        raise
    except Exception as error:
        raise InvalidValue(fault.describe(error)) from error
