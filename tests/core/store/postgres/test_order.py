"""Sequence order is commit order: who reads on from where he was misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hookplane.clock import SystemClock
from hookplane.ids import event_id
from hookplane.store.config_store import ConfigChange, ConfigKind, ConfigRow
from hookplane.store.event_log import NewEvent
from hookplane.store.postgres.driver import PostgresStore
from support.postgres.server import database

WRITERS = 6
EVENTS = 400
"""Of each writer, half of them for each endpoint."""
ENDPOINTS = ("e", "f")


def _event(writer: int, number: int) -> NewEvent:
    now = SystemClock().now()
    key = f"{writer}/{number}"
    name = event_id(now, lambda size: f"{key:>{size}}".encode()[-size:])
    endpoint = ENDPOINTS[number % len(ENDPOINTS)]
    return NewEvent(endpoint, name, now, key, (), b"{}", key.encode(), now + 60_000)


async def _write(store: PostgresStore, writer: int) -> None:
    """In small groups, so that many transactions of many writers overlap."""
    for first in range(0, EVENTS, 4):
        group = (store.append(_event(writer, number)) for number in range(first, first + 4))
        await asyncio.gather(*group)


async def _read(store: PostgresStore, endpoint: str, done: asyncio.Event) -> list[tuple[int, str]]:
    """As a dispatcher does: each time what is behind the last that was read."""
    found: list[tuple[int, str]] = []
    while True:
        ended = done.is_set()
        entries = await store.read_log(endpoint, found[-1][0] if found else 0, 100)
        found += [(entry.sequence, entry.type) for entry in entries]
        if ended and not entries:
            return found


async def _run(
    stores: Sequence[PostgresStore], reader: PostgresStore
) -> list[list[tuple[int, str]]]:
    done = asyncio.Event()
    reading = [asyncio.create_task(_read(reader, endpoint, done)) for endpoint in ENDPOINTS]
    await asyncio.gather(*(_write(store, i) for i, store in enumerate(stores)))
    done.set()
    return await asyncio.gather(*reading)


async def test_a_reader_misses_nothing_of_many_writers() -> None:
    async with database() as settings:
        stores = [await PostgresStore.open(settings, SystemClock()) for _ in range(WRITERS + 1)]
        try:
            rows = tuple(ConfigRow(ConfigKind.ENDPOINT, uid, b"{}") for uid in ENDPOINTS)
            await stores[0].apply_config(ConfigChange(upserts=rows))
            logs = await _run(stores[1:], stores[0])
        finally:
            for store in stores:
                await store.close()
    for log in logs:
        assert [sequence for sequence, _ in log] == list(range(1, WRITERS * EVENTS // 2 + 1))
    written = {f"{writer}/{number}" for writer in range(WRITERS) for number in range(EVENTS)}
    assert {key for log in logs for _, key in log} == written


async def test_writers_that_meet_in_one_key_store_it_once() -> None:
    async with database() as settings:
        stores = [await PostgresStore.open(settings, SystemClock()) for _ in range(WRITERS)]
        try:
            row = ConfigRow(ConfigKind.ENDPOINT, "e", b"{}")
            await stores[0].apply_config(ConfigChange(upserts=(row,)))
            events = [_event(0, 0), *(_event(i, 0) for i in range(1, WRITERS))]
            same = [
                NewEvent("e", x.event_id, x.received, "t", (), b"{}", b"key", x.received + 60_000)
                for x in events
            ]
            pairs = zip(stores, same, strict=True)
            outcomes = await asyncio.gather(*(store.append(event) for store, event in pairs))
            assert sorted(outcome.duplicate for outcome in outcomes) == [False] + [True] * 5
            assert len({outcome.event_id for outcome in outcomes}) == 1
            assert len(await stores[0].read_log("e", 0, 100)) == 1
        finally:
            for store in stores:
                await store.close()
