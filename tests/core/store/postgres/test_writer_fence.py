"""What only the operator asks a PostgreSQL store for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from hookplane.clock import SystemClock
from hookplane.errors import StaleWriter, StoreInUse
from hookplane.store.access import StoreAccess
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow
from hookplane.store.event_log import NewEvent
from hookplane.store.operator_store import Orphan, WriterFence
from hookplane.store.postgres.driver import PostgresStore
from support.clocks.manual import ManualClock
from support.planes.store import DAY, HOUR, closing_store
from support.postgres.clock import DatabaseClock
from support.postgres.server import database, shared_server

MINE = WriterFence("cluster/system/default", 5, "a")
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
        await second.take_over(WriterFence("cluster/system/other", 9, "b"))
    with pytest.raises(StoreInUse):
        await second.take_over(
            WriterFence("cluster/system/other", 9, "b"), over="cluster/system/third"
        )
    await second.take_over(WriterFence("cluster/system/other", 9, "b"), over=MINE.owner)
    with pytest.raises(StoreInUse):
        await first.apply_config(CHANGE)


async def test_a_leader_that_is_over_writes_nothing(stores: list[PostgresStore]) -> None:
    first, second = stores
    await first.take_over(MINE)
    await first.apply_config(CHANGE)
    await second.take_over(WriterFence(MINE.owner, 6, "b"))
    with pytest.raises(StaleWriter):
        await first.apply_config(ConfigChange(deletes=((ConfigKind.ENDPOINT, "e"),)))
    assert len((await second.load_config(0))[1]) == 1
    with pytest.raises(StaleWriter):
        await first.take_over(MINE)


async def test_of_two_with_one_term_the_first_writes(stores: list[PostgresStore]) -> None:
    """The Lease was restored, so two leaders counted on from the same number."""
    first, second = stores
    await first.take_over(MINE)
    with pytest.raises(StaleWriter, match="a has written in term 5") as refused:
        await second.take_over(WriterFence(MINE.owner, MINE.term, "b"))
    assert refused.value.term == MINE.term
    await first.take_over(MINE)
    await first.apply_config(CHANGE)
    await second.take_over(WriterFence(MINE.owner, MINE.term + 1, "b"))
    with pytest.raises(StaleWriter, match="b has written in term 6"):
        await first.apply_config(CHANGE)


async def test_a_term_of_the_version_before_is_a_high_number(stores: list[PostgresStore]) -> None:
    """It was a time, and an operator of that version names no holder."""
    first, second = stores
    time = 1_764_400_000_000_000
    await first.take_over(WriterFence(MINE.owner, time, ""))
    with pytest.raises(StaleWriter, match="another operator") as refused:
        await second.take_over(MINE)
    await second.take_over(WriterFence(MINE.owner, refused.value.term + 1, "b"))
    with pytest.raises(StaleWriter):
        await first.apply_config(CHANGE)


async def test_who_has_no_term_writes_as_ever(stores: list[PostgresStore]) -> None:
    first, second = stores
    await first.take_over(MINE)
    await second.apply_config(CHANGE)


@dataclass
class Orphanage:
    """A database that tells the time of a clock, until that is shifted."""

    store: PostgresStore
    clock: ManualClock
    database_clock: DatabaseClock

    async def add(self, name: str, owner: str) -> Orphan:
        """To be kept for a day."""
        orphan = Orphan("a", name, owner)
        await self.store.add_orphans([orphan], self.clock.now(), DAY)
        return orphan

    async def due(self) -> list[Orphan]:
        return await self.store.due_orphans(self.clock.now())


@pytest.fixture
async def orphanage() -> AsyncIterator[Orphanage]:
    clock = ManualClock()
    async with database() as settings:
        following = await DatabaseClock.install(settings, shared_server().folder, clock)
        async with closing_store(PostgresStore.open(settings, clock)) as store:
            yield Orphanage(store, clock, following)


async def test_orphans_wait_until_they_are_due(orphanage: Orphanage) -> None:
    early = await orphanage.add("x-signing", "u1")
    orphanage.clock.advance(HOUR)
    late = await orphanage.add("y-signing", "u2")
    orphanage.clock.advance(DAY - HOUR - 1)
    assert await orphanage.due() == []
    orphanage.clock.advance(1)
    assert await orphanage.due() == [early]
    again = await orphanage.add("x-signing", "u3")
    await orphanage.store.remove_orphan(early)
    orphanage.clock.advance(DAY)
    assert await orphanage.due() == [late, again]


@pytest.mark.parametrize(("operator", "database_is"), [(2, 0), (0, 2), (-2, 0), (0, -2)])
async def test_no_wrong_clock_makes_an_orphan_due_before_its_day(
    orphanage: Orphanage, operator: int, database_is: int
) -> None:
    """In days. The clock of who looks is wrong, or it was wrong when the orphan was added."""
    store, right = orphanage.store, orphanage.clock.now()
    told = right + operator * DAY
    orphanage.database_clock.shift(database_is * DAY)
    if operator + database_is > 0:
        orphanage.database_clock.shift(0)
        await orphanage.add("x-signing", "u1")
        orphanage.database_clock.shift(database_is * DAY)
        assert await store.due_orphans(told) == []
    else:
        await store.add_orphans([Orphan("a", "x-signing", "u1")], told, DAY)
        orphanage.database_clock.shift(0)
        orphanage.clock.advance(DAY - 1)
        assert await orphanage.due() == []
        orphanage.clock.advance(1)
        assert len(await orphanage.due()) == 1


async def test_activity_is_another_when_something_happened(stores: list[PostgresStore]) -> None:
    store = stores[0]
    await store.apply_config(CHANGE)
    before = await store.activity()
    assert await store.activity() == before
    await store.append(NewEvent("e", "evt_1", 1, "t", (), b"x"))
    assert await store.activity() != before
