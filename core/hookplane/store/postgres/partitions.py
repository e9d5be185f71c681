"""Partitions by era: made ahead, packed when little in them can be seen any more, dropped when
nothing can."""

from __future__ import annotations

from typing import Final

from hookplane.clock import Millis
from hookplane.store.postgres.db import Db
from hookplane.store.sql import load_statements

_SQL: Final = load_statements("hookplane.store.postgres", "partitions.sql")
AHEAD: Final = 4
"""For how many eras partitions are made in advance. A group of appends that finds none makes it,
which delays that group for a moment."""
PACK_LEAST: Final = 64 << 20
"""Bytes that are hidden in a partition before it is packed."""
PACK_ROWS: Final = 500
PACK_BYTES: Final = 16 << 20
"""Rows and bodies that one step copies."""


async def make_partitions(db: Db) -> int:
    """Makes those of this and the next eras; returns how many were missing."""
    made: int = await db.fetchval(_SQL["make"], AHEAD)
    return made


async def drop_partitions(db: Db) -> bool:
    """Drops the oldest of each table if it can go; whether another try may find more."""
    dropped = [
        await db.fetchval(_SQL["drop"], parent, era)
        for parent, era in await db.fetch(_SQL["find_past"], AHEAD)
    ]
    return any(dropped)


async def pack_partition(db: Db, since: Millis) -> bool:
    """One step towards a partition without what retention by size has hidden in it; whether another
    may find more. `since`: what begins before is left to be dropped."""
    more: bool = await db.fetchval(_SQL["pack"], PACK_LEAST, since, PACK_ROWS, PACK_BYTES)
    return more
