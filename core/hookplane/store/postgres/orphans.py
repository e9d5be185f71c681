"""Generated Secrets that outlive their objects for a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hookplane.clock import Millis
from hookplane.store.operator_store import Orphan
from hookplane.store.postgres.db import Db
from hookplane.store.sql import load_statements

_SQL: Final = load_statements("hookplane.store.postgres", "orphans.sql")


async def add_orphans(db: Db, orphans: Sequence[Orphan], now: Millis, keep: Millis) -> None:
    """See OperatorStore."""
    columns = zip(*((x.namespace, x.name, x.owner) for x in orphans), strict=True)
    await db.execute(_SQL["add"], *map(list, columns), now, keep)


async def due_orphans(db: Db, now: Millis) -> list[Orphan]:
    """Some of those that are due, the oldest first."""
    return [Orphan(*row) for row in await db.fetch(_SQL["find_due"], now)]


async def remove_orphan(db: Db, orphan: Orphan) -> None:
    await db.execute(_SQL["remove"], orphan.namespace, orphan.name, orphan.owner)
