"""Migrations: forward only, one at a time, and the version before goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hookplane.errors import StoreUnfit
from hookplane.store.access import StoreAccess
from hookplane.store.dedup_identity import body_fingerprint
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.event_log import Appended
from hookplane.store.maintenance import Retention
from hookplane.store.postgres import migrate as module
from hookplane.store.postgres.connection import Connections, Purpose
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.postgres.migrate import migrate, migrations
from support.clocks.manual import ManualClock
from support.planes.store import DAY, Scene, closing_store, fill_namespaces
from support.postgres import version_before
from support.postgres.clock import DatabaseClock
from support.postgres.server import database, shared_server

NEXT = """
alter table event add column made_up text not null default '';
create table made_up (id integer primary key);
"""

ONE_DAY = Retention(DAY, DAY, 1 << 40)

TAKEN_BACK = {
    21: "alter table replay drop column not_found",
    20: "drop index delivery_by_key; alter table delivery drop column event_key",
    19: "drop function append_5; alter table event drop column key",
    18: "drop function append_4",
    17: "drop table absence",
    16: "drop function append_3; alter table endpoint drop column back_at",
    15: "drop function arrived_1",
    14: "alter table store drop column holder",
    13: "alter table config drop column place",
    12: "select 'it replaces a function and adds nothing'",
    11: "drop index delivery_by_due",
    10: "drop index delivery_by_replay",
    9: "alter table process drop column session, drop column server",
    8: "drop function append_2",
    7: "alter table subscription drop column touched; "
    "alter table cursor drop column skipped_after, drop column skipped_upto",
    6: "drop function partition_in_use_1",
    5: "alter table subscription drop column known_endpoint",
    4: "drop table hidden; drop function raise_floor_1, pack_partition_1",
    3: "alter table endpoint drop column namespace",
}
"""What leaves of each migration nothing that its next run would stumble over."""


async def go_back(db: Db, to: int) -> None:
    """To the schema of an earlier version."""
    for version in range(len(migrations()), to, -1):
        await db.execute(TAKEN_BACK[version])
        await db.execute("delete from migration where version = $1", version)


@asynccontextmanager
async def empty() -> AsyncIterator[StoreAccess]:
    """A database without a schema."""
    server = shared_server()
    async with server.admin() as db:
        await db.execute("create database bare")
    try:
        yield server.settings("bare")
    finally:
        await server.drop_database("bare")


@asynccontextmanager
async def clocked() -> AsyncIterator[tuple[StoreAccess, PostgresStore, Scene]]:
    """A database that tells the time of the scene's clock, with an endpoint `e`."""
    async with database() as settings:
        clock = ManualClock()
        await DatabaseClock.install(settings, shared_server().folder, clock)
        async with closing_store(PostgresStore.open(settings, clock)) as store:
            scene = Scene(store, clock)
            await scene.endpoints("e")
            yield settings, store, scene


async def run(settings: StoreAccess) -> tuple[int, int]:
    db = await Connections(settings).connect("migrate")
    try:
        return await migrate(db)
    finally:
        await db.close()


async def test_it_is_done_once() -> None:
    async with empty() as settings:
        newest = len(migrations())
        assert await run(settings) == (0, newest)
        assert await run(settings) == (newest, newest)


async def test_several_at_once_do_it_once() -> None:
    async with empty() as settings:
        newest = len(migrations())
        found = await asyncio.gather(*(run(settings) for _ in range(4)))
        assert sorted(found) == [(0, newest)] + [(newest, newest)] * 3


async def test_without_it_nothing_starts() -> None:
    async with empty() as settings:
        with pytest.raises(StoreUnfit, match="run `hookplane migrate` first"):
            await PostgresStore.open(settings, ManualClock())


async def test_one_that_fails_leaves_the_version_before(monkeypatch: pytest.MonkeyPatch) -> None:
    async with database() as settings:
        scripts = migrations()
        monkeypatch.setattr(module, "migrations", lambda: [*scripts, "create table x (y nothing)"])
        with pytest.raises(Exception, match="nothing"):
            await run(settings)
        monkeypatch.undo()
        assert await run(settings) == (len(scripts), len(scripts))


async def test_data_of_the_version_before_knows_whose_it_is() -> None:
    async with database() as settings:
        clock = ManualClock()
        async with closing_store(PostgresStore.open(settings, clock)) as store:
            await fill_namespaces(Scene(store, clock))
            async with store.connections.use(Purpose.OTHER) as db:
                await go_back(db, to=2)
            assert (await run(settings))[0] == 2
            assert await store.stored_bytes() == {"shop": 3}


async def test_a_subscription_of_the_version_before_joins_later_endpoints_at_their_heads() -> None:
    async with database() as settings:
        clock = ManualClock()
        async with closing_store(PostgresStore.open(settings, clock)) as store:
            scene = Scene(store, clock)
            await scene.subscription("s", [])
            async with store.connections.use(Purpose.OTHER) as db:
                await go_back(db, to=4)
            await run(settings)
            await scene.endpoints("f")
            await scene.append("f")
            await scene.subscription("s", ["f"])
            assert (await scene.status()).pending == 0


