"""What only the operator asks a PostgreSQL store for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hookplane.clock import SystemClock
from hookplane.errors import StaleWriter, StoreInUse
from hookplane.store.access import StoreAccess
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow
from hookplane.store.event_log import NewEvent
from hookplane.store.operator_store import Orphan, WriterFence
from hookplane.store.postgres.driver import PostgresStore
from support.postgres.server import database

MINE = WriterFence("cluster/system/default", 5)
CHANGE = ConfigChange(upserts=(ConfigRow(ConfigKind.ENDPOINT, "e", b"{}"),))


@pytest.fixture
async def stores() -> AsyncIterator[list[PostgresStore]]:
    """Two processes on one database."""
    async with database() as settings:
        opened = [await open_store(settings) for _ in range(2)]
        yield opened
        for store in opened:
            await store.close()


async def open_store(settings: StoreAccess) -> PostgresStore:
    return await PostgresStore.open(settings, SystemClock())


async def test_a_database_has_one_owner(stores: list[PostgresStore]) -> None:
    first, second = stores
    await first.take_over(MINE)
    with pytest.raises(StoreInUse, match="cluster/system/default"):
        await second.take_over(WriterFence("cluster/system/other", 9))
    with pytest.raises(StoreInUse):
        await second.take_over(WriterFence("cluster/system/other", 9), over="cluster/system/third")
    await second.take_over(WriterFence("cluster/system/other", 9), over=MINE.owner)
    with pytest.raises(StoreInUse):
        await first.apply_config(CHANGE)


async def test_a_leader_that_is_over_writes_nothing(stores: list[PostgresStore]) -> None:
    first, second = stores
    await first.take_over(MINE)
    await first.apply_config(CHANGE)
    await second.take_over(WriterFence(MINE.owner, 6))
    with pytest.raises(StaleWriter):
        await first.apply_config(ConfigChange(deletes=((ConfigKind.ENDPOINT, "e"),)))
    assert len((await second.load_config(0))[1]) == 1
    with pytest.raises(StaleWriter):
        await first.take_over(MINE)


async def test_who_has_no_term_writes_as_ever(stores: list[PostgresStore]) -> None:
    first, second = stores
    await first.take_over(MINE)
    await second.apply_config(CHANGE)


async def test_orphans_wait_until_they_are_due(stores: list[PostgresStore]) -> None:
    store = stores[0]
    early, late = Orphan("a", "x-signing", "u1", 10), Orphan("a", "y-signing", "u2", 20)
    await store.add_orphans([early, late])
    assert await store.due_orphans(9) == []
    assert await store.due_orphans(15) == [early]
    again = Orphan("a", "x-signing", "u3", 30)
    await store.add_orphans([again])
    await store.remove_orphan(early)
    assert await store.due_orphans(30) == [late, again]


async def test_activity_is_another_when_something_happened(stores: list[PostgresStore]) -> None:
    store = stores[0]
    await store.apply_config(CHANGE)
    before = await store.activity()
    assert await store.activity() == before
    await store.append(NewEvent("e", "evt_1", 1, "t", (), b"x"))
    assert await store.activity() != before
