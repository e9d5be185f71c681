"""The store of one process: a SQLite file in a locked folder. Layout: docs/decisions/0002."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from hookplane.clock import Clock, Millis
from hookplane.errors import StoreError
from hookplane.filters.types import Interest
from hookplane.store.believed_time import BelievedTime
from hookplane.store.config_store import ConfigChange, ConfigRow
from hookplane.store.counted_once import Seen
from hookplane.store.delivery_store import (
    ROWS_AT_ONCE,
    Asked,
    Claimed,
    Delivery,
    DeliveryState,
    EventKey,
    Flush,
    NewReplay,
    NotPassed,
    Passage,
    ReplayJob,
    ReplayPage,
    Rest,
    StrandedPage,
)
from hookplane.store.event_log import (
    Appended,
    Content,
    EndpointReport,
    EventRead,
    LogBounds,
    LogEntry,
    LogId,
    NewEvent,
)
from hookplane.store.grouping import GroupCommit
from hookplane.store.local_notifier import LocalNotifier
from hookplane.store.maintenance import Expired, Retention
from hookplane.store.notifications import Topic
from hookplane.store.process_registry import Member, Presence, Role, Sighting
from hookplane.store.queries import (
    ANY_EVENT,
    ANYTHING,
    AttemptRow,
    DeliveryRow,
    EndpointStats,
    EventRow,
    Listed,
    Page,
    Sought,
    SubscriptionStats,
)
from hookplane.store.sqlite import config, flush, ingest, listings, log, status
from hookplane.store.sqlite.connection import connect_reader, connect_writer
from hookplane.store.sqlite.faults import unavailable
from hookplane.store.sqlite.folder import DataFolder
from hookplane.store.sqlite.id_map import SQLiteIdMap
from hookplane.store.sqlite.processes import Processes
from hookplane.store.sqlite.replay import (
    cancel_replay,
    create_replay,
    replay_page,
    replays,
    running_replays,
)
from hookplane.store.sqlite.reports import add_reports
from hookplane.store.sqlite.retention import (
    expire_attempts,
    expire_events,
    expire_keys,
    shrink_file,
    sweep_deleted,
)
from hookplane.store.sqlite.schema import migrate
from hookplane.store.sqlite.worker import MakeWorker, OnFatal, Priority, Worker, exit_at_once
from hookplane.store.write_groups import (
    APPENDS,
    event_weight,
    flush_bounds,
    flush_weight,
    logs_that_grew,
)

P = ParamSpec("P")
T = TypeVar("T")
OnConnection = Callable[Concatenate[sqlite3.Connection, P], T]

FLUSHES: Final = flush_bounds(1_000)


class SQLiteStore:
    """Implements `hookplane.store.protocol.Store`.

    One thread writes; reads for delivery and listings for people have a thread each, so that a long
    listing holds up nobody.
    """

    def __init__(
        self,
        folder: DataFolder,
        connections: tuple[sqlite3.Connection, sqlite3.Connection, sqlite3.Connection],
        clock: Clock,
        on_fatal: OnFatal,
        make_worker: MakeWorker,
    ) -> None:
        """Use `open`."""
        writer, reader, lister = connections
        self._folder = folder
        self._clock = clock
        self._time = BelievedTime(clock)
        self._writer = make_worker("store-writer", writer, on_fatal, folder.lost)
        self._reader = make_worker("store-reader", reader)
        self._lister = make_worker("store-lister", lister)
        self._seen: dict[str, Seen] = {}
        """Subscription → what this process knows of what others did to it."""
        self._id_map = SQLiteIdMap()
        self._id_map.load(reader)
        self._processes = Processes(clock)
        self._notifier = LocalNotifier()
        self._appends = GroupCommit(self._commit_appends, event_weight, APPENDS)
        self._flushes = GroupCommit(self._commit_flushes, flush_weight, FLUSHES)

    @classmethod
    async def open(
        cls,
        folder: Path,
        clock: Clock,
        *,
        max_bytes: int | None = None,
        on_fatal: OnFatal = exit_at_once,
        make_worker: MakeWorker = Worker,
    ) -> SQLiteStore:
        """Opens the store in a folder, which is made where needed.

        `max_bytes`: the database file never grows past it; what does not fit is StoreUnavailable
        until retention has made room. `on_fatal` is called, in a thread of the store, when a write
        or an fsync failed: nothing may be acknowledged after that. `make_worker`: what runs the
        jobs; a simulation has its own, without threads. Raises StoreLocked when another
        process has the folder, StoreUnavailable, and StoreError for data of a newer Hookplane.
        """
        locked, connections = await asyncio.to_thread(_open, folder, max_bytes)
        return cls(locked, connections, clock, on_fatal, make_worker)

    def listen(self, topic: Topic, callback: Callable[[str], None]) -> Callable[[], None]:
        return self._notifier.listen(topic, callback)

    async def close(self) -> None:
        await self._appends.close()
        await self._flushes.close()
        for worker in (self._lister, self._reader, self._writer):
            await worker.close()
        self._folder.release()

    # Config -------------------------------------------------------------------------------------

    async def apply_config(self, change: ConfigChange) -> int:
        applied = await self._write(self._apply_config, change, self._time.latest())
        for subscription in applied.without_owner:
            self._processes.release(subscription)
        if applied.is_new:
            self._notifier.tell(Topic.CONFIG)
        return applied.version

    async def load_config(self, after: int) -> tuple[int, list[ConfigRow]]:
        return await self._read(config.load_config, after)

    async def endpoints_of(self, subscription: str) -> tuple[str, ...]:
        return await self._read(config.endpoints_of, subscription)

    # Ingest -------------------------------------------------------------------------------------

    async def append(self, event: NewEvent) -> Appended:
        return await self._appends.submit(event)

    async def report_endpoints(self, reports: Sequence[EndpointReport]) -> None:
        await self._write(add_reports, self._id_map, reports)

    # Processes ----------------------------------------------------------------------------------

    async def register(self, role: Role, instance: str, presence: Presence) -> int:
        process = self._processes.register(role, instance, presence)
        self._notifier.tell(Topic.PROCESSES)
        return process

    async def heartbeat(self, process: int, presence: Presence) -> list[Member]:
        return self._processes.heartbeat(process, presence)

    async def look(self, process: int) -> list[Sighting]:
        return self._processes.look(process)

    async def declare_dead(self, dead: Sequence[Sighting]) -> None:
        if self._processes.declare_dead(dead):
            self._notifier.tell(Topic.PROCESSES)

    async def members(self) -> list[Member]:
        return self._processes.members()

    async def leave(self, process: int) -> None:
        released = self._processes.leave(process)
        self._notifier.tell(Topic.PROCESSES)
        for subscription in released:
            self._notifier.tell(Topic.SUBSCRIPTION, subscription)

    # Delivery -----------------------------------------------------------------------------------

    async def claim(
        self, subscription: str, process: int | None = None, most: int = ROWS_AT_ONCE
    ) -> Claimed:
        self._processes.admit(subscription, process)
        return await self._write(flush.claim, self._id_map, subscription, most)

    async def waiting(
        self, subscription: str, rest: Rest, most: int
    ) -> tuple[tuple[Delivery, ...], Rest | None]:
        return await self._read(flush.waiting, self._id_map, subscription, rest, most)

    async def open_rows(
        self, subscription: str, places: Sequence[tuple[LogId, int]]
    ) -> tuple[Delivery, ...]:
        return await self._read(flush.open_rows, self._id_map, subscription, places)

    async def first_rows(self, subscription: str, keys: Sequence[EventKey]) -> tuple[Delivery, ...]:
        return await self._read(flush.first_rows, self._id_map, subscription, keys)

    async def stranded_keys(
        self, subscription: str, after: EventKey | None, most: int
    ) -> StrandedPage:
        return await self._read(flush.stranded_keys, self._id_map, subscription, after, most)

    async def release(self, subscription: str, epoch: int) -> None:
        if await self._read(flush.epoch, subscription) == epoch:
            self._processes.release(subscription)
            self._notifier.tell(Topic.SUBSCRIPTION, subscription)

    async def read_log(self, log_id: LogId, after: int, limit: int) -> list[LogEntry]:
        return await self._read(log.read_log, self._id_map, log_id, after, limit)

    async def read_events(
        self, log_id: LogId, after: int, limit: int, most_bytes: int
    ) -> list[EventRead]:
        return await self._read(log.read_events, self._id_map, log_id, after, limit, most_bytes)

    async def bounds(self, log_ids: Sequence[LogId]) -> dict[LogId, LogBounds]:
        return await self._read(log.bounds, log_ids)

    async def floor(self, log_id: LogId) -> int:
        return await self._read(log.floor, log_id)

    async def read_contents(self, log_id: LogId, sequences: Sequence[int]) -> dict[int, Content]:
        return await self._read(log.read_contents, self._id_map, log_id, sequences)

    async def flush(self, flush: Flush) -> None:
        await self._flushes.submit(flush)

    async def pass_over(self, passages: Sequence[Passage]) -> NotPassed:
        return await self._write(flush.pass_over, self._id_map, passages)

    async def request_resume(self, subscription: str) -> None:
        await self._write(flush.request_resume, subscription)
        self._notifier.tell(Topic.SUBSCRIPTION, subscription)

    async def asked(self) -> Mapping[str, Asked]:
        return await self._read(flush.asked)

    async def resume_requested(self, subscription: str) -> int:
        return await self._read(flush.resume_requested, self._id_map, subscription)

    # Replay -------------------------------------------------------------------------------------

    async def create_replay(self, replay: NewReplay) -> ReplayJob:
        job = await self._write(create_replay, replay)
        self._notifier.tell(Topic.SUBSCRIPTION, job.subscription)
        return job

    async def cancel_replay(self, uid: str) -> None:
        subscription = await self._write(cancel_replay, uid, self._clock.now())
        if subscription is not None:
            self._notifier.tell(Topic.SUBSCRIPTION, subscription)

    async def running_replays(self, subscription: str) -> list[ReplayJob]:
        return await self._read(running_replays, subscription)

    async def replay_page(self, uid: str, limit: int) -> ReplayPage:
        return await self._list(replay_page, self._id_map, uid, limit)

    async def replays(self, namespace: str | None = None) -> list[ReplayJob]:
        return await self._list(replays, namespace)

    # Reading ------------------------------------------------------------------------------------

    async def endpoint_stats(self, log_ids: Sequence[LogId]) -> list[EndpointStats]:
        return await self._list(status.endpoint_stats, log_ids)

    async def stored_bytes(self) -> dict[str, int]:
        return await self._list(status.stored_bytes)

    async def subscription_stats(self, subscriptions: Sequence[str]) -> list[SubscriptionStats]:
        return await self._list(status.subscription_stats, subscriptions)

    async def find_event(self, event_id: str) -> tuple[LogEntry, Content]:
        return await self._list(listings.find_event, self._id_map, event_id)

    async def events(
        self,
        page: Page,
        log_id: LogId | None = None,
        sought: Sought = ANY_EVENT,
    ) -> Listed[EventRow]:
        return await self._list(listings.events, self._id_map, page, log_id, sought)

    async def deliveries(
        self,
        page: Page,
        subscription: str,
        states: frozenset[DeliveryState],
        interest: Interest = ANYTHING,
    ) -> Listed[DeliveryRow]:
        asked = (page, subscription, states, interest)
        return await self._list(listings.deliveries, self._id_map, *asked)

    async def attempts(
        self,
        page: Page,
        subscription: str | None = None,
        event_id: str | None = None,
        among: frozenset[str] | None = None,
    ) -> Listed[AttemptRow]:
        asked = (page, subscription, event_id, among)
        return await self._list(listings.attempts, self._id_map, *asked)

    # Housekeeping -------------------------------------------------------------------------------

    async def expire(self, retention: Retention, now: Millis) -> Expired:
        latest = max(now, self._time.latest())
        events = await self._write(expire_events, retention, now, latest)
        attempts = await self._write(expire_attempts, retention, now)
        keys = await self._write(expire_keys, now)
        swept = await self._write(self._sweep, now)
        await self._write(shrink_file)
        return Expired(
            events=events.events,
            attempts=attempts.attempts,
            dedup_keys=keys.dedup_keys,
            skipped_deliveries=events.skipped_deliveries + swept.skipped_deliveries,
            more=any(step.more for step in (events, attempts, keys, swept)),
            surplus=events.surplus,
        )

    # --------------------------------------------------------------------------------------------

    async def _write(self, job: OnConnection[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._writer.run(Priority.OTHER, _bind(job, *args, **kwargs))

    async def _read(self, job: OnConnection[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._reader.run(Priority.OTHER, _bind(job, *args, **kwargs))

    async def _list(self, job: OnConnection[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._lister.run(Priority.OTHER, _bind(job, *args, **kwargs))

    async def _commit_appends(self, events: list[NewEvent]) -> Sequence[Appended | StoreError]:
        append = _bind(ingest.append_group, events, self._time.now())
        outcomes = await self._writer.run(Priority.INGEST, append)
        for endpoint in logs_that_grew(events, outcomes):
            self._notifier.tell(Topic.EVENTS, endpoint)
        return outcomes

    async def _commit_flushes(self, flushes: list[Flush]) -> Sequence[StoreError | None]:
        now = self._clock.now()
        write = _bind(flush.write_flushes, self._id_map, now, flushes, self._seen)
        return await self._writer.run(Priority.FLUSH, write)

    def _apply_config(
        self, db: sqlite3.Connection, change: ConfigChange, now: Millis
    ) -> config.Applied:
        applied = config.apply_config(db, change, now)
        self._id_map.load(db)
        return applied

    def _sweep(self, db: sqlite3.Connection, now: Millis) -> Expired:
        swept, changed = sweep_deleted(db, now)
        if changed:
            self._id_map.load(db)
        return swept


def _open(
    path: Path, max_bytes: int | None
) -> tuple[DataFolder, tuple[sqlite3.Connection, sqlite3.Connection, sqlite3.Connection]]:
    with ExitStack() as undo:
        folder = DataFolder(path)
        undo.callback(folder.release)
        try:
            writer = connect_writer(folder.database, max_bytes)
            undo.callback(writer.close)
            migrate(writer)
            readers = connect_reader(folder.database), connect_reader(folder.database)
            folder.remember_files()
        except sqlite3.Error as error:
            raise unavailable(error) from error
        undo.pop_all()
    return folder, (writer, *readers)


def _bind(
    job: OnConnection[P, T], *args: P.args, **kwargs: P.kwargs
) -> Callable[[sqlite3.Connection], T]:
    return lambda db: job(db, *args, **kwargs)
