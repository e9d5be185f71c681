"""Of two processes that claim a subscription at the same moment one gets it."""

from __future__ import annotations

import asyncio

import asyncpg

from hookplane.clock import SystemClock
from hookplane.errors import OwnedElsewhere
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow
from hookplane.store.delivery_store import Claimed
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.process_registry import Presence, Role
from support.postgres.server import database

LOCK = "select 1 from hookplane.subscription where uid = 's' for no key update"
WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
PROCESSES = 4


async def test_one_of_many_that_claim_at_once() -> None:
    """All of them wait for the row, as behind a flush, and get it one after the other."""
    async with database() as settings:
        stores = [await PostgresStore.open(settings, SystemClock()) for _ in range(PROCESSES)]
        other = await asyncpg.connect(settings.dsn.reveal().decode())
        watcher = await asyncpg.connect(settings.dsn.reveal().decode())
        try:
            row = ConfigRow(ConfigKind.SUBSCRIPTION, "s", b"{}")
            await stores[0].apply_config(ConfigChange(upserts=(row,)))
            ready = Presence(ready=True, version=1)
            names = [
                await store.register(Role.DISPATCHER, f"d{number}", ready)
                for number, store in enumerate(stores)
            ]
            async with other.transaction():
                await other.execute(LOCK)
                claims = [
                    asyncio.create_task(store.claim("s", name))
                    for store, name in zip(stores, names, strict=True)
                ]
                async with asyncio.timeout(30):
                    while await watcher.fetchval(WAITING) < PROCESSES:  # noqa: ASYNC110 - no event of ours
                        await asyncio.sleep(0.01)
            found = await asyncio.gather(*claims, return_exceptions=True)
        finally:
            for one in (other, watcher):
                await one.close()
            for store in stores:
                await store.close()
    assert [x.epoch for x in found if isinstance(x, Claimed)] == [1]
    assert sum(isinstance(x, OwnedElsewhere) for x in found) == PROCESSES - 1