async def test_what_the_version_before_stores_is_read_and_goes_when_it_is_old() -> None:
    """Before its schema was changed, and since: a process of that version goes on."""
    async with clocked() as (settings, store, scene):
        clock = scene.clock
        async with store.connections.use(Purpose.OTHER) as db:
            await go_back(db, to=14)
            await version_before.append_before_eras(db, "evt_1", clock.now())
            assert (await run(settings))[0] == 14
            await version_before.append_before_eras(db, "evt_2", clock.now())
        await scene.append(event_id="evt_3")
        read = await store.read_log("e", 0, 10)
        assert [x.event_id for x in read] == ["evt_1", "evt_2", "evt_3"]
        assert len(await store.read_contents("e", [1, 2, 3])) == 3
        clock.advance(DAY)
        assert (await store.expire(ONE_DAY, clock.now())).events == 0
        clock.advance(1)
        assert (await store.expire(ONE_DAY, clock.now())).events == 3


async def test_the_version_before_and_this_one_know_each_others_keys() -> None:
    async with clocked() as (_, store, scene):
        clock = scene.clock
        print_, until = body_fingerprint(b""), clock.now() + DAY
        ours = await scene.append(body=b"", dedup_key=b"ours", dedup_window=DAY)
        async with store.connections.use(Purpose.OTHER) as db:
            first = await version_before.append(db, "evt_1", clock.now(), b"theirs", print_, until)
            repeat = await version_before.append(db, "evt_2", clock.now(), b"ours", print_, until)
        assert (first, repeat) == (None, ours.event_id)
        repeated = await scene.append(body=b"", dedup_key=b"theirs", dedup_window=DAY)
        assert repeated == Appended("evt_1", duplicate=True)


async def test_the_version_before_stores_events_without_keys_beside_this_one() -> None:
    """Also when a copy of a partition had begun, which is made anew with the new column."""
    async with clocked() as (settings, store, scene):
        clock = scene.clock
        async with store.connections.use(Purpose.OTHER) as db:
            await go_back(db, to=18)
            await version_before.append_before_keys(db, "evt_1", clock.now())
            await db.execute("create table event_7_packed (like event)")
            await run(settings)
            assert await db.fetchval("select to_regclass('event_7_packed')") is None
            await version_before.append_before_keys(db, "evt_2", clock.now())
        await scene.append(event_id="evt_3", key="cus_1")
        read = await store.read_log("e", 0, 10)
        assert [(x.event_id, x.key) for x in read] == [
            ("evt_1", ""),
            ("evt_2", ""),
            ("evt_3", "cus_1"),
        ]


async def test_the_version_before_writes_deliveries_beside_this_one() -> None:
    """They have no key, and wait for nobody."""
    async with clocked() as (settings, store, scene):
        await scene.subscription("s")
        first, second = await scene.fill(2)
        async with store.connections.use(Purpose.OTHER) as db:
            await go_back(db, to=19)
            await version_before.hold(db, first.sequence)
            await run(settings)
            await version_before.hold(db, second.sequence)
        claimed = await store.claim("s")
        assert [(x.sequence, x.event_key) for x in claimed.deliveries] == [(1, ""), (2, "")]
        assert claimed.behind == 0


async def test_what_a_leave_expired_before_is_told_with_the_rights_that_there_were() -> None:
    async with database() as settings:
        clock = ManualClock()
        async with closing_store(PostgresStore.open(settings, clock)) as store:
            scene = Scene(store, clock)
            await scene.endpoints("e")
            await scene.subscription("s")
            (entry,) = await scene.fill(1)
            for endpoints in ([], ["e"]):
                await scene.subscription("s", endpoints)
            async with store.connections.use(Purpose.OTHER) as db:
                await go_back(db, to=16)
                await db.execute("create role writer; grant delete on cursor to writer, public")
                await run(settings)
                granted = "select has_table_privilege('writer', 'absence', 'insert')"
                assert await db.fetchval(granted)
                await db.execute("drop owned by writer; drop role writer")
            assert await scene.states() == {entry.event_id: DeliveryState.EXPIRED}


async def test_an_old_process_goes_on_with_the_next_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    async with database() as settings:
        clock = ManualClock()
        async with closing_store(PostgresStore.open(settings, clock)) as running:
            scene = Scene(running, clock)
            await scene.endpoints("e")
            await scene.append()
            scripts = migrations()
            monkeypatch.setattr(module, "migrations", lambda: [*scripts, NEXT])
            assert await run(settings) == (len(scripts), len(scripts) + 1)
            monkeypatch.undo()
            await scene.append()
            # back to the version before
            async with closing_store(PostgresStore.open(settings, clock)) as again:
                await Scene(again, clock, scene.ids).append()
                assert len(await again.read_log("e", 0, 10)) == 3
