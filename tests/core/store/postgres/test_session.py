"""What others see of the connection of a process: killed, cut, frozen, or of a server before."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from hookplane.clock import SystemClock
from hookplane.errors import LeaseLost, OwnedElsewhere, StoreUnavailable
from hookplane.process.membership import Membership
from hookplane.secret import Secret
from hookplane.store.access import StoreAccess
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.postgres.session import SETTINGS
from hookplane.store.process_registry import Presence, Role, Sighting
from support.clocks.until import until
from support.planes.store import closing_store
from support.postgres.proxy import fault_proxy
from support.postgres.server import (
    PostgresServer,
    connected,
    database,
    require_binaries,
    shared_server,
)

CHILD = Path(__file__).with_name("register_until_killed.py")
READY = Presence(ready=True, version=1)
OF_THE_VERSION_BEFORE = """
insert into hookplane.process (role, instance, registered_at, expires_at)
values ('dispatcher', 'old', 0, 1) returning process
"""
NOW_MILLIS = """
create or replace function hookplane.now_millis() returns bigint language sql volatile as
$$ select (extract(epoch from clock_timestamp()) * 1000)::bigint + %d $$
"""
BEAT_OF_THE_VERSION_BEFORE = "update hookplane.process set expires_at = 1 where instance = 'old'"


class Registered:
    """A process with a store of its own."""

    def __init__(self, settings: StoreAccess, store: PostgresStore, process: int) -> None:
        self.settings = settings
        self.store = store
        self.process = process

    async def sees(self, process: int) -> Sighting:
        """What it sees of another one."""
        (found,) = [x for x in await self.store.look(self.process) if x.process == process]
        return found

    async def looks_again(self) -> None:
        """However often it must; raises LeaseLost."""

        async def looked() -> bool:
            try:
                await self.store.look(self.process)
            except StoreUnavailable:
                return False
            return True

        await until(looked, "a look that succeeds")


@asynccontextmanager
async def registered(settings: StoreAccess, name: str) -> AsyncIterator[Registered]:
    async with closing_store(PostgresStore.open(settings, SystemClock())) as store:
        yield Registered(settings, store, await store.register(Role.DISPATCHER, name, READY))


@asynccontextmanager
async def two(server: PostgresServer | None = None) -> AsyncIterator[tuple[Registered, Registered]]:
    async with (
        database(server) as settings,
        registered(settings, "a") as a,
        registered(settings, "b") as b,
    ):
        yield a, b


async def cut(of: Registered) -> None:
    """Ends its connection from the server's side, and returns when it has ended."""
    async with connected(of.settings) as db:
        session = "select session from hookplane.process where process = $1"
        pid = await db.fetchval(session, of.process)
        await db.execute("select pg_terminate_backend($1)", pid)

        async def ended() -> bool:
            return not await db.fetchval("select 1 from pg_stat_activity where pid = $1", pid)

        await until(ended, "the connection to end")


async def test_who_was_killed_is_gone() -> None:
    async with database() as settings, registered(settings, "watches") as watcher:
        command = [sys.executable, str(CHILD), settings.dsn.reveal().decode()]
        child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert child.stdout is not None
        process = int(await child.stdout.readline())
        assert not (await watcher.sees(process)).gone
        child.kill()
        await child.wait()

        async def gone() -> bool:
            return (await watcher.sees(process)).gone

        await until(gone, "the killed one to be seen as gone")


async def test_a_connection_that_was_cut_is_made_again_and_tells_so() -> None:
    async with two() as (a, b):
        before = await b.sees(a.process)
        await cut(a)
        gone = await b.sees(a.process)
        assert gone == Sighting(a.process, before.pulse, gone=True)
        await a.looks_again()
        after = await b.sees(a.process)
        assert not after.gone
        await b.store.declare_dead([gone])  # a moment too late
        assert await b.sees(a.process) == after
        await cut(a)
        assert (await b.sees(a.process)).gone


async def test_who_comes_back_too_late_learns_it_from_the_first_look() -> None:
    async with two() as (a, b):
        await cut(a)
        await b.store.declare_dead([await b.sees(a.process)])
        with pytest.raises(LeaseLost):
            await a.looks_again()
        again = await a.store.register(Role.DISPATCHER, "a", READY)
        assert not (await b.sees(again)).gone


async def test_a_registration_made_over_a_new_connection_is_seen() -> None:
    async with two() as (a, b):
        await cut(a)
        await b.looks_again()
        process = a.process

        async def made() -> bool:
            nonlocal process
            try:
                process = await a.store.register(Role.DISPATCHER, "a", READY)
            except StoreUnavailable:
                return False
            return True

        await until(made, "another registration")
        assert [x.process for x in await b.store.look(b.process)] == [process]
        assert not (await b.sees(process)).gone


