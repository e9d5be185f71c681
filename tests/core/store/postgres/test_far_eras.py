"""A database whose clock was far ahead for a while, and what becomes of what was stored then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from hookplane.store.event_log import LogEntry
from hookplane.store.maintenance import Retention
from hookplane.store.postgres.connection import Purpose
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.postgres.partitions import AHEAD
from hookplane.store.sql import load_statements
from support.clocks.manual import ManualClock
from support.planes.store import DAY, ERA, Scene, attempt, closing_store
from support.postgres import version_before
from support.postgres.clock import DatabaseClock
from support.postgres.server import database, shared_server

BODY = b"x" * 4096
WEEK = Retention(7 * DAY, 7 * DAY, 1 << 40)
PACK = "select pack_partition_1(1, 0, 500, 1 << 24)"
PACKED = "select count(*) from pg_class where relname like 'event%packed'"


@dataclass
class Far:
    """A store whose database tells the time of a clock of the test."""

    scene: Scene
    store: PostgresStore
    clock: ManualClock
    database_clock: DatabaseClock

    async def fetch(self, query: str, *values: object) -> list[int]:
        """One column."""
        async with self.store.connections.use(Purpose.OTHER) as db:
            return [row[0] for row in await db.fetch(query, *values)]

    async def eras(self) -> list[int]:
        """Of the events in their order, counted from now."""
        return await self.fetch("select era - current_era() from event order by number")

    async def far_partitions(self, parent: str = "event") -> int:
        """Those for which none would be made ahead."""
        (count,) = await self.fetch(
            "select count(*) from pg_inherits where inhparent = $1::text::regclass "
            "and substr(inhrelid::regclass::text, length($1) + 2)::bigint > current_era() + $2",
            parent,
            AHEAD,
        )
        return count

    async def expire(self, retention: Retention) -> None:
        """All steps."""
        while (await self.store.expire(retention, self.clock.now())).more:
            pass


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    async with database() as settings:
        clock = ManualClock()
        following = await DatabaseClock.install(settings, shared_server().folder, clock)
        async with closing_store(PostgresStore.open(settings, clock)) as store:
            scene = Scene(store, clock)
            await scene.endpoints("e", namespace="shop")
            yield Far(scene, store, clock, following)


async def read_at(far: Far, events: list[LogEntry]) -> None:
    """From every place, with what this process knows by now."""
    for after in range(len(events) + 1):
        assert await far.store.read_log("e", after, 10) == events[after:]
    numbers = [x.sequence for x in events]
    assert set(await far.store.read_contents("e", numbers)) == set(numbers)


@pytest.mark.parametrize("ahead", [2 * DAY, 400 * DAY])
async def test_a_log_leaves_an_era_that_lies_too_far_ahead(far: Far, ahead: int) -> None:
    events = await far.scene.fill(2)
    far.database_clock.shift(ahead)
    events += await far.scene.fill(2)
    await read_at(far, events)
    far.database_clock.shift(0)
    events += await far.scene.fill(2)
    assert [x.sequence for x in events] == [1, 2, 3, 4, 5, 6]
    assert await far.eras() == [0, 0, ahead // ERA, ahead // ERA, 0, 0]
    await read_at(far, events)
    far.clock.advance(2 * ERA)
    events += await far.scene.fill(2)
    assert (await far.eras())[-2:] == [0, 0]
    await read_at(far, events)


async def test_a_log_stays_in_an_era_that_is_a_little_ahead(far: Far) -> None:
    far.database_clock.shift(DAY)
    events = await far.scene.fill(1)
    far.database_clock.shift(0)
    events += await far.scene.fill(1)
    assert await far.eras() == [AHEAD, AHEAD]
    await read_at(far, events)


async def test_who_knows_an_era_since_then_reads_few_partitions(far: Far) -> None:
    far.database_clock.shift(2 * DAY)
    await far.scene.fill(1)
    far.database_clock.shift(0)
    far.clock.advance(2 * ERA)
    await far.scene.fill(1)
    (era,) = await far.fetch("select current_era()")
    query = load_statements("hookplane.store.postgres", "queries.sql")["read_log"]
    plans = []
    for number in (1, 2):
        async with far.store.connections.use(Purpose.OTHER) as db, db.transaction():
            await db.execute(
                f"prepare reading (bigint, bigint, bigint, bigint, bigint, int) as {query}"
            )
            place = (1 << 40) + number
            execute = f"execute reading({place}, {(2 << 40) - 1}, {era}, 10, {place}, -1)"
            rows = await db.fetch(f"explain (analyze, costs off) {execute}")
            await db.execute("deallocate reading")
        plans.append("\n".join(row[0] for row in rows))
    assert ["never executed" in plan for plan in plans] == [False, True]


async def test_a_far_partition_goes_when_nothing_in_it_is_visible(far: Far) -> None:
    await far.scene.subscription("s")
    far.database_clock.shift(2 * DAY)
    events = await far.scene.fill(2, body=BODY)
    await (await far.scene.owner()).flush(attempts=tuple(map(attempt, events)))
    far.database_clock.shift(0)
    (last,) = await far.scene.fill(1, body=BODY)
    await far.expire(WEEK)
    assert (await far.far_partitions(), await far.far_partitions("attempt")) == (1, 1)
    await far.expire(Retention(7 * DAY, 7 * DAY, last.size))
    assert await far.far_partitions() == 0
    assert await far.store.read_log("e", 0, 10) == [last]
    assert [x.sequence for x in await far.scene.fill(1)] == [4]
    far.clock.advance(7 * DAY + 1)
    await far.expire(WEEK)
    assert await far.far_partitions("attempt") == 0


async def test_what_comes_into_an_era_that_is_being_packed_is_kept(far: Far) -> None:
    """The clock goes back after the copy was begun."""
    await far.scene.endpoints("q", namespace="quiet")
    kept = await far.scene.fill(2, "q", body=BODY)
    await far.scene.fill(20, body=BODY)
    far.database_clock.shift(2 * DAY)
    await far.expire(Retention(7 * DAY, 7 * DAY, 8 * len(BODY)))
    assert await far.fetch(PACK) == [True]
    assert await far.fetch(PACKED) == [1]
    far.database_clock.shift(0)
    kept += await far.scene.fill(1, "q", body=BODY)
    far.database_clock.shift(2 * DAY)
    while await far.fetch(PACK) == [True]:
        pass
    assert await far.fetch(PACKED) == [0]
    assert await far.store.read_log("q", 0, 10) == kept


async def test_a_log_of_the_version_before_leaves_its_far_era(far: Far) -> None:
    far.database_clock.shift(2 * DAY)
    await far.store.make_partitions()
    async with far.store.connections.use(Purpose.OTHER) as db:
        await version_before.append_before_eras(db, "evt_1", far.clock.now())
        far.database_clock.shift(0)
        await version_before.append_before_eras(db, "evt_2", far.clock.now())
    assert await far.eras() == [8, 8]
    await far.scene.append()
    assert await far.eras() == [8, 8, 0]
    assert [x.sequence for x in await far.store.read_log("e", 2, 10)] == [3]
