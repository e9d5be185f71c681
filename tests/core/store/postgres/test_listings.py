"""Each page of a listing or a replay touches a bounded part of the database, whatever is in it."""

from __future__ import annotations

from benchmarks.listings import FIRST, PARTITIONS, add_replay, explained, fill, pages
from hookplane.clock import SystemClock
from hookplane.store.delivery_store import DeliveryState
from hookplane.store.listings import ATTEMPTS_SCANNED, JUDGED, PASSED_OVER, SCANNED
from hookplane.store.postgres.connection import Purpose
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.driver import PostgresStore
from support.planes.store import closing_store
from support.postgres.server import database

EVENTS = 60_000
MOST_ROWS = max(SCANNED, PASSED_OVER, ATTEMPTS_SCANNED) + 5_000
MOST_BUFFERS = 4 * PARTITIONS * JUDGED
"""A look into the index of each partition for each event that is judged; one is 2 to 4 pages."""
RANGE = 200


async def split(db: Db, replay: int) -> None:
    """Many ranges in place of one, as a replay over many endpoints has them."""
    await db.execute("delete from replay_range where replay = $1", replay)
    await db.execute(
        "insert into replay_range select $1, $2::bigint + g, $2 + g + $4 "
        "from generate_series(0, $3::bigint - $4, $4::bigint) g",
        *(replay, FIRST, EVENTS, RANGE),
    )


async def test_a_page_touches_a_bounded_part_of_the_database() -> None:
    async with (
        database() as settings,
        closing_store(PostgresStore.open(settings, SystemClock())) as store,
    ):
        await fill(store, EVENTS)
        dead = await add_replay(store, "dead", "tried")
        states = frozenset({DeliveryState.DELIVERED})
        delivered = await add_replay(store, "delivered", "tried", states=states)
        async with store.connections.use(Purpose.OTHER) as db:
            await split(db, delivered)
            older = await db.fetchval(
                "select event_id from event where number = $1", FIRST + EVENTS // 2
            )
            for name, steps in pages(older, dead, delivered):
                costs = await explained(db, steps)
                assert sum(x.rows for x in costs) <= MOST_ROWS, name
                assert sum(x.buffers for x in costs) <= MOST_BUFFERS, name
