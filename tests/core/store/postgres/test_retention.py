"""No clock alone removes anything: that of a process, that of the database, that of a receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hookplane.clock import Millis, SystemClock
from hookplane.store.maintenance import Expired, Retention
from hookplane.store.postgres.connection import Purpose
from hookplane.store.postgres.driver import PostgresStore
from support.clocks.manual import ManualClock
from support.planes.store import DAY, Scene
from support.postgres.server import database

WEEK = Retention(7 * DAY, 7 * DAY, 1 << 40)
NOW_MILLIS = """
create or replace function now_millis() returns bigint language sql volatile as
$$ select (extract(epoch from clock_timestamp()) * 1000)::bigint + %d $$
"""


async def shift_database(scene: Scene, millis: Millis) -> None:
    """The database tells a time that is so much later."""
    assert isinstance(scene.store, PostgresStore)
    async with scene.store.connections.use(Purpose.OTHER) as db:
        await db.execute(NOW_MILLIS % millis)


@pytest.fixture
async def backlog() -> AsyncIterator[Scene]:
    """Twenty events of now, and nobody has read them."""
    async with database() as settings:
        clock = ManualClock(SystemClock().now())
        store = await PostgresStore.open(settings, clock)
        try:
            scene = Scene(store, clock)
            await scene.endpoints("e")
            await scene.subscription("s")
            await scene.fill(20)
            yield scene
        finally:
            await store.close()


async def test_what_is_held_by_others_is_left_for_another_step(backlog: Scene) -> None:
    """Appends to the endpoint would wait as long as retention waits for a subscription."""
    store = backlog.store
    assert isinstance(store, PostgresStore)
    await backlog.endpoints("f")
    await backlog.fill(5, "f")
    backlog.clock.advance(8 * DAY)
    await shift_database(backlog, 8 * DAY)
    async with store.connections.use(Purpose.READ) as db, db.transaction():
        await db.execute("select 1 from subscription where uid = 's' for no key update")
        step = await store.expire(WEEK, backlog.clock.now())
        assert (step.events, step.skipped_deliveries) == (5, 0)
    step = await store.expire(WEEK, backlog.clock.now())
    assert (step.events, step.skipped_deliveries) == (20, 20)


async def test_a_process_whose_clock_is_ahead_expires_nothing(backlog: Scene) -> None:
    backlog.clock.advance(8 * DAY)
    assert await backlog.store.expire(WEEK, backlog.clock.now()) == Expired()
    assert (await backlog.status()).pending == 20


async def test_a_database_whose_clock_is_ahead_expires_nothing(backlog: Scene) -> None:
    await shift_database(backlog, 8 * DAY)
    assert await backlog.store.expire(WEEK, backlog.clock.now()) == Expired()
    assert (await backlog.status()).pending == 20


async def test_what_both_say_counts(backlog: Scene) -> None:
    backlog.clock.advance(8 * DAY)
    await shift_database(backlog, 8 * DAY)
    step = await backlog.store.expire(WEEK, backlog.clock.now())
    assert (step.events, step.skipped_deliveries) == (20, 20)
