"""Stores and what goes into them, for tests that know the protocol only."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from hookplane.clock import Clock, Millis
from hookplane.ids import event_id
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow, CursorPlan
from hookplane.store.delivery_store import (
    Attempt,
    Claimed,
    Counters,
    Delivery,
    DeliveryState,
    Flush,
    NewReplay,
    ReplayJob,
    ReplayProgress,
)
from hookplane.store.event_log import Appended, LogEntry, NewEvent
from hookplane.store.postgres.connection import Purpose
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.protocol import Store
from hookplane.store.queries import Page, SubscriptionStats
from hookplane.store.sqlite.driver import SQLiteStore
from hookplane.store.sqlite.folder import DATABASE_FILE
from support.clocks.manual import START, ManualClock
from support.postgres.clock import DatabaseClock
from support.postgres.server import database, shared_server

HOUR: Millis = 3_600_000
DAY: Millis = 24 * HOUR
ERA: Millis = 6 * HOUR
"""What a partition of PostgreSQL holds."""

S = TypeVar("S", bound=Store)
OpenStore = Callable[[Path, ManualClock], AbstractAsyncContextManager[Store]]


@asynccontextmanager
async def closing_store(opening: Awaitable[S]) -> AsyncIterator[S]:
    """What `open` of a driver gives, until the end."""
    store = await opening
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def open_sqlite(folder: Path, clock: Clock) -> AsyncIterator[Store]:
    async with closing_store(SQLiteStore.open(folder, clock)) as store:
        yield store


@asynccontextmanager
async def open_postgres(_folder: Path, clock: ManualClock) -> AsyncIterator[Store]:
    """The database tells the time of the clock as well."""
    async with database() as settings:
        await DatabaseClock.install(settings, shared_server().folder, clock)
        async with closing_store(PostgresStore.open(settings, clock)) as store:
            yield store


DRIVERS: dict[str, OpenStore] = {"sqlite": open_sqlite, "postgres": open_postgres}
"""Every driver passes the conformance suite."""


async def lose(store: Store, folder: Path, *events: str) -> None:
    """The rows of these events are gone, though retention did not remove them. `folder`: that of
    SQLite."""
    if isinstance(store, PostgresStore):
        async with store.connections.use(Purpose.OTHER) as db:
            await db.execute("delete from event where event_id = any($1)", events)
        return
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as file, file:
        file.executemany("delete from event where event_id = ?", [(x,) for x in events])


class EventIds:
    """Event ids that grow and are the same in every run."""

    def __init__(self) -> None:
        self._random = Random(0)
        self._ticks = count()

    def next(self) -> str:
        return event_id(START + next(self._ticks), self._random.randbytes)


@dataclass
class Scene:
    """A store with a clock and short ways to do to it what the planes do."""

    store: Store
    clock: ManualClock
    ids: EventIds = field(default_factory=EventIds)

    async def endpoints(self, *uids: str, namespace: str = "", document: bytes = b"{}") -> None:
        """Configures endpoints."""
        rows = tuple(
            ConfigRow(ConfigKind.ENDPOINT, uid, document, namespace=namespace) for uid in uids
        )
        await self.store.apply_config(ConfigChange(upserts=rows))

    async def subscription(
        self, uid: str, endpoints: Sequence[str] = ("e",), start_from: str | Millis = "Latest"
    ) -> None:
        """Configures a subscription with its cursors."""
        row = ConfigRow(ConfigKind.SUBSCRIPTION, uid, b"{}")
        plan = CursorPlan(uid, tuple(endpoints), start_from)
        await self.store.apply_config(ConfigChange(upserts=(row,), cursors=(plan,)))

    async def delete(self, kind: ConfigKind, uid: str) -> int:
        return await self.store.apply_config(ConfigChange(deletes=((kind, uid),)))

    def event(self, endpoint: str = "e", **changes: Any) -> NewEvent:
        """A new event that arrives now."""
        event = NewEvent(
            endpoint=endpoint,
            event_id=self.ids.next(),
            received=self.clock.now(),
            type="order.created",
            headers=(("content-type", "application/json"),),
            body=b'{"order": 1}',
        )
        return replace(event, **changes)

    async def append(self, endpoint: str = "e", **changes: Any) -> Appended:
        return await self.store.append(self.event(endpoint, **changes))

    async def fill(self, number: int, endpoint: str = "e", **changes: Any) -> list[LogEntry]:
        """Appends so many events and returns them."""
        before = (await self.store.endpoint_stats([endpoint]))[0].accepted
        for _ in range(number):
            await self.append(endpoint, **changes)
        return await self.store.read_log(endpoint, before, number)

    async def owner(self, uid: str = "s") -> Owner:
        return Owner(self.store, uid, await self.store.claim(uid))

    async def status(self, uid: str = "s") -> SubscriptionStats:
        return (await self.store.subscription_stats([uid]))[0]

    async def states(self, uid: str = "s") -> dict[str, DeliveryState]:
        """Event id → state of all deliveries of a subscription."""
        rows = (await self.store.deliveries(Page(1_000), uid, frozenset())).rows
        assert len({row.entry.event_id for row in rows}) == len(rows)
        return {row.entry.event_id: row.state for row in rows}

    async def replay(self, uid: str = "r", **changes: Any) -> ReplayJob:
        new = NewReplay(uid, "default", uid, "s", self.clock.now())
        return await self.store.create_replay(replace(new, **changes))

    async def job(self, uid: str = "r") -> ReplayJob:
        return next(job for job in await self.store.replays() if job.uid == uid)


async def fill_namespaces(scene: Scene) -> None:
    """Three bytes in an endpoint of `shop`, and some in its built-in one, which are nobody's."""
    await scene.endpoints("a", namespace="shop", document=b'{"namespace":"shop","builtin":false}')
    await scene.endpoints("o", document=b'{"namespace":"shop","builtin":true}')
    await scene.append("a", body=b"xxx")
    await scene.append("o", body=b"notice")


