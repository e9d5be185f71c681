"""A lease does not depend on what else a process asks of its database."""

from __future__ import annotations

from contextlib import AsyncExitStack

from hookplane.clock import SystemClock
from hookplane.store.postgres.connection import SIZES, Purpose
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.process_registry import Presence, Role
from support.planes.store import closing_store
from support.postgres.server import database

READY = Presence(ready=True, version=1)


async def test_a_heartbeat_waits_for_no_other_work() -> None:
    """Every connection for other work is taken, as by listings, claims and retention."""
    async with (
        database() as settings,
        closing_store(PostgresStore.open(settings, SystemClock())) as store,
    ):
        process = await store.register(Role.DISPATCHER, "d", READY)
        async with AsyncExitStack() as work:
            for purpose in (Purpose.READ, Purpose.OTHER, Purpose.FLUSH, Purpose.INGEST):
                for _ in range(SIZES[purpose]):
                    await work.enter_async_context(store.connections.use(purpose))
            assert [x.process for x in await store.heartbeat(process, READY)] == [process]
            again = await store.register(Role.DISPATCHER, "d", READY)
            assert again != process
