"""A group that is sent once more, because nobody heard whether it was stored."""

from __future__ import annotations

from typing import Any

from hookplane.clock import SystemClock
from hookplane.store.event_log import Appended
from hookplane.store.postgres.connection import Purpose
from hookplane.store.postgres.driver import PostgresStore
from hookplane.store.postgres.ingest import append_group
from support.clocks.manual import ManualClock
from support.planes.store import Scene, closing_store
from support.postgres.server import database


async def test_what_it_stored_before_is_told_as_it_was() -> None:
    """First ones, conflicts that were stored, and duplicates of each."""
    async with (
        database() as settings,
        closing_store(PostgresStore.open(settings, SystemClock())) as store,
    ):
        scene = Scene(store, ManualClock())
        await scene.endpoints("e")
        known: dict[str, Any] = {
            "dedup_key": b"k",
            "dedup_window": 1_000,
            "repeats_identical": True,
        }
        first, other, repeat = (scene.event(body=x, **known) for x in (b"1", b"2", b"2"))
        group = [first, other, repeat, scene.event()]
        outcomes = [
            Appended(first.event_id),
            Appended(other.event_id, conflict=True),
            Appended(other.event_id, duplicate=True),
            Appended(group[3].event_id),
        ]
        async with store.connections.use(Purpose.INGEST) as db:
            assert await append_group(db, group, again=False) == outcomes
            assert await append_group(db, group, again=True) == outcomes
        assert len(await store.read_log("e", 0, 10)) == 3
