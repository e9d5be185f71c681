"""Partitions are made ahead and dropped when nothing in them can be seen any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hookplane.clock import SystemClock
from hookplane.errors import UnknownObject
from hookplane.store.event_log import LogEntry
from hookplane.store.maintenance import Retention
from hookplane.store.postgres import partitions as partitions_module
from hookplane.store.postgres.connection import Purpose
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.postgres.ingest import append_group
from hookplane.store.postgres.partitions import AHEAD, make_partitions
from hookplane.store.queries import Page
from support.clocks.manual import ManualClock
from support.clocks.until import until
from support.planes.store import DAY, Scene, attempt, closing_store
from support.postgres.server import database, shared_server

ERA_MILLIS = 1_000
KEEP_ALL = Retention(DAY, DAY, 1 << 40)
KEEP_NOTHING = Retention(0, 0, 0)
BODY = b"x" * 4096
KEEP_SIX = Retention(DAY, DAY, 6 * len(BODY))
TRIES = 100


@asynccontextmanager
async def short_eras() -> AsyncIterator[tuple[Scene, PostgresStore]]:
    """An era is a second, so that some pass while a test runs."""
    async with database() as settings:
        name = settings.dsn.reveal().decode().rpartition("/")[2].partition("?")[0]
        async with shared_server().admin(name) as db:
            await db.execute("update hookplane.store set era_millis = $1", ERA_MILLIS)
        clock = ManualClock(SystemClock().now())
        async with closing_store(PostgresStore.open(settings, clock)) as store:
            scene = Scene(store, clock)
            await scene.endpoints("e", namespace="shop")
            await scene.subscription("s")
            yield scene, store


async def partitions(store: PostgresStore, parent: str) -> list[str]:
    async with store.connections.use(Purpose.OTHER) as db:
        rows = await db.fetch(
            "select inhrelid::regclass::text from pg_inherits where inhparent = $1::regclass",
            parent,
        )
    return sorted(row[0] for row in rows)


async def test_the_next_ones_are_there_ahead() -> None:
    async with short_eras() as (_, store):
        assert len(await partitions(store, "event")) >= AHEAD
        await asyncio.sleep(1.5 * ERA_MILLIS / 1000)
        async with store.connections.use(Purpose.OTHER) as db:
            assert await make_partitions(db) > 0
            # Another era may begin meanwhile, but not before each of these.
            assert 0 in [await make_partitions(db) for _ in range(5)]


async def test_reading_goes_on_from_one_to_the_next() -> None:
    async with short_eras() as (scene, store):
        read: list[LogEntry] = []
        for _ in range(4):
            await store.expire(KEEP_ALL, scene.clock.now())
            await scene.append()
            last = read[-1].sequence if read else 0
            read += await store.read_log("e", last, 10)
            await asyncio.sleep(0.6 * ERA_MILLIS / 1000)
        assert [entry.sequence for entry in read] == [1, 2, 3, 4]
        assert await store.read_log("e", 0, 10) == read
        assert set(await store.read_contents("e", [1, 2, 3, 4])) == {1, 2, 3, 4}
        async with store.connections.use(Purpose.OTHER) as db:
            assert await db.fetchval("select count(distinct era) from event") > 1


@pytest.mark.parametrize("ahead", [0, 365 * DAY])
async def test_what_is_hidden_goes_with_its_partition(ahead: int) -> None:
    """Also an attempt of a process whose clock was a year ahead."""
    async with short_eras() as (scene, store):
        entries = await scene.fill(3, body=b"xx")
        assert await store.stored_bytes() == {"shop": 6}
        tried = [attempt(entry, at=entry.received + ahead) for entry in entries]
        await (await scene.owner()).flush(cursors={"e": 3}, attempts=tuple(tried))
        async with store.connections.use(Purpose.OTHER) as db:
            stored = await db.fetchval("select min(era) from event")
            tried_in = await db.fetchval("select min(era) from attempt")
        scene.clock.advance(1)
        for _ in range(TRIES):
            await store.expire(KEEP_NOTHING, scene.clock.now())
            left = await partitions(store, "event") + await partitions(store, "attempt")
            if not {f"event_{stored}", f"attempt_{tried_in}"} & set(left):
                break
            scene.clock.advance(100)
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(f"{stored} or {tried_in} is still there: {left}")
        assert (await store.events(Page())).rows == []
        assert await store.stored_bytes() == {"shop": 0}
        assert [entry.sequence for entry in await scene.fill(1)] == [4]


async def test_an_attempt_that_is_dated_ahead_stays_as_long_as_its_event() -> None:
    async with short_eras() as (scene, store):
        (entry,) = await scene.fill(1)
        tried = attempt(entry, at=entry.received + 365 * DAY)
        await (await scene.owner()).flush(cursors={"e": 1}, attempts=(tried,))
        keep_events = Retention(DAY, 0, 1 << 40)
        for _ in range(6):
            await asyncio.sleep(0.5 * ERA_MILLIS / 1000)
            scene.clock.advance(500)
            await store.expire(keep_events, scene.clock.now())
        assert [x.attempt for x in (await store.attempts(Page(), "s")).rows] == [tried]


async def test_what_is_not_hidden_stays() -> None:
    async with short_eras() as (scene, store):
        (entry,) = await scene.fill(1)
        for _ in range(4):
            await asyncio.sleep(0.5 * ERA_MILLIS / 1000)
            await store.expire(KEEP_ALL, scene.clock.now())
        assert (await store.find_event(entry.event_id))[0] == entry


async def test_appends_go_on_while_partitions_go() -> None:
    async with short_eras() as (scene, store):
        accepted = []

        async def append() -> None:
            for _ in range(150):
                accepted.append(await scene.append())
                await asyncio.sleep(0.02)

        appending = asyncio.create_task(append())
        while not appending.done():
            scene.clock.advance(50)
            await store.expire(Retention(200, 200, 1 << 40), scene.clock.now())
            await asyncio.sleep(0.05)
        await appending
        assert len({one.event_id for one in accepted}) == 150
        (status,) = await store.endpoint_stats(["e"])
        assert status.accepted == 150
        try:
            await store.find_event(accepted[0].event_id)
        except UnknownObject:
            return
        raise AssertionError("retention did nothing meanwhile")


async def fill_two(scene: Scene) -> list[LogEntry]:
    """What a quiet namespace has stored among much of a noisy one, of any era."""
    await scene.endpoints("q", namespace="quiet")
    kept = []
    for _ in range(3):
        kept += await scene.fill(1, "q", body=BODY)
        await scene.fill(20, "e", body=BODY)
    return kept


async def count_events(store: PostgresStore) -> int:
    """Hidden ones too."""
    async with store.connections.use(Purpose.OTHER) as db:
        count: int = await db.fetchval("select count(*) from event")
    return count


async def half_packed(store: PostgresStore) -> list[str]:
    """Copies that have not taken the place of their partition."""
    async with store.connections.use(Purpose.OTHER) as db:
        rows = await db.fetch("select relname from pg_class where relname like 'event_%packed'")
    return [row[0] for row in rows]


async def test_what_is_mostly_hidden_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions_module, "PACK_LEAST", 1)
    monkeypatch.setattr(partitions_module, "PACK_ROWS", 2)
    async with short_eras() as (scene, store):
        kept = await fill_two(scene)
        for _ in range(TRIES):
            await store.expire(KEEP_SIX, scene.clock.now())
            if await count_events(store) < 30 and not await half_packed(store):
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("nothing was packed")
        assert len((await store.events(Page())).rows) == 6
        assert await store.read_log("q", 0, 10) == kept
        assert {x.body for x in (await store.read_contents("q", [1, 2, 3])).values()} == {BODY}
        assert [entry.sequence for entry in await scene.fill(1, "e")] == [61]


async def test_a_copy_goes_with_its_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions_module, "PACK_LEAST", 1)
    monkeypatch.setattr(partitions_module, "PACK_ROWS", 1)
    async with short_eras() as (scene, store):
        await fill_two(scene)
        for _ in range(TRIES):
            await store.expire(KEEP_SIX, scene.clock.now())
            if await half_packed(store):
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("nothing was about to be packed")
        scene.clock.advance(1)
        for _ in range(TRIES):
            await store.expire(KEEP_NOTHING, scene.clock.now())
            if not (await count_events(store) or await half_packed(store)):
                return
            scene.clock.advance(100)
            await asyncio.sleep(0.1)
        raise AssertionError(f"{await half_packed(store)} is still there")


async def test_what_was_on_its_way_into_a_partition_keeps_it() -> None:
    async with short_eras() as (scene, store):
        event = scene.event()
        async with (
            store.connections.use(Purpose.OTHER) as writer,
            store.connections.use(Purpose.OTHER) as sweeper,
        ):
            writing = writer.transaction()
            await writing.start()
            await append_group(writer, [event], again=False)
            era = await writer.fetchval("select max(era) from event")

            async def is_over() -> bool:
                return bool(await sweeper.fetchval("select current_era() > $1", era))

            await until(is_over, "the era to end")
            await sweeper.execute("set lock_timeout = '5s'")
            dropping = asyncio.create_task(
                sweeper.fetchval("select drop_partition_1('event', $1)", era)
            )
            await until(lambda: is_waiting(store, dropping), "the sweep to wait for its lock")
            await writing.commit()
            assert not await dropping
        assert (await store.find_event(event.event_id))[0].sequence == 1
        assert [entry.sequence for entry in await store.read_log("e", 0, 10)] == [1]


async def is_waiting(store: PostgresStore, dropping: asyncio.Task[bool]) -> bool:
    """For a lock, or no longer because it gave up."""
    async with store.connections.use(Purpose.READ) as db:
        waiting = await db.fetchval(
            "select exists (select 1 from pg_locks where not granted "
            "and relation = 'event'::regclass)"
        )
    return bool(waiting) or dropping.done()


async def test_whoever_appends_makes_what_is_missing() -> None:
    async with short_eras() as (scene, store):
        (entry,) = await scene.fill(1)
        await drop_all_partitions(store)
        assert not (await scene.append()).duplicate
        await drop_all_partitions(store)
        await (await scene.owner()).deliver(entry)
        assert await partitions(store, "event")


async def test_all_who_miss_one_get_it() -> None:
    async with short_eras() as (scene, store):
        await drop_all_partitions(store)
        async with (
            store.connections.use(Purpose.OTHER) as one,
            store.connections.use(Purpose.OTHER) as other,
        ):
            made = await asyncio.gather(make_partitions(one), make_partitions(other))
        assert min(made) < max(made)  # another era may have begun in between
        assert (await scene.append()).event_id


async def drop_all_partitions(store: PostgresStore) -> None:
    """As if nobody had made any for a long time."""
    async with store.connections.use(Purpose.OTHER) as db:
        for parent in ("event", "attempt"):
            for name in await partitions(store, parent):
                await db.execute(f"drop table {name}")
