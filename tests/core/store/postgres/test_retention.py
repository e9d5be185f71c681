"""No clock alone removes anything: that of a process, that of the database, that of a receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from hookplane.clock import Millis
from hookplane.store.config_store import ConfigKind
from hookplane.store.maintenance import Expired, Retention
from hookplane.store.postgres.connection import Purpose
from hookplane.store.postgres.driver import PostgresStore
from support.clocks.manual import START, ManualClock
from support.planes.store import DAY, ERA, Scene, closing_store
from support.postgres.clock import DatabaseClock
from support.postgres.server import database, shared_server

WEEK = Retention(7 * DAY, 7 * DAY, 1 << 40)


@dataclass
class Backlog(Scene):
    """A scene whose database tells the time of its clock, until that is shifted."""

    database_clock: DatabaseClock = field(kw_only=True)


@pytest.fixture
async def fresh() -> AsyncIterator[Backlog]:
    """Nothing ever arrived."""
    async with database() as settings:
        clock = ManualClock()
        following = await DatabaseClock.install(settings, shared_server().folder, clock)
        async with closing_store(PostgresStore.open(settings, clock)) as store:
            scene = Backlog(store, clock, database_clock=following)
            await scene.endpoints("e")
            await scene.subscription("s")
            yield scene


@pytest.fixture
async def backlog(fresh: Backlog) -> Backlog:
    """Twenty events of now, and nobody has read them."""
    await fresh.fill(20)
    return fresh


async def test_what_is_held_by_others_is_left_for_another_step(backlog: Backlog) -> None:
    """Appends to the endpoint would wait as long as retention waits for a subscription."""
    store = backlog.store
    assert isinstance(store, PostgresStore)
    await backlog.endpoints("f")
    await backlog.fill(5, "f")
    backlog.clock.advance(8 * DAY)
    async with store.connections.use(Purpose.READ) as db, db.transaction():
        await db.execute("select 1 from subscription where uid = 's' for no key update")
        step = await store.expire(WEEK, backlog.clock.now())
        assert (step.events, step.skipped_deliveries) == (5, 0)
    step = await store.expire(WEEK, backlog.clock.now())
    assert (step.events, step.skipped_deliveries) == (20, 20)


async def test_a_process_whose_clock_is_ahead_expires_nothing(backlog: Backlog) -> None:
    assert await backlog.store.expire(WEEK, backlog.clock.now() + 8 * DAY) == Expired()
    assert (await backlog.status()).pending == 20


async def test_a_database_whose_clock_is_ahead_expires_nothing(backlog: Backlog) -> None:
    backlog.database_clock.shift(8 * DAY)
    assert await backlog.store.expire(WEEK, backlog.clock.now()) == Expired()
    assert (await backlog.status()).pending == 20


@pytest.mark.parametrize(("writer", "database_is"), [(-400, 0), (-2, 0), (0, -2), (0, -400)])
async def test_what_is_deleted_while_one_of_two_clocks_is_behind_has_a_day(
    writer: int, database_is: int
) -> None:
    """In days; the writer's clock is wrong from its start, so nothing leaps."""
    async with database() as settings:
        right, wrong = ManualClock(), ManualClock(START + writer * DAY)
        following = await DatabaseClock.install(settings, shared_server().folder, right)
        async with (
            closing_store(PostgresStore.open(settings, wrong)) as operator,
            closing_store(PostgresStore.open(settings, right)) as dispatcher,
        ):
            scene = Scene(operator, wrong)
            await scene.endpoints("e")
            await scene.subscription("s")
            following.shift(database_is * DAY)
            await scene.delete(ConfigKind.SUBSCRIPTION, "s")
            following.shift(0)
            right.advance(DAY - 1)
            await dispatcher.expire(WEEK, right.now())
            assert await dispatcher.subscription_stats(["s"]) != []
            right.advance(1)
            await dispatcher.expire(WEEK, right.now())
            assert await dispatcher.subscription_stats(["s"]) == []


async def test_what_both_say_counts(backlog: Backlog) -> None:
    backlog.clock.advance(8 * DAY)
    step = await backlog.store.expire(WEEK, backlog.clock.now())
    assert (step.events, step.skipped_deliveries) == (20, 20)


@pytest.mark.parametrize("wrong", [-400 * DAY, -30 * DAY, DAY, 30 * DAY, 400 * DAY])
async def test_what_is_stored_while_the_databases_clock_is_wrong_is_kept_as_long(
    fresh: Backlog, wrong: Millis
) -> None:
    """In a log that is new, so that its era is that of the wrong time."""
    fresh.database_clock.shift(wrong)
    await fresh.fill(20)
    fresh.database_clock.shift(0)
    fresh.clock.advance(7 * DAY - 1)
    assert (await fresh.store.expire(WEEK, fresh.clock.now())).events == 0
    fresh.clock.advance(DAY + ERA + 2)  # what is a day ahead is believed a day later
    assert (await fresh.store.expire(WEEK, fresh.clock.now())).events == 20


async def test_a_database_that_is_behind_makes_nothing_look_like_the_future(
    backlog: Backlog,
) -> None:
    """An event that tells an early time takes nothing along then."""
    await backlog.append(received=backlog.clock.now() - 90 * DAY)
    backlog.database_clock.shift(-60 * DAY)
    assert (await backlog.store.expire(WEEK, backlog.clock.now())).events == 0
    assert (await backlog.status()).pending == 21
