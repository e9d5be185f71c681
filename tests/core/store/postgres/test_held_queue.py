"""One log whose head is locked holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest

from hookplane.clock import SystemClock
from hookplane.errors import StoreBusy, StoreUnavailable, UnknownObject
from hookplane.store.access import StoreAccess
from hookplane.store.event_log import Appended, LogId, NewEvent
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.postgres.faults import LockTimeout
from hookplane.store.postgres.held_queue import HELD_APPENDS, AppendQueue, HeldQueue
from hookplane.store.write_groups import APPENDS
from support.clocks.manual import ManualClock
from support.clocks.until import until
from support.planes.store import Scene, closing_store
from support.postgres.server import database

HEAD = "select 1 from hookplane.endpoint where uid = 'held' for no key update"
PARTITIONS = "lock table hookplane.event in access exclusive mode"
WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"

# On a real database -----------------------------------------------------------------------------


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Scene, StoreAccess]]:
    async with (
        database() as settings,
        closing_store(PostgresStore.open(settings, SystemClock())) as store,
    ):
        scene = Scene(store, ManualClock())
        await scene.endpoints("held", "f", "g")
        yield scene, settings


@asynccontextmanager
async def locked(settings: StoreAccess, statement: str) -> AsyncIterator[None]:
    db = await asyncpg.connect(settings.dsn.reveal().decode())
    try:
        async with db.transaction():
            await db.execute(statement)
            yield
    finally:
        await db.close()


async def until_waiting(settings: StoreAccess) -> None:
    """Until somebody waits for a lock."""
    db = await asyncpg.connect(settings.dsn.reveal().decode())
    try:

        async def waiting() -> bool:
            return bool(await db.fetchval(WAITING))

        await until(waiting, "somebody to wait for a lock")
    finally:
        await db.close()


async def test_a_group_loses_only_what_goes_to_the_locked_head() -> None:
    async with opened() as (scene, settings):
        async with locked(settings, HEAD):
            held = asyncio.create_task(scene.append("held"))
            free = [asyncio.create_task(scene.append(x)) for x in ("f", "g", "f")]
            stored = await asyncio.gather(*free)  # while the lock is held
            for _ in range(3):
                stored.append(await scene.append("g"))
        assert not any(x.duplicate for x in stored)
        accepted = not isinstance(
            (await asyncio.gather(held, return_exceptions=True))[0], Exception
        )
        stats = await scene.store.endpoint_stats(["held", "f", "g"])
        assert [x.accepted for x in stats] == [int(accepted), 2, 4]


async def test_what_waits_is_stored_when_the_lock_is_free() -> None:
    async with opened() as (scene, settings):
        async with locked(settings, HEAD):
            held = [asyncio.create_task(scene.append("held")) for _ in range(3)]
            await until_waiting(settings)
        found = await asyncio.gather(*held)
        assert len({x.event_id for x in found}) == 3
        assert len(await scene.store.read_log("held", 0, 10)) == 3


async def test_other_locks_are_waited_for_together() -> None:
    """As while a partition goes: no head is held, and nothing is told apart."""
    async with opened() as (scene, settings):
        async with locked(settings, PARTITIONS):
            waiting = [asyncio.create_task(scene.append(x)) for x in ("held", "f")]
            await until_waiting(settings)
        found = await asyncio.gather(*waiting)
        assert not any(x.duplicate for x in found)


async def test_a_log_that_is_not_there_is_not_held() -> None:
    async with opened() as (scene, settings):
        async with locked(settings, HEAD):
            names = ("held", "nowhere", "f")
            held, nowhere, free = (asyncio.create_task(scene.append(x)) for x in names)
            with pytest.raises(UnknownObject):
                await nowhere
            await free
        await asyncio.gather(held, return_exceptions=True)


# With a store that the test holds ---------------------------------------------------------------


class Held:
    """Stores everything but what goes to logs that are held."""

    def __init__(self) -> None:
        self.held: set[LogId] = set()
        self.groups: list[tuple[str, list[LogId]]] = []
        self.gate = asyncio.Event()
        self.unseen = False
        """Nobody is found to hold what is held."""
        self.queue: AppendQueue = HeldQueue(
            HELD_APPENDS, self._commit, self._find_held, self._commit_held
        )

    async def _commit(self, events: Sequence[NewEvent]) -> list[Appended]:
        self.groups.append(("all", [x.endpoint for x in events]))
        if any(x.endpoint in self.held for x in events):
            raise LockTimeout("held")
        return [Appended(x.event_id) for x in events]

    async def _find_held(self, logs: set[LogId]) -> set[LogId]:
        return set() if self.unseen else logs & self.held

    async def _commit_held(self, events: Sequence[NewEvent]) -> list[Appended]:
        self.groups.append(("held", [x.endpoint for x in events]))
        await self.gate.wait()
        return [Appended(x.event_id) for x in events]

    def submit(self, log: LogId, size: int = 0) -> asyncio.Task[Appended]:
        number = len(self.groups)
        event = NewEvent(log, f"evt_{number}", 0, "t", (), bytes(size))
        return asyncio.create_task(self.queue.submit(event))


@pytest.fixture
def store() -> Held:
    return Held()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_held_log_has_a_queue_of_its_own_until_it_is_free(store: Held) -> None:
    store.held.add("e")
    first = store.submit("e")
    await settle()
    second = store.submit("e")
    await settle()
    assert store.groups == [("all", ["e"]), ("held", ["e"])]
    store.gate.set()
    await asyncio.gather(first, second)
    store.held.clear()
    await store.submit("e")
    assert store.groups == [("all", ["e"]), ("held", ["e"]), ("held", ["e"]), ("all", ["e"])]


async def test_what_is_held_after_all_is_left_out_as_well(store: Held) -> None:
    store.held |= {"e", "f"}
    free, *held = (store.submit(x) for x in ("g", "e", "f"))
    await free
    await settle()
    assert store.groups[:2] == [("all", ["g", "e", "f"]), ("all", ["g"])]
    assert sorted(store.groups[2:]) == [("held", ["e"]), ("held", ["f"])]
    store.gate.set()
    await asyncio.gather(*held)


async def test_a_lock_that_nobody_holds_is_tried_a_few_times_only(store: Held) -> None:
    store.held.add("e")
    store.unseen = True
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.submit("e")


async def hold(store: Held, log: LogId) -> None:
    store.held.add(log)
    store.submit(log)
    await settle()


async def test_one_held_log_keeps_a_quarter_of_the_room(store: Held) -> None:
    await hold(store, "e")
    size = HELD_APPENDS.one_held.queue_weight // 4
    tasks = [store.submit("e", size) for _ in range(5)]
    await settle()
    full = [x for x in tasks if x.done()]
    assert [type(x.exception()) for x in full] == [StoreBusy] * 2
    assert (await store.submit("f", size)).event_id
    store.gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_all_held_logs_leave_room_for_the_free_ones(store: Held) -> None:
    logs = [f"e{number}" for number in range(4)]
    for log in logs:
        await hold(store, log)
    size = HELD_APPENDS.one_held.queue_weight - (1 << 20)
    tasks = [store.submit(log, size) for log in logs]
    await settle()
    assert [x.done() for x in tasks] == [False, False, True, True]
    await store.submit("f", APPENDS.queue_weight - HELD_APPENDS.all_held - (1 << 20))
    store.gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_closing_waits_for_what_is_held_and_refuses_the_rest(store: Held) -> None:
    await hold(store, "e")
    waiting = store.submit("e")
    await settle()
    closing = asyncio.create_task(store.queue.close())
    await settle()
    assert not closing.done()
    for log in ("e", "f"):
        with pytest.raises(StoreUnavailable, match="closing"):
            await store.submit(log)
    store.gate.set()
    await closing
    assert (await waiting).event_id
