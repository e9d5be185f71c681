"""Which database this is: after a failover or a restore it is another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hookplane.store.postgres.db import Db
from hookplane.store.sql import load_statements

_SQL: Final = load_statements("hookplane.store.postgres", "identity.sql")


@dataclass(frozen=True, slots=True)
class DatabaseIdentity:
    """Equal as long as nothing that was committed has gone."""

    system: int
    """Made by initdb; a copy has the same."""
    timeline: int
    """Grows with every promotion and every recovery to a point in time."""
    incarnation: str
    """Made with our schema."""

    def __str__(self) -> str:
        return f"system {self.system}, timeline {self.timeline}, store {self.incarnation}"


async def read_identity(db: Db) -> DatabaseIdentity:
    """Of the database behind this connection; without our schema the incarnation is empty."""
    system, timeline, known = await db.fetchrow(_SQL["system"])  # type: ignore[misc]
    incarnation = await db.fetchval(_SQL["incarnation"]) if known else ""
    return DatabaseIdentity(system, int(timeline, 16), str(incarnation))
