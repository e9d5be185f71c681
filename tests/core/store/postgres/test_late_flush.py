"""A flush that waits behind retention sees what retention took."""

from __future__ import annotations

import asyncio

import asyncpg

from hookplane.clock import SystemClock
from hookplane.store.delivery_store import Counters, DeliveryState, Ending
from hookplane.store.maintenance import Retention
from hookplane.store.postgres.driver import PostgresStore
from support.clocks.manual import START, ManualClock
from support.planes.store import DAY, Scene, delivery
from support.postgres.server import database

LOCK = "select 1 from hookplane.subscription where uid = 's' for no key update"
WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"


async def _wait_for(watcher: asyncpg.Connection, number: int) -> None:
    async with asyncio.timeout(30):
        while await watcher.fetchval(WAITING) < number:  # noqa: ASYNC110 - no event of ours
            await asyncio.sleep(0.01)


async def test_a_flush_that_waits_for_retention_counts_nothing_that_it_took() -> None:
    async with database() as settings:
        store = await PostgresStore.open(settings, SystemClock())
        other = await asyncpg.connect(settings.dsn.reveal().decode())
        watcher = await asyncpg.connect(settings.dsn.reveal().decode())
        try:
            scene = Scene(store, ManualClock())
            await scene.endpoints("e")
            await scene.subscription("s")
            owner, entries = await scene.owner(), await scene.fill(4)
            await owner.deliver(entries[0])
            async with other.transaction():
                await other.execute(LOCK)
                sweep = asyncio.create_task(store.expire(Retention(DAY, DAY, 0), START))
                await _wait_for(watcher, 1)
                flush = asyncio.create_task(
                    owner.flush(
                        cursors={"e": 3},
                        upserts=(delivery(entries[2]),),
                        counters=Counters(delivered=1),
                        endings=(Ending("e", 2, DeliveryState.DELIVERED),),
                    )
                )
                await _wait_for(watcher, 2)
            await asyncio.gather(sweep, flush)
            stats = await scene.status()
            assert stats.counters == Counters(delivered=1, attempts=1, expired=3)
            assert (stats.pending, stats.retrying) == (0, 0)
        finally:
            for one in (other, watcher):
                await one.close()
            await store.close()
