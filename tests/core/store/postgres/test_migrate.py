"""Migrations: forward only, one at a time, and the version before goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hookplane.errors import StoreUnfit
from hookplane.store.access import StoreAccess
from hookplane.store.postgres import migrate as module
from hookplane.store.postgres.connection import Connections, Purpose
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.postgres.migrate import migrate, migrations
from support.clocks.manual import ManualClock
from support.planes.store import Scene, fill_namespaces
from support.postgres.server import database, shared_server

NEXT = """
alter table event add column made_up text not null default '';
create table made_up (id integer primary key);
"""

TAKEN_BACK = {
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
        store = await PostgresStore.open(settings, clock)
        try:
            await fill_namespaces(Scene(store, clock))
            async with store.connections.use(Purpose.OTHER) as db:
                await go_back(db, to=2)
            assert (await run(settings))[0] == 2
            assert await store.stored_bytes() == {"shop": 3}
        finally:
            await store.close()


async def test_a_subscription_of_the_version_before_joins_later_endpoints_at_their_heads() -> None:
    async with database() as settings:
        clock = ManualClock()
        store = await PostgresStore.open(settings, clock)
        try:
            scene = Scene(store, clock)
            await scene.subscription("s", [])
            async with store.connections.use(Purpose.OTHER) as db:
                await go_back(db, to=4)
            await run(settings)
            await scene.endpoints("f")
            await scene.append("f")
            await scene.subscription("s", ["f"])
            assert (await scene.status()).pending == 0
        finally:
            await store.close()


async def test_an_old_process_goes_on_with_the_next_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    async with database() as settings:
        clock = ManualClock()
        running = await PostgresStore.open(settings, clock)
        try:
            scene = Scene(running, clock)
            await scene.endpoints("e")
            await scene.append()
            scripts = migrations()
            monkeypatch.setattr(module, "migrations", lambda: [*scripts, NEXT])
            assert await run(settings) == (len(scripts), len(scripts) + 1)
            monkeypatch.undo()
            await scene.append()
            again = await PostgresStore.open(settings, clock)  # back to the version before
            try:
                await Scene(again, clock, scene.ids).append()
                assert len(await again.read_log("e", 0, 10)) == 3
            finally:
                await again.close()
        finally:
            await running.close()
