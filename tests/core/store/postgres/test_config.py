"""What configuration locks: appends go on while it is written."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hookplane.clock import SystemClock
from hookplane.errors import StoreUnavailable
from hookplane.store.config_store import ConfigKind
from hookplane.store.postgres.connection import Purpose
from hookplane.store.postgres.driver import PostgresStore
from support.clocks.manual import ManualClock
from support.planes.store import Scene, closing_store
from support.postgres.server import database


@pytest.fixture
async def store() -> AsyncIterator[PostgresStore]:
    async with (
        database() as settings,
        closing_store(PostgresStore.open(settings, SystemClock())) as opened,
    ):
        yield opened


async def test_another_document_waits_for_no_append(store: PostgresStore) -> None:
    scene = Scene(store, ManualClock())
    await scene.endpoints("e")
    before, _ = await store.load_config(0)
    async with store.connections.use(Purpose.READ) as db, db.transaction():
        await db.execute("select 1 from endpoint where uid = 'e' for no key update")
        await scene.endpoints("e", document=b'{"another": 1}')
        with pytest.raises(StoreUnavailable):
            await scene.endpoints("e", namespace="shop", document=b'{"another": 2}')
    version, rows = await store.load_config(before)
    assert (version, [x.document for x in rows]) == (before + 1, [b'{"another": 1}'])


async def test_what_comes_back_or_moves_is_written_all_the_same(store: PostgresStore) -> None:
    scene = Scene(store, ManualClock())
    await scene.endpoints("e", "f")
    await scene.append("f", body=b"xyz")
    await scene.delete(ConfigKind.ENDPOINT, "e")
    await scene.endpoints("e", "f", namespace="shop", document=b'{"another": 1}')
    await scene.append("e", body=b"x")
    assert await store.stored_bytes() == {"shop": 4}
