"""Generated Secrets that outlive their objects for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hookplane.clock import Millis
from hookplane.store.sql import load_statements

if TYPE_CHECKING:
    from hookplane.store.postgres.connection import Db

_SQL: Final = load_statements("hookplane.store.postgres", "orphans.sql")


@dataclass(frozen=True, slots=True)
class Orphan:
    """A Secret to be deleted when it is `due`, if it is still that of the object that is gone."""

    namespace: str
    name: str
    owner: str
    due: Millis


async def add_orphans(db: Db, orphans: Sequence[Orphan]) -> None:
    columns = zip(*((x.namespace, x.name, x.owner, x.due) for x in orphans), strict=True)
    await db.execute(_SQL["add"], *map(list, columns))


async def due_orphans(db: Db, now: Millis) -> list[Orphan]:
    """Some of those that are due, the oldest first."""
    return [Orphan(*row) for row in await db.fetch(_SQL["find_due"], now)]


async def remove_orphan(db: Db, orphan: Orphan) -> None:
    await db.execute(_SQL["remove"], orphan.namespace, orphan.name, orphan.owner)
