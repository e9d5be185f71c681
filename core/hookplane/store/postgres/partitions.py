"""Partitions by era: made ahead, dropped when nothing in them can be seen any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hookplane.store.sql import load_statements

if TYPE_CHECKING:
    from hookplane.store.postgres.connection import Db

_SQL: Final = load_statements("hookplane.store.postgres", "partitions.sql")
AHEAD: Final = 4
"""Eras; if nobody tidied up for that long, appends would be refused."""


async def make_partitions(db: Db) -> int:
    """How many were missing."""
    made: int = await db.fetchval(_SQL["make"], AHEAD)
    return made


async def drop_partitions(db: Db) -> bool:
    """Drops the oldest of each table if it can go; whether another try may find more."""
    dropped = [
        await db.fetchval(_SQL["drop"], parent, era)
        for parent, era in await db.fetch(_SQL["find_past"])
    ]
    return any(dropped)
