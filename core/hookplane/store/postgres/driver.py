"""The store of many processes: PostgreSQL. Layout: docs/decisions/0006."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from hookplane.clock import Clock, Millis
from hookplane.errors import StoreError, StoreUnavailable
from hookplane.filters.types import Interest
from hookplane.store.access import StoreAccess
from hookplane.store.believed_time import BelievedTime
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow
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
from hookplane.store.local_notifier import LocalNotifier
from hookplane.store.maintenance import Expired, Retention
from hookplane.store.notifications import Topic
from hookplane.store.operator_store import Orphan, WriterFence
from hookplane.store.postgres import config, flush, ingest, listings, log, processes, status
from hookplane.store.postgres.connection import Connections, Purpose
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.faults import LockTimeout, MissingPartition, is_unknown
from hookplane.store.postgres.held_queue import (
    HELD_APPENDS,
    HELD_FLUSHES,
    AppendQueue,
    FlushQueue,
    HeldQueue,
)
from hookplane.store.postgres.id_map import PostgresIdMap
from hookplane.store.postgres.migrate import require_schema
from hookplane.store.postgres.notify_bridge import NotifyBridge
from hookplane.store.postgres.orphans import (
    add_orphans,
    due_orphans,
    remove_orphan,
)
from hookplane.store.postgres.partition_index import PartitionIndex
from hookplane.store.postgres.partitions import make_partitions
from hookplane.store.postgres.replay import (
    cancel_replay,
    create_replay,
    replay_page,
    replays,
    running_replays,
)
from hookplane.store.postgres.reports import add_reports
from hookplane.store.postgres.retention import expire
from hookplane.store.postgres.session import ProcessSession
from hookplane.store.postgres.writer_fence import take_over
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
from hookplane.store.write_groups import logs_that_grew

P = ParamSpec("P")
T = TypeVar("T")
OnConnection = Callable[Concatenate[Db, P], Awaitable[T]]


class PostgresStore:
    """Implements `hookplane.store.protocol.Store`. One for each process."""

    def __init__(self, connections: Connections, id_map: PostgresIdMap, clock: Clock) -> None:
        """Use `open`."""
        self.connections = connections
        """For whoever looks at the database besides this store."""
        self._id_map = id_map
        self._clock = clock
        self._time = BelievedTime(clock)
        self._partitions = PartitionIndex()
        self._seen: dict[str, Seen] = {}
        """Subscription → what this process knows of what others did to it."""
        self._fence: WriterFence | None = None
        self._ready = False
        self._notifier = LocalNotifier()
        self._session = ProcessSession(connections)
        self._bridge = NotifyBridge(connections, self._notifier, self._missed)
        self._appends: AppendQueue = HeldQueue(
            HELD_APPENDS,
            partial(self._commit_appends, Purpose.INGEST),
            self._find_held_logs,
            partial(self._commit_appends, Purpose.INGEST_HELD),
        )
        self._flushes: FlushQueue = HeldQueue(
            HELD_FLUSHES,
            partial(self._commit_flushes, Purpose.FLUSH),
            self._find_held_subscriptions,
            partial(self._commit_flushes, Purpose.FLUSH_HELD),
        )

    @classmethod
    async def open(cls, settings: StoreAccess, clock: Clock) -> PostgresStore:
        """Raises StoreUnavailable, and StoreUnfit for a schema that is missing or too old, for
        rights that are missing, and behind a pooler."""
        connections, id_map = Connections(settings), PostgresIdMap()
        try:
            await connections.open()
            async with connections.use(Purpose.OTHER) as db:
                await require_schema(db)
                await make_partitions(db)
                await id_map.load(db)
            store = cls(connections, id_map, clock)
            await store._bridge.start()
        except BaseException:
            await connections.close()
            raise
        return store

    def listen(self, topic: Topic, callback: Callable[[str], None]) -> Callable[[], None]:
        return self._notifier.listen(topic, callback)

    async def close(self) -> None:
        await self._appends.close()
        await self._flushes.close()
        await self._bridge.close()
        await self._session.close()
        await self.connections.close()

    async def take_over(self, fence: WriterFence, *, over: str = "") -> None:
        """From now on this store writes configuration as this owner and in this term. `over`: the
        owner that the database may be taken from. Raises StoreInUse, StaleWriter."""
        await self._write(take_over, fence, over=over)
        self._fence = fence

    async def make_partitions(self) -> int:
        """Makes room for what is appended in the next hours; how many partitions were missing."""
        return await self._write(make_partitions)

    async def add_orphans(self, orphans: Sequence[Orphan], now: Millis, keep: Millis) -> None:
        """Generated Secrets whose objects are gone."""
        if orphans:
            await self._write(add_orphans, orphans, now, keep)

    async def due_orphans(self, now: Millis) -> list[Orphan]:
        """Some of those that are to be deleted by now."""
        return await self._write(due_orphans, now)

    async def remove_orphan(self, orphan: Orphan) -> None:
        """It is deleted, or has another owner."""
        await self._write(remove_orphan, orphan)

    # Config -------------------------------------------------------------------------------------

    async def apply_config(self, change: ConfigChange) -> int:
        version, is_new = await self._write(self._apply_config, change, self._time.latest())
        if is_new:
            self._bridge.ring(Topic.CONFIG)
        return version

    async def load_config(self, after: int) -> tuple[int, list[ConfigRow]]:
        return await self._read(self._load_config, after)

    async def endpoints_of(self, subscription: str) -> tuple[str, ...]:
        return await self._write(config.endpoints_of, subscription)

    # Ingest -------------------------------------------------------------------------------------

    async def append(self, event: NewEvent) -> Appended:
        return await self._appends.submit(event)

    async def report_endpoints(self, reports: Sequence[EndpointReport]) -> None:
        await self._write(add_reports, self._id_map, reports)

    # Processes ----------------------------------------------------------------------------------

    async def register(self, role: Role, instance: str, presence: Presence) -> int:
        process = await self._in_session(processes.register, role, instance, presence)
        self._session.process, self._ready = process, presence.ready
        self._bridge.ring(Topic.PROCESSES)
        return process

    async def heartbeat(self, process: int, presence: Presence) -> list[Member]:
        alive = await self._in_session(processes.heartbeat, process, presence)
        if presence.ready != self._ready:
            self._ready = presence.ready
            self._bridge.ring(Topic.PROCESSES)
        return alive

    async def look(self, process: int) -> list[Sighting]:
        return await self._in_session(processes.look, process)

    async def declare_dead(self, dead: Sequence[Sighting]) -> None:
        if await self._in_session(processes.declare_dead, dead):
            self._bridge.ring(Topic.PROCESSES)

    async def members(self) -> list[Member]:
        return await self._write(processes.members)

    async def leave(self, process: int) -> None:
        released = await self._write(processes.leave, process)
        self._bridge.ring(Topic.PROCESSES)
        self._bridge.ring(Topic.SUBSCRIPTION, released)

    # Delivery -----------------------------------------------------------------------------------

    async def claim(
        self, subscription: str, process: int | None = None, most: int = ROWS_AT_ONCE
    ) -> Claimed:
        return await self._write(flush.claim, self._id_map, subscription, process, most)

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
        await self._write(flush.release, subscription, epoch)
        self._bridge.ring(Topic.SUBSCRIPTION, [subscription])

    async def read_log(self, log_id: LogId, after: int, limit: int) -> list[LogEntry]:
        return await self._read(log.read_log, self._id_map, self._partitions, log_id, after, limit)

    async def read_events(
        self, log_id: LogId, after: int, limit: int, most_bytes: int
    ) -> list[EventRead]:
        return await self._read(
            log.read_events, self._id_map, self._partitions, log_id, after, limit, most_bytes
        )

    async def bounds(self, log_ids: Sequence[LogId]) -> dict[LogId, LogBounds]:
        return await self._read(log.bounds, log_ids)

    async def floor(self, log_id: LogId) -> int:
        return await self._read(log.floor, log_id)

    async def read_contents(self, log_id: LogId, sequences: Sequence[int]) -> dict[int, Content]:
        return await self._read(
            log.read_contents, self._id_map, self._partitions, log_id, sequences
        )

    async def flush(self, flush: Flush) -> None:
        await self._flushes.submit(flush)

    async def pass_over(self, passages: Sequence[Passage]) -> NotPassed:
        return await self._write(flush.pass_over, self._id_map, passages)

    async def request_resume(self, subscription: str) -> None:
        await self._write(flush.request_resume, subscription)
        self._bridge.ring(Topic.SUBSCRIPTION, [subscription])

    async def asked(self) -> Mapping[str, Asked]:
        return await self._read(flush.asked)

    async def resume_requested(self, subscription: str) -> int:
        return await self._read(flush.resume_requested, subscription)

    # Replay -------------------------------------------------------------------------------------

    async def create_replay(self, replay: NewReplay) -> ReplayJob:
        job = await self._write(create_replay, replay)
        self._bridge.ring(Topic.SUBSCRIPTION, [job.subscription])
        return job

    async def cancel_replay(self, uid: str) -> None:
        subscription = await self._write(cancel_replay, uid, self._clock.now())
        if subscription is not None:
            self._bridge.ring(Topic.SUBSCRIPTION, [subscription])

    async def running_replays(self, subscription: str) -> list[ReplayJob]:
        return await self._read(running_replays, subscription)

    async def replay_page(self, uid: str, limit: int) -> ReplayPage:
        return await self._write(replay_page, self._id_map, uid, limit)

    async def replays(self, namespace: str | None = None) -> list[ReplayJob]:
        return await self._write(replays, namespace)

    # Reading ------------------------------------------------------------------------------------

    async def endpoint_stats(self, log_ids: Sequence[LogId]) -> list[EndpointStats]:
        return await self._write(status.endpoint_stats, log_ids)

    async def stored_bytes(self) -> dict[str, int]:
        return await self._write(status.stored_bytes)

    async def subscription_stats(self, subscriptions: Sequence[str]) -> list[SubscriptionStats]:
        return await self._write(status.subscription_stats, subscriptions)

    async def activity(self) -> tuple[int, ...]:
        """Equal numbers mean that nothing has happened that statuses tell: cheap to ask for."""
        return await self._write(status.activity)

    async def find_event(self, event_id: str) -> tuple[LogEntry, Content]:
        return await self._write(listings.find_event, self._id_map, event_id)

    async def events(
        self,
        page: Page,
        log_id: LogId | None = None,
        sought: Sought = ANY_EVENT,
    ) -> Listed[EventRow]:
        return await self._write(listings.events, self._id_map, page, log_id, sought)

    async def deliveries(
        self,
        page: Page,
        subscription: str,
        states: frozenset[DeliveryState],
        interest: Interest = ANYTHING,
    ) -> Listed[DeliveryRow]:
        asked = (page, subscription, states, interest)
        return await self._write(listings.deliveries, self._id_map, *asked)

    async def attempts(
        self,
        page: Page,
        subscription: str | None = None,
        event_id: str | None = None,
        among: frozenset[str] | None = None,
    ) -> Listed[AttemptRow]:
        asked = (page, subscription, event_id, among)
        return await self._write(listings.attempts, self._id_map, *asked)

    # Housekeeping -------------------------------------------------------------------------------

    async def expire(self, retention: Retention, now: Millis) -> Expired:
        return await self._write(expire, retention, now)

    # --------------------------------------------------------------------------------------------

    async def _write(self, job: OnConnection[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self.connections.use(Purpose.OTHER) as db:
            return await job(db, *args, **kwargs)

    async def _in_session(self, job: OnConnection[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._session.use() as db:
            return await job(db, *args, **kwargs)

    async def _read(self, job: OnConnection[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self.connections.use(Purpose.READ) as db:
            return await job(db, *args, **kwargs)

    async def _commit_appends(
        self, purpose: Purpose, events: Sequence[NewEvent]
    ) -> Sequence[Appended | StoreError]:
        outcomes = await self._with_partitions(lambda: self._append(purpose, events))
        grown = logs_that_grew(events, outcomes)
        if grown:
            self._bridge.ring(Topic.EVENTS, grown)
        return outcomes

    async def _append(self, purpose: Purpose, events: Sequence[NewEvent]) -> list[ingest.Outcome]:
        """A connection that is lost while a group is on its way leaves open whether it was stored:
        the same group is sent once more, and what is found of it is its own. It is not divided any
        more then, so it waits for its locks."""
        sent = False
        try:
            async with self.connections.use(purpose) as db:
                sent = True
                return await ingest.append_group(db, events, again=False)
        except StoreUnavailable as error:
            if not (sent and is_unknown(error)):
                raise
        try:
            async with self.connections.use(Purpose.INGEST_HELD) as db:
                return await ingest.append_group(db, events, again=True)
        except LockTimeout as error:
            raise StoreUnavailable(str(error)) from error

    async def _find_held_logs(self, log_ids: set[LogId]) -> set[LogId]:
        async with self.connections.use(Purpose.INGEST_HELD) as db:
            return await ingest.find_held(db, log_ids)

    async def _commit_flushes(
        self, purpose: Purpose, flushes: Sequence[Flush]
    ) -> Sequence[StoreError | None]:
        return await self._with_partitions(lambda: self._write_flushes(purpose, flushes))

    async def _find_held_subscriptions(self, subscriptions: set[str]) -> set[str]:
        async with self.connections.use(Purpose.FLUSH_HELD) as db:
            return await flush.find_held(db, subscriptions)

    async def _write_flushes(
        self, purpose: Purpose, flushes: Sequence[Flush]
    ) -> Sequence[StoreError | None]:
        async with self.connections.use(purpose) as db:
            now = self._clock.now()
            return await flush.write_flushes(db, self._id_map, now, flushes, self._seen)

    async def _with_partitions(self, write: Callable[[], Awaitable[T]]) -> T:
        """Writes; where the partition of this era is missing, it is made first. So no process needs
        another one to make them ahead."""
        try:
            return await write()
        except MissingPartition:
            await self._write(make_partitions)
        return await write()

    async def _apply_config(self, db: Db, change: ConfigChange, now: Millis) -> tuple[int, bool]:
        applied = await config.apply_config(db, change, now, self._fence)
        await self._id_map.load(db)
        return applied

    async def _load_config(self, db: Db, after: int) -> tuple[int, list[ConfigRow]]:
        """Whoever follows the configuration knows the numbers of what is new, and under which uid
        something goes on that was made again."""
        version, rows = await config.load_config(db, after)
        living = [row for row in rows if row.document is not None]
        await self._id_map.know(
            db,
            endpoints=[x.uid for x in living if x.kind is ConfigKind.ENDPOINT],
            subscriptions=[x.uid for x in living if x.kind is ConfigKind.SUBSCRIPTION],
        )
        return version, rows

    def _missed(self) -> None:
        self._notifier.tell(Topic.CONFIG)
        self._notifier.tell(Topic.PROCESSES)
        for endpoint in self._id_map.endpoints:
            self._notifier.tell(Topic.EVENTS, endpoint)
        for subscription in self._id_map.subscriptions:
            self._notifier.tell(Topic.SUBSCRIPTION, subscription)
