"""One subscription whose row is locked holds up no other of its process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from hookplane.clock import SystemClock
from hookplane.errors import StoreUnavailable
from hookplane.store.delivery_store import Counters, NotPassed, Passage
from hookplane.store.postgres.driver import PostgresStore
from support.clocks.manual import ManualClock
from support.planes.store import Owner, Scene, closing_store
from support.postgres.server import connected, database

HOLD = "select 1 from hookplane.subscription where uid = 'held' for no key update"
ONE = Counters(filtered=1)


class Locked:
    """Two subscriptions with their owners, and somebody who has locked one of them."""

    def __init__(self, scene: Scene, held: Owner, free: Owner, lock: asyncpg.Connection) -> None:
        self.scene = scene
        self.held = held
        self.free = free
        self.lock = lock

    async def filtered(self, uid: str) -> int:
        return (await self.scene.status(uid)).counters.filtered


@pytest.fixture
async def locked() -> AsyncIterator[Locked]:
    async with (
        database() as settings,
        closing_store(PostgresStore.open(settings, SystemClock())) as store,
        connected(settings) as db,
    ):
        scene = Scene(store, ManualClock())
        await scene.endpoints("e")
        for uid in ("held", "free"):
            await scene.subscription(uid)
        yield Locked(scene, await scene.owner("held"), await scene.owner("free"), db)


async def test_a_group_of_flushes_loses_only_that_of_the_locked_one(locked: Locked) -> None:
    async with locked.lock.transaction():
        await locked.lock.execute(HOLD)
        held = asyncio.create_task(locked.held.flush(counters=ONE))
        await locked.free.flush(counters=ONE)
        for _ in range(3):  # also while it waits
            await locked.free.flush(counters=ONE)
        assert await locked.filtered("free") == 4
        assert await locked.filtered("held") == 0
        with pytest.raises(StoreUnavailable):
            await held


async def test_what_waits_for_the_lock_is_written_when_it_is_free(locked: Locked) -> None:
    async with locked.lock.transaction():
        await locked.lock.execute(HOLD)
        held = asyncio.create_task(locked.held.flush(counters=ONE))
        await locked.free.flush(counters=ONE)
    await held
    await locked.held.flush(counters=ONE)
    assert await locked.filtered("held") == 2


async def test_of_cursors_that_move_together_the_locked_ones_wait(locked: Locked) -> None:
    await locked.scene.fill(2)
    passages = [Passage(x.uid, x.claimed.epoch, "e", 2) for x in (locked.held, locked.free)]
    async with locked.lock.transaction():
        await locked.lock.execute(HOLD)
        outcome = await locked.scene.store.pass_over(passages)
        assert outcome == NotPassed(held=frozenset({"held"}))
        assert (await locked.filtered("free"), await locked.filtered("held")) == (2, 0)
    assert await locked.scene.store.pass_over(passages) == NotPassed()
    assert (await locked.filtered("free"), await locked.filtered("held")) == (2, 2)