class Owner:
    """Owns a subscription: numbers its flushes."""

    def __init__(self, store: Store, uid: str, claimed: Claimed) -> None:
        self.claimed = claimed
        self._store = store
        self.uid = uid
        self._number = claimed.flush_number

    async def flush(self, **content: Any) -> Flush:
        """Writes the next flush and returns it."""
        self._number += 1
        flush = Flush(self.uid, self.claimed.epoch, self._number)
        flush = replace(flush, **content)
        await self._store.flush(flush)
        return flush

    async def deliver(self, *entries: LogEntry) -> None:
        """All of these succeed, and everything before them is settled."""
        await self.flush(
            cursors={entry.endpoint: entry.sequence for entry in entries},
            removes=tuple((entry.endpoint, entry.sequence) for entry in entries),
            attempts=tuple(attempt(entry) for entry in entries),
            counters=Counters(delivered=len(entries), attempts=len(entries)),
        )

    async def skip(self, *entries: LogEntry) -> None:
        """None of these matches."""
        cursors = {entry.endpoint: entry.sequence for entry in entries}
        await self.flush(cursors=cursors, counters=Counters(filtered=len(entries)))

    async def hold(self, *deliveries: Delivery) -> None:
        """These have rows, and everything before them is settled."""
        cursors = {delivery.endpoint: delivery.sequence for delivery in deliveries}
        await self.flush(cursors=cursors, upserts=deliveries)

    async def advance(self, progress: ReplayProgress) -> None:
        await self.flush(replays=(progress,))


def attempt(entry: LogEntry, **changes: Any) -> Attempt:
    """A successful first try."""
    made = Attempt(
        entry.endpoint, entry.sequence, entry.event_id, entry.received, 1, 5, True, 200, "", b"ok"
    )
    return replace(made, **changes)


def delivery(
    entry: LogEntry, state: DeliveryState = DeliveryState.RETRYING, **changes: Any
) -> Delivery:
    """A row after one failed try."""
    row = Delivery(
        entry.endpoint,
        entry.sequence,
        entry.event_id,
        entry.type,
        state,
        attempts=1,
        due=START + HOUR,
        deadline=START + DAY,
        status_code=503,
        error="Service Unavailable",
    )
    return replace(row, **changes)
