"""Connections that end at the worst moment, and databases that go away and come back."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from hookplane.errors import StoreReplaced, StoreUnavailable, StoreUnfit
from hookplane.secret import Secret
from hookplane.store.access import StoreAccess
from hookplane.store.delivery_store import Counters, Flush
from hookplane.store.notifications import Topic
from hookplane.store.postgres.driver import PostgresStore
from support.clocks.manual import ManualClock
from support.planes.store import Scene, closing_store
from support.postgres.proxy import Cut, FaultProxy, fault_proxy
from support.postgres.server import PostgresServer, database, require_binaries, shared_server

EVENTS = 50
TRIES = 200


@asynccontextmanager
async def behind_proxy() -> AsyncIterator[tuple[Scene, FaultProxy]]:
    """A store with one endpoint `e`, reached through a proxy."""
    async with database() as settings, fault_proxy(shared_server().port) as proxy:
        port = str(shared_server().port)
        dsn = settings.dsn.reveal().decode().replace(f":{port}/", f":{proxy.port}/")
        clock = ManualClock()
        async with closing_store(
            PostgresStore.open(replace(settings, dsn=Secret(dsn)), clock)
        ) as store:
            scene = Scene(store, clock)
            await scene.endpoints("e")
            await scene.append()  # its statement is prepared now
            yield scene, proxy


async def append_again(scene: Scene, **changes: Any) -> None:
    """Until the store is back."""
    for _ in range(TRIES):
        try:
            await scene.append(**changes)
        except StoreUnavailable:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("the store did not come back")


@pytest.mark.parametrize("cut", list(Cut))
@pytest.mark.parametrize("key", [None, b"key"])
async def test_a_group_whose_fate_is_unknown_is_stored_once(cut: Cut, key: bytes | None) -> None:
    async with behind_proxy() as (scene, proxy):
        proxy.cut_next(b"a marked body", cut)
        appended = await scene.append(body=b"a marked body", dedup_key=key, dedup_window=60_000)
        assert proxy.cuts == 1
        assert not appended.duplicate
        log = await scene.store.read_log("e", 1, 10)
        assert [entry.event_id for entry in log] == [appended.event_id]


@pytest.mark.parametrize("cut", list(Cut))
async def test_a_flush_whose_fate_is_unknown_counts_once(cut: Cut) -> None:
    async with behind_proxy() as (scene, proxy):
        await scene.subscription("a-marked-subscription")
        claimed = await scene.store.claim("a-marked-subscription")
        flush = Flush("a-marked-subscription", claimed.epoch, 1, counters=Counters(delivered=1))
        proxy.cut_next(b"a-marked-subscription", cut)
        with pytest.raises(StoreUnavailable):
            await scene.store.flush(flush)
        assert proxy.cuts == 1
        await scene.store.flush(flush)
        assert (await scene.status("a-marked-subscription")).counters.delivered == 1


async def test_connections_that_are_cut_are_made_again() -> None:
    async with behind_proxy() as (scene, proxy):
        for _ in range(5):
            proxy.cut()
            await append_again(scene)
        assert len(await scene.store.read_log("e", 0, 100)) >= 6


async def test_wake_ups_come_again_after_a_cut() -> None:
    async with behind_proxy() as (scene, proxy):
        heard = asyncio.Event()
        scene.store.listen(Topic.CONFIG, lambda _: heard.set())
        proxy.cut()
        await asyncio.wait_for(heard.wait(), 30)


async def test_a_store_that_does_not_answer_is_unavailable() -> None:
    async with behind_proxy() as (scene, proxy):
        proxy.freeze()
        with pytest.raises(StoreUnavailable):
            await scene.append()
        proxy.thaw()
        await append_again(scene)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    server = PostgresServer(require_binaries()).create().start()
    yield server
    server.remove()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGQUIT])
async def test_a_restart_loses_nothing(own_server: PostgresServer, sent: signal.Signals) -> None:
    async with database(own_server) as settings:
        clock = ManualClock()
        async with closing_store(PostgresStore.open(settings, clock)) as store:
            scene = Scene(store, clock)
            await scene.endpoints("e")
            accepted = {(await scene.append()).event_id for _ in range(EVENTS)}
            await asyncio.to_thread(own_server.stop, sent)
            with pytest.raises(StoreUnavailable):
                await scene.append()
            await asyncio.to_thread(own_server.start)
            await append_again(scene)
            found = {entry.event_id for entry in await store.read_log("e", 0, 1_000)}
            assert accepted <= found


async def test_a_promoted_standby_is_another_database(own_server: PostgresServer) -> None:
    standby = PostgresServer(require_binaries())
    try:
        async with database(own_server) as settings:
            name = settings.dsn.reveal().decode().rpartition("/")[2].partition("?")[0]
            await asyncio.to_thread(standby.copy_of, own_server)
            await asyncio.to_thread(standby.start)
            both = (
                f"postgresql://postgres@127.0.0.1:{own_server.port},127.0.0.1:{standby.port}"
                f"/{name}?sslmode=disable"
            )
            async with closing_store(
                PostgresStore.open(StoreAccess(Secret(both)), ManualClock())
            ) as store:
                scene = Scene(store, ManualClock())
                await scene.endpoints("e")
                await asyncio.to_thread(own_server.stop, signal.SIGQUIT)
                await asyncio.to_thread(standby.promote)
                with pytest.raises(StoreReplaced):
                    await scene.endpoints("f")
            await asyncio.to_thread(own_server.start)  # to drop the database
    finally:
        standby.remove()


async def test_a_missing_schema_is_said() -> None:
    server = shared_server()
    with pytest.raises(StoreUnfit, match="hookplane migrate"):
        await PostgresStore.open(server.settings("postgres"), ManualClock())


async def test_a_missing_database_is_said() -> None:
    with pytest.raises(StoreUnfit, match="nowhere"):
        await PostgresStore.open(shared_server().settings("nowhere"), ManualClock())