async def test_a_server_that_was_restarted_tells_of_nobody_until_he_is_back() -> None:
    server = PostgresServer(require_binaries()).create().start()
    try:
        async with two(server) as (a, b):
            server.restart()
            await b.looks_again()
            assert not (await b.sees(a.process)).gone
            await a.looks_again()
            assert not (await b.sees(a.process)).gone
            await cut(a)
            assert (await b.sees(a.process)).gone
    finally:
        server.remove()


async def test_heartbeats_of_the_version_before_are_seen() -> None:
    """It holds no lock, and knows of no pulse."""
    async with database() as settings, registered(settings, "a") as a, connected(settings) as db:
        old = await db.fetchval(OF_THE_VERSION_BEFORE)
        first = await a.sees(old)
        assert (first.gone, await a.sees(old)) == (False, first)
        await db.execute(BEAT_OF_THE_VERSION_BEFORE)
        second = await a.sees(old)
        assert second.pulse != first.pulse
        await a.store.declare_dead([first])
        assert await a.sees(old) == second
        await a.store.declare_dead([second])
        assert await a.store.look(a.process) == []


async def test_a_connection_that_does_not_answer_is_given_up() -> None:
    async with database() as settings, fault_proxy(shared_server().port) as proxy:
        port = str(shared_server().port)
        dsn = settings.dsn.reveal().decode().replace(f":{port}/", f":{proxy.port}/")
        async with registered(replace(settings, dsn=Secret(dsn)), "a") as a:
            proxy.freeze()
            with pytest.raises(StoreUnavailable):
                await a.store.look(a.process)
            proxy.thaw()
            await a.looks_again()


async def test_a_wait_that_is_cancelled_leaves_nothing_behind() -> None:
    """What it asked for must not be taken for the answer of the next one."""
    async with two() as (a, b):
        for _ in range(5):
            looking = asyncio.create_task(a.store.look(a.process))
            await asyncio.sleep(0)
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        assert [x.process for x in await a.store.look(a.process)] == [b.process]
        assert [x.process for x in await a.store.heartbeat(a.process, READY)] == [
            a.process,
            b.process,
        ]


async def test_the_server_asks_for_a_machine_that_says_nothing() -> None:
    """One that is gone sends no end of its connections."""
    async with two() as (a, _):
        db = await a.store.connections.connect("session", SETTINGS)
        try:
            rows = await db.fetch("select name, setting from pg_settings")
        finally:
            await db.close()
        in_force = {row["name"]: row["setting"] for row in rows}
        assert SETTINGS.items() <= in_force.items()


@pytest.mark.parametrize("jump", [-3_600_000, 8_500, 3_600_000])
async def test_no_step_of_the_clock_of_the_database_decides_who_owns(jump: int) -> None:
    """What a live process owns stays its own; what a dead one owned goes to the next."""
    async with two() as (a, b), connected(a.settings) as db:
        row = ConfigRow(ConfigKind.SUBSCRIPTION, "s", b"{}")
        await a.store.apply_config(ConfigChange(upserts=(row,)))
        await a.store.claim("s", a.process)
        await db.execute(NOW_MILLIS % jump)
        assert len(await b.store.heartbeat(b.process, READY)) == 2
        with pytest.raises(OwnedElsewhere):
            await b.store.claim("s", b.process)
        await a.store.heartbeat(a.process, READY)
        await a.store.claim("s", a.process)
        watching = Membership(b.store, Role.DISPATCHER, "c", SystemClock(), lambda: READY)
        await watching.start()
        try:
            await a.store.close()  # without leaving

            async def claimed() -> bool:
                with suppress(OwnedElsewhere):
                    await b.store.claim("s", watching.process)
                    return True
                return False

            await until(claimed, "the subscription of the dead one")
        finally:
            await watching.stop()


async def test_a_locked_row_of_one_process_ends_nobody_elses_session() -> None:
    """Somebody holds the row of a dead process: the others are declared dead all the same, and
    whoever declares it stays."""
    async with two() as (a, b), registered(a.settings, "c") as c:
        await asyncio.gather(cut(b), cut(c))
        gone = [await a.sees(b.process), await a.sees(c.process)]
        async with connected(a.settings) as db, db.transaction():
            lock = "select 1 from hookplane.process where process = $1 for update"
            await db.execute(lock, b.process)
            await a.store.declare_dead(gone)
            assert [x.process for x in await a.store.look(a.process)] == [b.process]
        await a.store.declare_dead(gone)
        assert await a.store.look(a.process) == []


async def test_a_locked_row_of_one_that_ended_long_ago_lets_others_register() -> None:
    async with database() as settings, connected(settings) as db:
        old = await db.fetchval(OF_THE_VERSION_BEFORE)
        await db.execute("update hookplane.process set ended = true where process = $1", old)
        async with db.transaction():
            await db.execute("select 1 from hookplane.process where process = $1 for update", old)
            async with registered(settings, "a") as a:
                assert a.process != old
